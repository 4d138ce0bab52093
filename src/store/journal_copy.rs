//! The journal's copy on the operator's side: one file of JSON lines per target, and beside it how far the journal was
//! seen.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::disk;
use crate::engine::model::clean;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::port::journal_copy::{Copied, CopiedEntry, JournalCopy, Mark};

/// A line is no longer than this (bytes): what has no end is no entry.
const LINE: u64 = 16 << 20;
/// Room that a run must find (bytes): some hundred entries.
const ROOM: usize = 64 << 10;
/// Places of damage that are named.
const NAMED: usize = 20;

/// Below the user's state directory; without one nothing is kept.
#[derive(Debug, Clone)]
pub struct JournalCopyFiles {
    dir: Option<PathBuf>,
}

impl JournalCopyFiles {
    /// In `dir/journal`.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir: dir.map(|d| d.join("journal")) }
    }

    fn path(&self, target: &Identity) -> Option<PathBuf> {
        let system = target.system_identifier.as_deref().unwrap_or("unknown");
        let safe = |text: &str| -> String {
            text.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
        };
        let oid = target.database_oid.map_or_else(|| "none".into(), |oid| oid.to_string());
        let dialect = target.dialect.as_ref().map_or_else(String::new, |d| format!("{}-", safe(d)));
        let name = format!("{dialect}{}-{oid}-{}.jsonl", safe(system), safe(&target.database));
        self.dir.as_ref().map(|d| d.join(name))
    }

    fn change_mark(&self, target: &Identity, change: impl FnOnce(&mut Mark)) -> Result<()> {
        let Some(path) = self.path(target) else { return Ok(()) };
        let before = self.mark(target).ok().flatten().unwrap_or_default();
        let mut mark = before.clone();
        change(&mut mark);
        if mark == before {
            return Ok(());
        }
        let fail = |e: std::io::Error| failed("keep how far the journal was seen, beside", &path, &e);
        make_dir(&path).map_err(fail)?;
        let bytes = serde_json::to_vec(&mark).map_err(|e| fail(e.into()))?;
        disk::save(&mark_path(&path), &bytes).map_err(fail)
    }
}

fn failed(what: &str, path: &Path, e: &std::io::Error) -> Error {
    Error::unobserved(format!("failed to {what} {}: {e}", path.display()))
}

fn line_of(event: &Event) -> Result<String> {
    let line = serde_json::to_string(event)
        .map_err(|e| Error::unobserved(format!("failed to write an entry of the journal: {e}")))?;
    Ok(format!("{}\n", clean::json(&line)))
}

fn mark_path(copy: &Path) -> PathBuf {
    copy.with_extension("mark.json")
}

fn make_dir(path: &Path) -> std::io::Result<()> {
    let dirs = [path.parent().and_then(Path::parent), path.parent()];
    dirs.into_iter().flatten().try_for_each(disk::own_directory)
}

fn open_to_append(path: &Path) -> std::io::Result<File> {
    make_dir(path)?;
    disk::append(path)
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

/// Takes half a line away, or ends a whole one; what was done.
fn heal(file: &mut File) -> std::io::Result<Option<String>> {
    if !ends_in_mid_line(file)? {
        return Ok(None);
    }
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    Read::by_ref(file).take(LINE).read_to_end(&mut tail)?;
    let start = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let half = tail.get(start..).unwrap_or_default();
    if serde_json::from_slice::<Event>(half).is_ok() {
        file.write_all(b"\n")?;
        return Ok(Some("the end of its last line".into()));
    }
    file.set_len(from + start as u64)?;
    Ok(Some(format!("half a line of {} bytes at its end, which was taken away", half.len())))
}

/// Is there room? Blanks are written and taken away again.
fn has_room(file: &mut File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    let written = file.write_all(&vec![b' '; ROOM]).and_then(|()| file.sync_data());
    file.set_len(length)?;
    written
}

impl JournalCopy for JournalCopyFiles {
    fn ready(&self, target: &Identity) -> Result<Option<String>> {
        let Some(path) = self.path(target) else {
            return Err(Error::unobserved("there is no state directory for the journal's copy")
                .hint("set HOME, or state_dir in midwatch.toml"));
        };
        let tried = open_to_append(&path).and_then(|mut file| {
            let healed = heal(&mut file)?;
            has_room(&mut file)?;
            Ok(healed)
        });
        tried.map_err(|e| failed("write the journal's copy", &path, &e))
    }

    fn append(&self, target: &Identity, event: &Event) -> Result<()> {
        let Some(path) = self.path(target) else {
            return Err(Error::unobserved("there is no state directory for the journal's copy"));
        };
        let fail =
            |e: std::io::Error| failed(&format!("copy entry {} of the journal to", event.seq), &path, &e);
        let line = line_of(event)?;
        let mut file = open_to_append(&path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        if let Err(e) = file.write_all(line.as_bytes()) {
            // Half a line helps nobody.
            let _ = file.set_len(length);
            return Err(fail(e));
        }
        if matches!(event.kind.as_str(), "intent" | "outcome") {
            file.sync_all().map_err(fail)?;
        }
        self.change_mark(target, |mark| {
            mark.copied = mark.copied.max(event.seq);
            if event.signed.is_some() {
                mark.signed_from = mark.signed_from.into_iter().chain([event.seq]).min();
            }
            see(mark, event.seq, &event.hash);
        })
    }

    fn read(&self, target: &Identity) -> Result<Option<Copied>> {
        let Some(path) = self.path(target) else { return Ok(None) };
        let fail = |e: std::io::Error| failed("read", &path, &e);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fail(e)),
        };
        let mut out = Lines::default();
        let cut = ends_in_mid_line(&mut file).map_err(fail)?;
        file.rewind().map_err(fail)?;
        read_lines(BufReader::new(file), &mut |line| out.next(line)).map_err(fail)?;
        Ok(Some(out.copied(cut)))
    }

    fn mend(&self, target: &Identity, missing: &[Event]) -> Result<()> {
        let Some(path) = self.path(target) else { return Ok(()) };
        let fail = |e: std::io::Error| failed("mend", &path, &e);
        let mut lines = BTreeMap::new();
        let mut whole = true;
        if let Ok(file) = File::open(&path) {
            let mut last = 0;
            let mut keep = |line: Option<&[u8]>| {
                let event = line.and_then(|l| serde_json::from_slice::<Event>(l).ok());
                match event {
                    Some(event) => {
                        whole &= event.seq > last;
                        last = event.seq;
                        lines.entry(event.seq).or_insert(event);
                    }
                    None => whole = false,
                }
            };
            read_lines(BufReader::new(file), &mut keep).map_err(fail)?;
        }
        for event in missing {
            lines.entry(event.seq).or_insert_with(|| event.clone());
        }
        make_dir(&path).map_err(fail)?;
        let mut file = disk::UnfinishedFile::beside(&path).map_err(fail)?;
        for event in lines.values() {
            file.write_all(line_of(event)?.as_bytes()).map_err(fail)?;
        }
        if !whole {
            // Whoever looks into it wants to see what was done to it.
            let kept = path.with_extension(format!("damaged-{}.jsonl", chrono::Utc::now().timestamp()));
            disk::set_aside(&path, &kept).map_err(fail)?;
        }
        file.keep().map_err(fail)?;
        let Some(last) = lines.values().last() else { return Ok(()) };
        self.change_mark(target, |mark| {
            mark.copied = mark.copied.max(last.seq);
            see(mark, last.seq, &last.hash);
        })
    }

    fn mark(&self, target: &Identity) -> Result<Option<Mark>> {
        let Some(path) = self.path(target).map(|p| mark_path(&p)) else { return Ok(None) };
        match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|e| failed("read", &path, &e.into()))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed("read", &path, &e)),
        }
    }

    fn saw(&self, target: &Identity, seq: i64, hash: &str) -> Result<()> {
        self.change_mark(target, |mark| see(mark, seq, hash))
    }

    fn place(&self, target: &Identity) -> Option<String> {
        self.path(target).map(|p| p.display().to_string())
    }
}

fn see(mark: &mut Mark, seq: i64, hash: &str) {
    if seq > mark.seq {
        (mark.seq, mark.hash) = (seq, hash.to_owned());
    }
}

/// Gives each line without its end; none: it is too long to be one.
fn read_lines(mut from: impl BufRead, give: &mut dyn FnMut(Option<&[u8]>)) -> std::io::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64) -> Event {
        Event {
            seq,
            at: "t".into(),
            run: None,
            kind: "note".into(),
            body: "{}".into(),
            prev: String::new(),
            hash: format!("h{seq}"),
            signed: None,
        }
    }

    fn copy(entries: i64) -> (tempfile::TempDir, JournalCopyFiles, Identity, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let copy = JournalCopyFiles::new(Some(dir.path().to_owned()));
        let target = Identity { database: "d".into(), ..Identity::default() };
        (1..=entries).for_each(|seq| copy.append(&target, &event(seq)).unwrap());
        let path = copy.path(&target).unwrap();
        (dir, copy, target, path)
    }

    #[test]
    fn half_a_line_is_healed_before_the_next_entry() {
        let (_dir, copy, target, path) = copy(2);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(text.len() as u64 - 5).unwrap();
        let read = copy.read(&target).unwrap().unwrap();
        assert_eq!((read.entries.len(), read.damage.len()), (1, 1), "{read:?}");
        assert!(copy.ready(&target).unwrap().unwrap().starts_with("half a line"));
        copy.append(&target, &event(3)).unwrap();
        let read = copy.read(&target).unwrap().unwrap();
        assert_eq!(read.entries.keys().collect::<Vec<_>>(), [&1, &3]);
        assert_eq!(read.damage, <[String; 0]>::default());
        copy.mend(&target, &[event(2)]).unwrap();
        assert_eq!(copy.read(&target).unwrap().unwrap().entries.len(), 3);
        assert_eq!(
            copy.mark(&target).unwrap().unwrap(),
            Mark { seq: 3, hash: "h3".into(), copied: 3, signed_from: None }
        );
    }

    #[test]
    fn what_has_no_ends_of_lines_is_not_read_as_one() {
        let (_dir, copy, target, path) = copy(1);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let block = vec![b'x'; 1 << 20];
        (0..17).for_each(|_| file.write_all(&block).unwrap());
        file.write_all(b"\n").unwrap();
        drop(file);
        copy.append(&target, &event(2)).unwrap();
        let read = copy.read(&target).unwrap().unwrap();
        assert_eq!(read.entries.len(), 2);
        assert_eq!(read.damage, ["line 2 of the copy is too long to be an entry"]);
    }

    #[test]
    fn a_mark_only_rises() {
        let (_dir, copy, target, _) = copy(2);
        copy.saw(&target, 9, "h9").unwrap();
        copy.saw(&target, 4, "h4").unwrap();
        assert_eq!(
            copy.mark(&target).unwrap().unwrap(),
            Mark { seq: 9, hash: "h9".into(), copied: 2, signed_from: None }
        );
    }
}
