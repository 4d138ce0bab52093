//! Files and directories that are written for the operator, in one place: nothing planted in a shared directory is followed
//! or overwritten, nobody else can read what is written, and half a file is never met under its name.
//!
//! What the sandbox's own directory needs (its marker, the server's user) is not here: `sandbox/directory`.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufWriter, Read as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::geteuid;

/// A file of ours: the operator reads and writes it, nobody else does.
const PRIVATE: u32 = 0o600;
/// `O_NOFOLLOW`: the last part of a path that is a link is an error, not a way.
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// `O_NONBLOCK`
const NO_WAIT: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
/// Of a configuration, a profile or a password file (bytes).
const LONGEST: u64 = 4 << 20;
/// Links that lead to links, as the system follows them.
const LINKS: u32 = 40;
/// How often a lock is asked for again.
const LOCK_AGAIN: Duration = Duration::from_millis(20);

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{} {why}", path.display()))
}

fn is_ours(meta: &Metadata) -> bool {
    meta.uid() == geteuid().as_raw()
}

/// Is a refusal of this module, not of the system: a file or directory that another user may have prepared.
pub fn is_refusal(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::PermissionDenied && e.raw_os_error().is_none()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What stands at a path that is to be written: nothing, or a plain file that no other user prepared.
fn check_target(path: &Path) -> io::Result<()> {
    check_way(path)?;
    let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
    if meta.is_symlink() {
        return Err(refused(path, "is a symbolic link, which is not followed"));
    }
    if !meta.is_file() {
        return Err(refused(path, "is not a regular file"));
    }
    let shared = parent(path).metadata().is_ok_and(|dir| dir.mode() & 0o002 != 0);
    if shared && !is_ours(&meta) {
        return Err(refused(path, "belongs to another user, in a directory that everybody may write to"));
    }
    Ok(())
}

/// Links on the way to a file are followed where they are the system's or our own, and so is all that they lead over.
fn check_way(path: &Path) -> io::Result<()> {
    check_links(parent(path), LINKS)
}

/// Each link of a path, its end included.
fn check_links(way: &Path, left: u32) -> io::Result<()> {
    for dir in way.ancestors() {
        let Ok(meta) = dir.symlink_metadata() else { continue };
        if !meta.is_symlink() {
            continue;
        }
        if meta.uid() != 0 && !is_ours(&meta) {
            return Err(refused(dir, "is a symbolic link of another user"));
        }
        let left = left.checked_sub(1).ok_or_else(|| refused(dir, "leads over too many symbolic links"))?;
        check_links(&parent(dir).join(dir.read_link()?), left)?;
    }
    Ok(())
}

/// Is what stands there ours, or root's?
pub fn is_ours_or_roots(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| is_ours(&meta) || meta.uid() == 0)
}

/// May everybody put something into this directory, or another directory in its place? One that is missing is shared: who
/// will make it is not known.
pub fn is_shared(dir: &Path) -> bool {
    dir.metadata().is_ok_and(|meta| meta.mode() & 0o002 != 0) || !is_kept(dir, LINKS)
}

/// What stands on the way to it, and at its end, is of root's or ours wherever everybody may make something. Where the
/// directory above has no sticky bit, everybody may move that away, too.
fn is_kept(way: &Path, left: u32) -> bool {
    way.ancestors().filter(|at| !at.as_os_str().is_empty()).all(|at| {
        let Ok(meta) = at.symlink_metadata() else { return false };
        let Ok(above) = parent(at).metadata() else { return false };
        let everybodys = at.parent().is_some() && above.mode() & 0o002 != 0;
        if everybodys && (above.mode() & 0o1000 == 0 || !is_ours_or_root(meta.uid())) {
            return false;
        }
        if !meta.is_symlink() {
            return true;
        }
        let Some(left) = left.checked_sub(1) else { return false };
        at.read_link().is_ok_and(|to| is_kept(&parent(at).join(to), left))
    })
}

/// Is it this account, or root?
pub fn is_ours_or_root(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

/// Makes a directory with those above it that are missing, for the operator alone; one that exists stays as it is.
pub fn directory(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes a directory that only we use, or makes one that exists ours alone: a wider mode is tightened to 0700. One of
/// another user, and one that everybody may write to, is refused.
pub fn own_directory(dir: &Path) -> io::Result<()> {
    check_way(&dir.join("file"))?;
    directory(dir)?;
    let meta = dir.metadata()?;
    if !is_ours(&meta) {
        return Err(refused(dir, "belongs to another user"));
    }
    if meta.mode() & 0o1002 != 0 {
        return Err(refused(dir, "is a directory that everybody may write to"));
    }
    if meta.mode() & 0o077 != 0 {
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// A new directory for us alone; those above it must be there.
pub fn new_directory(dir: &Path) -> io::Result<()> {
    check_way(&dir.join("file"))?;
    let above = parent(dir).metadata()?;
    if above.mode() & 0o022 != 0 && above.mode() & 0o1000 == 0 {
        return Err(refused(
            parent(dir),
            "is a directory in which others may replace what is made (chmod +t)",
        ));
    }
    DirBuilder::new().mode(0o700).create(dir)
}

/// A file's text. An error names the line, and the byte from the file's start, that is not UTF-8.
pub fn text(path: &Path) -> io::Result<String> {
    utf8(std::fs::read(path)?)
}

fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, not_utf8(e.as_bytes(), at))
    })
}

/// The text of a file that decides what this program does, with its owner: only a file of ours or of root, which nobody else
/// may write, in a directory of ours or of root where nobody else can put another in its place. No link of another user leads
/// to it.
pub fn owned_text(path: &Path) -> io::Result<(String, u32)> {
    check_links(path, LINKS)?;
    // Nobody writes to a pipe that was planted under its name: opening it would wait.
    let file = OpenOptions::new().read(true).custom_flags(NO_WAIT).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(refused(path, "is not a regular file"));
    }
    if meta.len() > LONGEST {
        return Err(refused(path, "is longer than 4 MB"));
    }
    if !is_ours(&meta) && meta.uid() != 0 {
        return Err(refused(path, "belongs to another user"));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(refused(path, "may be written by others (chmod go-w)"));
    }
    let real = path.canonicalize()?;
    let dir = parent(&real);
    let above = dir.metadata()?;
    if !is_ours(&above) && above.uid() != 0 {
        return Err(refused(dir, "is a directory of another user"));
    }
    // In a sticky directory only its owner replaces a file.
    let mode = above.mode();
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        return Err(refused(dir, "is a directory that others may write to (chmod go-w)"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok((utf8(bytes)?, meta.uid()))
}

/// The text of a file with passwords: a plain file that its owner alone, whoever that is, may read and write, as for libpq.
/// What is looked at is what is read.
pub fn owners_text(path: &Path) -> io::Result<String> {
    let file = OpenOptions::new().read(true).custom_flags(NO_WAIT).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(refused(path, "is not a regular file"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(refused(path, "may be read or written by others (chmod 0600)"));
    }
    if meta.len() > LONGEST {
        return Err(refused(path, "is longer than 4 MB"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    utf8(bytes)
}

/// The bytes of a secret: a plain file of ours or of root that nobody else may read. What is looked at is what is read.
pub fn secret(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(refused(path, "is not a regular file"));
    }
    if !is_ours(&meta) && meta.uid() != 0 {
        return Err(refused(path, "belongs to another user"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(refused(path, &format!("can be read by others (mode {:o})", meta.mode() & 0o777)));
    }
    if meta.len() > most {
        return Err(refused(path, &format!("is longer than {most} bytes")));
    }
    let mut bytes = Vec::new();
    io::Read::by_ref(&mut file).take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// From 1, both.
fn not_utf8(bytes: &[u8], at: usize) -> String {
    let line = bytes.iter().take(at).filter(|b| **b == b'\n').count() + 1;
    format!("line {line} is not UTF-8: byte {}, 0x{:02x}", at + 1, bytes.get(at).copied().unwrap_or_default())
}

/// A new file, or an error if there is one; for the operator alone.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .custom_flags(NO_FOLLOW)
        .mode(PRIVATE)
        .open(path)
}

/// An open file whose name is gone already: whatever becomes of the process, nothing is left behind.
pub fn nameless(path: &Path) -> io::Result<File> {
    let file = create_new(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// Opens a file to read, and to write at its end, made if it is missing; only a plain file of ours, which nobody else may read from
/// now on.
pub fn append(path: &Path) -> io::Result<File> {
    check_target(path)?;
    // NONBLOCK: a pipe in a file's place would hold us up.
    let flags = NO_FOLLOW | rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .custom_flags(flags)
        .mode(PRIVATE)
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(refused(path, "is not a regular file"));
    }
    if !is_ours(&meta) {
        return Err(refused(path, "belongs to another user"));
    }
    if meta.nlink() > 1 {
        return Err(refused(path, "has a second name (a hard link)"));
    }
    if meta.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
    }
    Ok(file)
}

/// Writes a file that exists anew, which keeps its owner and its mode; a link is not followed.
pub fn rewrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).truncate(true).custom_flags(NO_FOLLOW).open(path)?;
    file.write_all(bytes)
}

/// Gives a file of ours another name, for who looks into it later.
pub fn set_aside(path: &Path, kept: &Path) -> io::Result<()> {
    std::fs::rename(path, kept)
}

/// Writes a whole file: under its name when it is complete and on the disk, else nothing is left of it.
pub fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = UnfinishedFile::beside(path)?;
    draft.write_all(bytes)?;
    draft.keep()
}

/// Is there room for so many bytes beside this file? They are written into a file without a name, never into this one:
/// another process may be adding to it.
pub fn has_room_beside(path: &Path, bytes: usize) -> io::Result<()> {
    let mut draft = UnfinishedFile::beside(path)?;
    std::fs::remove_file(draft.place())?;
    draft.write_all(&vec![b' '; bytes])?;
    draft.settle()
}

/// Waits until no other process has this lock, no longer than `patience`. It is let go of with the value, and by the
/// system with the process.
pub fn lock(path: &Path, patience: Duration) -> io::Result<File> {
    let file = append(path)?;
    let until = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(LOCK_AGAIN),
            Err(TryLockError::WouldBlock) => {
                let what = format!("another process has had {} for {} s", path.display(), patience.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
        }
    }
}

/// A file that is being written beside its place, gone again unless it is kept.
#[derive(Debug)]
pub struct UnfinishedFile {
    path: PathBuf,
    part: PathBuf,
    out: BufWriter<File>,
}

impl UnfinishedFile {
    /// In the directory of `path`, which must exist, under a name that nothing has.
    pub fn beside(path: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        check_target(path)?;
        if path.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
        }
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let part = parent(path).join(format!(".midwatch-{}-{number}.part", std::process::id()));
            match create_new(&part) {
                Ok(file) => return Ok(Self { path: path.to_owned(), part, out: BufWriter::new(file) }),
                // Of a process that was killed, or planted: the next number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Where it is written, for a program that writes it.
    pub fn place(&self) -> &Path {
        &self.part
    }

    /// Under its name, in place of a file that was there.
    pub fn keep(mut self) -> io::Result<()> {
        self.settle()?;
        check_target(&self.path)?;
        std::fs::rename(&self.part, &self.path)?;
        settle_name(&self.path)
    }

    /// Under its name, where nothing has that name.
    pub fn keep_new(mut self) -> io::Result<()> {
        self.settle()?;
        // A link is made or refused in one step; dropping this removes the other name.
        std::fs::hard_link(&self.part, &self.path)?;
        let path = self.path.clone();
        drop(self);
        settle_name(&path)
    }

    fn settle(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}

impl Write for UnfinishedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.part);
    }
}

/// A name is on the disk when its directory is. A directory that may be written but not read cannot be asked for that.
fn settle_name(path: &Path) -> io::Result<()> {
    match File::open(parent(path)).and_then(|dir| dir.sync_all()) {
        Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut out: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        out.sort();
        out
    }

    #[test]
    fn a_file_is_whole_private_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        save(&path, b"new").unwrap();
        assert_eq!((std::fs::read_to_string(&path).unwrap(), mode(&path)), ("new".into(), 0o600));
        drop(UnfinishedFile::beside(&path).unwrap());
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn a_byte_that_is_no_text_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"a\n\xc3\xa9\xffb\n").unwrap();
        assert_eq!(text(&path).unwrap_err().to_string(), "line 2 is not UTF-8: byte 5, 0xff");
        std::fs::write(&path, b"a\n\xc3").unwrap();
        assert_eq!(text(&path).unwrap_err().to_string(), "line 2 is not UTF-8: byte 3, 0xc3");
    }

    #[test]
    fn links_and_what_is_no_file_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link) = (dir.path().join("victim"), dir.path().join("link"));
        std::fs::write(&victim, "kept").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        for e in [save(&link, b"x").unwrap_err(), append(&link).unwrap_err()] {
            assert!(is_refusal(&e) && e.to_string().contains("symbolic link"), "{e}");
        }
        assert!(create_new(&link).is_err());
        assert!(save(dir.path(), b"x").is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "kept");
        std::fs::hard_link(&victim, dir.path().join("second")).unwrap();
        assert!(append(&victim).unwrap_err().to_string().contains("hard link"));
        assert_eq!(names(dir.path()), ["link", "second", "victim"]);
    }

    #[test]
    fn a_file_that_exists_is_not_replaced_where_that_is_not_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let draft = |text: &[u8]| {
            let mut draft = UnfinishedFile::beside(&path).unwrap();
            draft.write_all(text).unwrap();
            draft.keep_new()
        };
        draft(b"first").unwrap();
        assert_eq!(draft(b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(
            (std::fs::read_to_string(&path).unwrap(), names(dir.path())),
            ("first".into(), vec!["a".into()])
        );
    }

    #[test]
    fn a_wider_mode_is_tightened_and_a_shared_directory_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (state, log) = (dir.path().join("state"), dir.path().join("log"));
        own_directory(&state.join("deep")).unwrap();
        assert_eq!((mode(&state), mode(&state.join("deep"))), (0o700, 0o700));
        std::fs::set_permissions(&state, Permissions::from_mode(0o755)).unwrap();
        own_directory(&state).unwrap();
        assert_eq!(mode(&state), 0o700);
        for shared in [0o777, 0o1777, 0o1770] {
            std::fs::set_permissions(&state, Permissions::from_mode(shared)).unwrap();
            assert!(is_refusal(&own_directory(&state).unwrap_err()));
        }
        std::fs::write(&log, "a").unwrap();
        std::fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
        append(&log).unwrap().write_all(b"b").unwrap();
        assert_eq!((std::fs::read_to_string(&log).unwrap(), mode(&log)), ("ab".into(), 0o600));
    }
}
