//! The journal's copy on the operator's side: one file of JSON lines per target, and beside it how far the journal was
//! seen. One process at a time writes them: each write holds the lock beside them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::copy_lines::{heal, last_entry, read, read_lines};
use super::copy_place::{elsewhere, mark_path, own_place_of, place_of, places_of, read_mark};
use crate::disk;
use crate::engine::model::clean;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::port::journal_copy::{Copied, JournalCopy, Mark};

/// Room that a run must find (bytes): some hundred entries.
const ROOM: usize = 64 << 10;
/// How long another process may hold the lock: a write takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Below the user's state directory; without one nothing is kept.
#[derive(Debug, Clone)]
pub struct JournalCopyFiles {
    dir: Option<PathBuf>,
    passing: bool,
}

impl JournalCopyFiles {
    /// In `dir/journal`.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir: dir.map(|d| d.join("journal")), passing: false }
    }

    /// The key is kept elsewhere, so the directory may be a new one each time.
    #[must_use]
    pub fn passing(self, passing: bool) -> Self {
        Self { passing, ..self }
    }

    fn path(&self, target: &Identity) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| place_of(dir, target))
    }

    /// Changes the mark of a journal that has its entry; whoever calls holds the lock.
    fn change_mark(&self, target: &Identity, path: &Path, change: impl FnOnce(&mut Mark)) -> Result<()> {
        let mut mark = self.mark(target)?.unwrap_or_default();
        change(&mut mark);
        mark.found_at(target);
        // What the copy's last line says is not in the mark's own file yet.
        if matches!(read_mark(path), Ok(Some(Ok(saved))) if saved == mark) {
            return Ok(());
        }
        save_mark(path, &mark).map_err(|e| failed("keep how far the journal was seen, beside", path, &e))
    }
}

fn failed(what: &str, path: &Path, e: &std::io::Error) -> Error {
    let error = Error::unobserved(format!("failed to {what} {}: {e}", path.display()));
    if e.kind() == ErrorKind::TimedOut {
        let lock = path.with_extension("lock");
        return error.hint(format!("fuser {} names it: continue it (kill -CONT) or end it", lock.display()));
    }
    error
}

fn line_of(event: &Event) -> Result<String> {
    let line = serde_json::to_string(event)
        .map_err(|e| Error::unobserved(format!("failed to write an entry of the journal: {e}")))?;
    Ok(format!("{}\n", clean::json(&line)))
}

fn make_dir(path: &Path) -> std::io::Result<()> {
    let dirs = [path.parent().and_then(Path::parent), path.parent()];
    dirs.into_iter().flatten().try_for_each(disk::own_directory)
}

/// Nobody else writes this copy or its mark while the value lives.
fn alone(path: &Path) -> std::io::Result<File> {
    make_dir(path)?;
    let lock = path.with_extension("lock");
    match disk::lock(&lock, Duration::ZERO) {
        Err(e) if e.kind() == ErrorKind::TimedOut => waiting(|| disk::lock(&lock, PATIENCE)),
        taken => taken,
    }
}

/// Waits on this thread. What else it would carry on (heartbeats, the answer to a key) goes to another, where there is one.
fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    let is_shared = |runtime: Handle| runtime.runtime_flavor() == RuntimeFlavor::MultiThread;
    if Handle::try_current().is_ok_and(is_shared) { tokio::task::block_in_place(wait) } else { wait() }
}

fn save_mark(path: &Path, mark: &Mark) -> std::io::Result<()> {
    disk::save(&mark_path(path), &serde_json::to_vec(mark)?)
}

/// Under another name, which no reader takes for a copy or a mark; that name.
fn set_aside(path: &Path, why: &str) -> std::io::Result<PathBuf> {
    let at = chrono::Utc::now().format("%Y%m%dT%H%M%S%6fZ");
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{why}-{at}"));
    let kept = PathBuf::from(name);
    disk::set_aside(path, &kept)?;
    Ok(kept)
}

/// A mark that cannot be read is taken from the copy: its last entry was seen.
fn heal_mark(path: &Path) -> std::io::Result<Option<String>> {
    let Some(Err(e)) = read_mark(path)? else { return Ok(None) };
    let made = read(path)?.and_then(|(_, highest)| highest);
    let kept = set_aside(&mark_path(path), "damaged")?;
    let now = match &made {
        Some(mark) => {
            save_mark(path, mark)?;
            format!("entry {} is the last of the journal's copy", mark.seq)
        }
        None => "nothing is known of it any more".into(),
    };
    let kept = kept.display();
    Ok(Some(format!(
        "how far the journal was seen could not be read ({e}): {now}; what stood there is {kept}"
    )))
}

impl JournalCopy for JournalCopyFiles {
    fn ready(&self, target: &Identity) -> Result<Vec<String>> {
        let Some(path) = self.path(target) else {
            return Err(Error::unobserved("there is no state directory for the journal's copy")
                .hint("set HOME, or state_dir in midwatch.toml"));
        };
        let tried = alone(&path).and_then(|_alone| {
            let mut file = disk::append(&path)?;
            let half = heal(&mut file)?.map(|what| format!("the journal's copy had {what}"));
            let healed = half.into_iter().chain(heal_mark(&path)?).collect();
            disk::has_room_beside(&path, ROOM)?;
            Ok(healed)
        });
        let healed = tried.map_err(|e| failed("write the journal's copy", &path, &e))?;
        let _alone = alone(&path).map_err(|e| failed("write the journal's copy", &path, &e))?;
        // There before the first entry is: the answer to its COMMIT may be lost, and then nothing of it is here.
        self.change_mark(target, &path, |_| ())?;
        Ok(healed)
    }

    fn append(&self, target: &Identity, event: &Event) -> Result<()> {
        let Some(path) = self.path(target) else {
            return Err(Error::unobserved("there is no state directory for the journal's copy"));
        };
        let fail =
            |e: std::io::Error| failed(&format!("copy entry {} of the journal to", event.seq), &path, &e);
        let line = line_of(event)?;
        let _alone = alone(&path).map_err(fail)?;
        let mut file = disk::append(&path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        if let Err(e) = file.write_all(line.as_bytes()) {
            // Half a line helps nobody.
            let _ = file.set_len(length);
            return Err(fail(e));
        }
        if !matches!(event.kind.as_str(), "intent" | "resumed" | "outcome") {
            // Until the run ends its last line says how far the journal was seen: a mark on the disk before the line is
            // would accuse the copy after a power cut.
            return Ok(());
        }
        file.sync_all().map_err(fail)?;
        self.change_mark(target, &path, |mark| {
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
        let Some((mut copied, _)) = read(&path).map_err(fail)? else { return Ok(None) };
        if let Some(Err(e)) = read_mark(&path).map_err(fail)? {
            copied.damage.push(format!(
                "how far the journal was seen cannot be read ({e}): the next run takes it from the copy"
            ));
        }
        Ok(Some(copied))
    }

    fn mend(&self, target: &Identity, missing: &[Event]) -> Result<()> {
        let Some(path) = self.path(target) else { return Ok(()) };
        let fail = |e: std::io::Error| failed("mend", &path, &e);
        let _alone = alone(&path).map_err(fail)?;
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
        self.change_mark(target, &path, |mark| {
            mark.copied = mark.copied.max(last.seq);
            see(mark, last.seq, &last.hash);
        })
    }

    fn mark(&self, target: &Identity) -> Result<Option<Mark>> {
        let Some(path) = self.path(target) else { return Ok(None) };
        let fail = |e: std::io::Error| failed("read how far the journal was seen, beside", &path, &e);
        if let Some(Ok(mut mark)) = read_mark(&path).map_err(fail)? {
            if let Some((seq, hash)) = last_entry(&path).map_err(fail)? {
                mark.copied = mark.copied.max(seq);
                see(&mut mark, seq, &hash);
            }
            return Ok(Some(mark));
        }
        // None yet, or none that can be read: the copy's last entry was seen.
        Ok(read(&path).map_err(fail)?.and_then(|(_, highest)| highest))
    }

    fn saw(&self, target: &Identity, seq: i64, hash: &str) -> Result<()> {
        let Some(path) = self.path(target) else { return Ok(()) };
        if matches!(read_mark(&path), Ok(Some(Ok(mark))) if mark.seq >= seq && mark.seen.is_some() && mark.is_at(target))
        {
            return Ok(());
        }
        let fail = |e: std::io::Error| failed("keep how far the journal was seen, beside", &path, &e);
        let _alone = alone(&path).map_err(fail)?;
        self.change_mark(target, &path, |mark| see(mark, seq, hash))
    }

    fn elsewhere(&self, target: &Identity) -> Vec<Mark> {
        self.dir.as_ref().map_or_else(Vec::new, |dir| elsewhere(dir, target))
    }

    fn is_passing(&self) -> bool {
        self.passing
    }

    fn part(&self, target: &Identity) -> Result<()> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let path = own_place_of(dir, target);
        let fail = |e: std::io::Error| failed("make the mark beside", &path, &e);
        let _alone = alone(&path).map_err(fail)?;
        if read_mark(&path).map_err(fail)?.is_some() {
            return Ok(());
        }
        save_mark(&path, &Mark { seen: Some(target.clone()), ..Mark::default() }).map_err(fail)
    }

    fn accept(&self, target: &Identity, seen: Mark) -> Result<Vec<String>> {
        let Some(dir) = &self.dir else { return Ok(vec![]) };
        let path = own_place_of(dir, target);
        let fail = |e: std::io::Error| failed("set aside", &path, &e);
        let _alone = alone(&path).map_err(fail)?;
        let mut kept = Vec::new();
        for copy in places_of(dir, target) {
            for file in [mark_path(&copy), copy] {
                if file.exists() {
                    kept.push(set_aside(&file, "accepted").map_err(fail)?.display().to_string());
                }
            }
        }
        let mark = Mark { copied: 0, seen: Some(target.clone()), ..seen };
        save_mark(&own_place_of(dir, target), &mark).map_err(fail)?;
        Ok(kept)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64) -> Event {
        Event {
            seq,
            at: "t".into(),
            run: None,
            kind: "outcome".into(),
            body: "{}".into(),
            prev: String::new(),
            hash: format!("h{seq}"),
            signed: None,
        }
    }

    fn batch(seq: i64) -> Event {
        let mut event = Event { kind: "batch".into(), ..event(seq) };
        event.hash = event.computed_hash();
        event
    }

    #[test]
    fn a_batch_flushes_nothing_and_a_power_cut_accuses_nobody() {
        let (_dir, copy, target, path) = copy(1);
        let whole = std::fs::read(&path).unwrap();
        let saved = || std::os::unix::fs::MetadataExt::ino(&mark_path(&path).metadata().unwrap());
        let before = saved();
        (2..5).for_each(|seq| copy.append(&target, &batch(seq)).unwrap());
        assert_eq!(saved(), before, "the mark was written for a batch");
        let mark = copy.mark(&target).unwrap().unwrap();
        assert_eq!((mark.seq, mark.hash.as_str(), mark.copied), (4, batch(4).hash.as_str(), 4));
        copy.append(&target, &event(5)).unwrap();
        assert!(std::fs::read_to_string(mark_path(&path)).unwrap().contains("\"copied\":5"));
        std::fs::write(mark_path(&path), serde_json::to_vec(&Mark { seq: 1, copied: 1, ..mark }).unwrap())
            .unwrap();
        // Lines that never came to the disk.
        std::fs::write(&path, whole).unwrap();
        let mark = copy.mark(&target).unwrap().unwrap();
        assert_eq!((mark.seq, mark.copied), (1, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_waits_for_the_lock_keeps_nobody_else_waiting() {
        let (_dir, copy, target, path) = copy(1);
        let lock = alone(&path).unwrap();
        let (began, waits) = std::sync::mpsc::channel();
        let append = tokio::spawn(async move {
            // Its own worker has the next task, too.
            let release = tokio::spawn(async move {
                waits.recv().unwrap();
                drop(lock);
            });
            began.send(()).unwrap();
            let appended = copy.append(&target, &event(2));
            release.await.unwrap();
            appended
        });
        append.await.unwrap().unwrap();
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
        assert!(copy.ready(&target).unwrap()[0].starts_with("the journal's copy had half a line"));
        copy.append(&target, &event(3)).unwrap();
        let read = copy.read(&target).unwrap().unwrap();
        assert_eq!(read.entries.keys().collect::<Vec<_>>(), [&1, &3]);
        assert_eq!(read.damage, <[String; 0]>::default());
        copy.mend(&target, &[event(2)]).unwrap();
        assert_eq!(copy.read(&target).unwrap().unwrap().entries.len(), 3);
        let mark = copy.mark(&target).unwrap().unwrap();
        assert_eq!((mark.seq, mark.hash.as_str(), mark.copied), (3, "h3", 3));
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
        let mark = copy.mark(&target).unwrap().unwrap();
        assert_eq!((mark.seq, mark.hash.as_str(), mark.copied), (9, "h9", 2));
    }
}
