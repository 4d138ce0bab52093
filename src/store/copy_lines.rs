//! The lines of a journal's copy, one entry each: read to a limit, and what is wrong with them said.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::engine::model::event::Event;
use crate::engine::port::journal_copy::{Copied, CopiedEntry, Mark};

/// A line is no longer than this (bytes): what has no end is no entry.
const LINE: u64 = 16 << 20;
/// A line of a batch is shorter than this (bytes).
const TAIL: u64 = 64 << 10;
/// Places of damage that are named.
const NAMED: usize = 20;

/// All of a copy; none: there is none. And its highest entry that is whole, as a mark.
pub(super) fn read(path: &Path) -> std::io::Result<Option<(Copied, Option<Mark>)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut out = Lines::default();
    let cut = ends_in_mid_line(&mut file)?;
    file.rewind()?;
    read_lines(BufReader::new(file), &mut |line| out.next(line))?;
    let highest = out.highest.take();
    Ok(Some((out.copied(cut), highest)))
}

/// Without an end of line the last line is not whole: a crash in mid-line leaves that.
fn ends_in_mid_line(file: &mut File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Number and hash of the last entry, where its line is whole and no longer than lines of batches are.
pub(super) fn last_entry(path: &Path) -> std::io::Result<Option<(i64, String)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let line = tail.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|b| *b == b'\n').next());
    let event = line.and_then(|line| serde_json::from_slice::<Event>(line).ok());
    Ok(event.filter(|e| e.computed_hash() == e.hash).map(|e| (e.seq, e.hash)))
}

/// Takes half a line away, or ends a whole one; what it was.
pub(super) fn heal(file: &mut File) -> std::io::Result<Option<String>> {
    if !ends_in_mid_line(file)? {
        return Ok(None);
    }
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    std::io::Read::by_ref(file).take(LINE).read_to_end(&mut tail)?;
    let start = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let half = tail.get(start..).unwrap_or_default();
    if serde_json::from_slice::<Event>(half).is_ok() {
        file.write_all(b"\n")?;
        return Ok(Some("the end of its last line".into()));
    }
    file.set_len(from + start as u64)?;
    Ok(Some(format!("half a line of {} bytes at its end, which was taken away", half.len())))
}

/// Gives each line without its end; none: it is too long to be one.
pub(super) fn read_lines(mut from: impl BufRead, give: &mut dyn FnMut(Option<&[u8]>)) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') || (line.len() as u64) < LINE {
            give(Some(line.strip_suffix(b"\n").unwrap_or(&line)));
        } else {
            give(None);
            skip_line(&mut from)?;
        }
    }
}

fn skip_line(from: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let (used, done) = match from.fill_buf()? {
            [] => return Ok(()),
            bytes => match bytes.iter().position(|b| *b == b'\n') {
                Some(at) => (at + 1, true),
                None => (bytes.len(), false),
            },
        };
        from.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// What the lines of a copy hold.
#[derive(Default)]
struct Lines {
    copied: Copied,
    counters: BTreeMap<String, i64>,
    at: u64,
    last: i64,
    highest: Option<Mark>,
    more: u64,
    /// The line at hand is no entry.
    broken: bool,
}

impl Lines {
    fn next(&mut self, line: Option<&[u8]>) {
        self.at += 1;
        self.broken = false;
        let Some(line) = line else { return self.damaged("is too long to be an entry") };
        if let Err(e) = std::str::from_utf8(line) {
            self.broken = true;
            return self.damaged(&format!("is not UTF-8: byte {} of it", e.valid_up_to() + 1));
        }
        let Ok(event) = serde_json::from_slice::<Event>(line) else {
            self.broken = true;
            return self.damaged("is no entry");
        };
        if let Some(signed) = &event.signed {
            let last = self.counters.entry(signed.by.clone()).or_default();
            self.copied.has_gaps |= signed.counter != *last + 1;
            *last = signed.counter;
        }
        let is_highest = self.highest.as_ref().is_none_or(|m| m.seq < event.seq);
        if is_highest && event.computed_hash() == event.hash {
            let (seq, hash) = (event.seq, event.hash.clone());
            self.highest = Some(Mark { seq, hash, copied: seq, ..Mark::default() });
        }
        let entry = CopiedEntry { sum: event.sum(), kind: event.kind };
        if self.copied.entries.contains_key(&event.seq) {
            return self.damaged(&format!("has entry {} once more", event.seq));
        }
        if event.seq < self.last {
            self.damaged(&format!("has entry {} after entry {}", event.seq, self.last));
        }
        self.last = event.seq;
        self.copied.entries.insert(event.seq, entry);
    }

    fn damaged(&mut self, what: &str) {
        if self.copied.damage.len() < NAMED {
            self.copied.damage.push(format!("line {} of the copy {what}", self.at));
        } else {
            self.more += 1;
        }
    }

    fn copied(mut self, cut: bool) -> Copied {
        if cut && self.broken {
            self.copied.damage.pop();
        }
        if cut {
            self.copied.damage.push("the last line of the copy is cut: the next run mends that".into());
        }
        if self.more > 0 {
            self.copied.damage.push(format!("{} more lines of the copy are damaged", self.more));
        }
        self.copied
    }
}
