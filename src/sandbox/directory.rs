//! The directory of a sandbox: whose it is, who may reach it, what is left when it ends.
//!
//! The marker is locked by the process that owns the directory (and by its watcher), so "is it dead?"
//! is a question to the kernel, not to a process id that may have been reused.

use crate::dialect::postgres::owner::MARKER;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::disk;
use crate::engine::model::error::{Class, Error, Result};
use crate::sandbox::account::Account;

const SOCKET: &str = ".s.PGSQL.5432";
const PREFIX: &str = "mw-";
#[cfg(target_os = "macos")]
const LONGEST_SOCKET: usize = 103;
#[cfg(not(target_os = "macos"))]
const LONGEST_SOCKET: usize = 107;

/// A directory that is ours until we leave it.
#[derive(Debug)]
pub(super) struct ServerDirectory {
    pub(super) root: PathBuf,
    /// A given directory is emptied, one of our own is removed.
    pub(super) given: bool,
    pub(super) lock: File,
}

impl ServerDirectory {
    /// A short directory of our own below the system's temporary one, or in memory where there is room.
    pub(super) fn temporary(account: Option<&Account>, memory: bool) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let parent = temporary_parent(account, memory)?;
        sweep(&parent);
        let root = loop {
            let name = format!("{PREFIX}{:x}-{:x}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let root = parent.join(name);
            match fs::DirBuilder::new().mode(0o711).create(&root) {
                Ok(()) => break root,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed("create", &root, &e)),
            }
        };
        fs::set_permissions(&root, Permissions::from_mode(0o711)).map_err(|e| failed("open", &root, &e))?;
        Self::settle(root, false, account)
    }

    /// A directory the operator named: created, or empty, or left behind by one of us.
    pub(super) fn given(dir: &Path, account: Option<&Account>) -> Result<Self> {
        let dir = std::path::absolute(dir).map_err(|e| failed("resolve", dir, &e))?;
        check_socket_path(&dir)?;
        let existing = dir.ancestors().find(|a| a.exists()).unwrap_or(Path::new("/"));
        let real = fs::canonicalize(existing).map_err(|e| failed("resolve", existing, &e))?;
        check_reachable(&real, account)?;
        let root = real.join(dir.strip_prefix(existing).unwrap_or(Path::new("")));
        check_socket_path(&root)?;
        if root.exists() {
            reclaim(&root)?;
        } else {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&root)
                .map_err(|e| failed("create", &root, &e))?;
            check_reachable(&root, account)?;
        }
        Self::settle(root, true, account)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// What is read of a target or written for a program: nobody else reaches it.
    pub(super) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Leaves: the marker goes last, so that an interrupted clearing is found again.
    pub(super) fn clear(&self) {
        if self.given { empty(&self.root) } else { remove(&self.root) }
    }

    fn settle(root: PathBuf, given: bool, account: Option<&Account>) -> Result<Self> {
        let lock = mark(&root).map_err(|e| failed("mark", &root, &e))?;
        let place = Self { root, given, lock };
        disk::directory(&place.files()).map_err(|e| failed("create", &place.files(), &e))?;
        for dir in [place.run(), place.data()] {
            let made = fs::DirBuilder::new().mode(0o700).create(&dir);
            let owner = account.map(|account| (account.uid, account.gid));
            made.and_then(|()| owner.map_or(Ok(()), |(uid, gid)| chown(&dir, Some(uid), Some(gid))))
                .map_err(|e| failed("create", &dir, &e))?;
        }
        Ok(place)
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::unobserved(format!("failed to {what} {}: {error}", path.display()))
        .hint("choose another directory with --dir")
}

/// Locked before it gets its name: whoever sees the marker sees it locked, or its owner is dead.
fn mark(root: &Path) -> io::Result<File> {
    let draft = root.join(".midwatch-sandbox.new");
    let mut file = File::create(&draft)?;
    file.try_lock().map_err(io::Error::from)?;
    writeln!(file, "midwatch sandbox of process {}", process::id())?;
    fs::rename(draft, root.join(MARKER))?;
    Ok(file)
}

fn temporary_parent(account: Option<&Account>, memory: bool) -> Result<PathBuf> {
    let disk = [env::temp_dir(), PathBuf::from("/tmp")];
    let candidates: Vec<_> = memory.then(in_memory).flatten().into_iter().chain(disk).collect();
    let fits = |dir: &PathBuf| {
        let longest = dir.join("mw-ffffffff-ffffffff");
        check_reachable(dir, account).and_then(|()| check_socket_path(&longest))
    };
    let mut last = None;
    for dir in candidates.iter().filter_map(|dir| fs::canonicalize(dir).ok()) {
        match fits(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::unobserved("failed to find a temporary directory").hint("set TMPDIR")))
}

/// Half a gigabyte of data and as much log must fit.
fn in_memory() -> Option<PathBuf> {
    let dir = PathBuf::from("/dev/shm");
    let free = rustix::fs::statvfs(&dir).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))?;
    (free >= 1 << 30).then_some(dir)
}

fn check_socket_path(root: &Path) -> Result<()> {
    let length = root.join("run").join(SOCKET).as_os_str().len();
    if length <= LONGEST_SOCKET {
        return Ok(());
    }
    Err(Error::usage(format!(
        "failed to use {}: its socket's path would have {length} bytes, the system takes {LONGEST_SOCKET}",
        root.display()
    ))
    .hint("choose a shorter directory with --dir"))
}

/// Names the first directory from the top that the server's user cannot pass.
fn check_reachable(dir: &Path, account: Option<&Account>) -> Result<()> {
    let Some(account) = account else { return Ok(()) };
    let mut ancestors: Vec<_> = dir.ancestors().collect();
    ancestors.reverse();
    for ancestor in ancestors {
        let meta = fs::metadata(ancestor).map_err(|e| failed("look at", ancestor, &e))?;
        let bit = match () {
            () if meta.uid() == account.uid => 0o100,
            () if meta.gid() == account.gid => 0o010,
            () => 0o001,
        };
        if meta.is_dir() && meta.mode() & bit == 0 {
            return Err(Error::unobserved(format!(
                "failed to use {}: the server's user `{}` cannot pass {}",
                dir.display(),
                account.name,
                ancestor.display()
            ))
            .hint(format!("chmod o+x {}, or choose another directory with --dir", ancestor.display())));
        }
    }
    Ok(())
}

/// Nobody's files are deleted: a directory must be empty or bear the marker of a dead owner.
fn reclaim(root: &Path) -> Result<()> {
    let mut entries = fs::read_dir(root).map_err(|e| failed("read", root, &e))?;
    if entries.next().is_none() {
        return Ok(());
    }
    match settled_owner(root) {
        Owner::Dead(_lock) => {
            end_orphan(root);
            empty(root);
            Ok(())
        }
        Owner::Alive => Err(Error::new(
            Class::Refused,
            format!("failed to use {}: another midwatch is running in it", root.display()),
        )
        .hint("stop it first, or choose another directory with --dir")),
        Owner::Stranger => {
            Err(Error::usage(format!("failed to use {}: it is not empty, and not ours", root.display()))
                .hint("choose an empty or a new directory with --dir"))
        }
    }
}

enum Owner {
    Alive,
    Dead(File),
    Stranger,
}

fn owner(root: &Path) -> Owner {
    let Ok(file) = File::open(root.join(MARKER)) else { return Owner::Stranger };
    if file.try_lock().is_ok() { Owner::Dead(file) } else { Owner::Alive }
}

/// A child that is being started holds a copy of our locks until it runs its program.
fn settled_owner(root: &Path) -> Owner {
    for _ in 0..50 {
        match owner(root) {
            Owner::Alive => std::thread::park_timeout(std::time::Duration::from_millis(10)),
            other => return other,
        }
    }
    Owner::Alive
}

/// Removes what processes killed together with their watcher left behind; best effort.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let mine = entry.metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw());
        if named
            && mine
            && let Owner::Dead(_lock) = owner(&path)
        {
            end_orphan(&path);
            remove(&path);
        }
    }
}

/// Only if something really listens on the socket is the recorded process id believed.
fn end_orphan(root: &Path) {
    let recorded = fs::read_to_string(root.join("data/postmaster.pid")).unwrap_or_default();
    let pid = recorded.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid
        && UnixStream::connect(root.join("run").join(SOCKET)).is_ok()
    {
        let _ = kill_process(pid, Signal::QUIT);
    }
}

fn empty(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name() == MARKER {
            continue;
        }
        let path = entry.path();
        let _ = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
    }
    let _ = fs::remove_file(root.join(MARKER));
}

fn remove(root: &Path) {
    empty(root);
    let _ = fs::remove_dir(root);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_directory_is_refused_and_kept() {
        let tmp = tempfile::tempdir().unwrap();
        fs::write(tmp.path().join("precious"), b"x").unwrap();
        let refused = ServerDirectory::given(tmp.path(), None).unwrap_err();
        assert_eq!(refused.class, Class::Usage);
        assert!(tmp.path().join("precious").exists());
    }

    #[test]
    fn one_owner_at_a_time_and_leftovers_are_reused() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("d");
        let first = ServerDirectory::given(&dir, None).unwrap();
        assert_eq!(ServerDirectory::given(&dir, None).unwrap_err().class, Class::Refused);
        fs::write(dir.join("rest"), b"x").unwrap();
        drop(first);
        let second = ServerDirectory::given(&dir, None).unwrap();
        assert!(!dir.join("rest").exists());
        second.clear();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }

    #[test]
    fn the_directory_in_the_way_is_named() {
        let tmp = tempfile::tempdir().unwrap();
        let shut = tmp.path().join("shut");
        fs::create_dir_all(shut.join("inner")).unwrap();
        fs::set_permissions(tmp.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&shut, Permissions::from_mode(0o700)).unwrap();
        let nobody = Account { name: "nobody".into(), uid: 65_534, gid: 65_534 };
        let error = check_reachable(&shut.join("inner"), Some(&nobody)).unwrap_err();
        assert_eq!(error.class, Class::Unobserved);
        assert!(error.message.ends_with(&format!("cannot pass {}", shut.display())), "{error}");
    }

    #[test]
    fn too_long_a_path_is_said_before_anything_is_made() {
        let tmp = tempfile::tempdir().unwrap();
        let long = tmp.path().join("x".repeat(100));
        let error = ServerDirectory::given(&long, None).unwrap_err();
        assert!(error.message.contains("bytes"), "{error}");
        assert!(!long.exists());
    }

    #[test]
    fn the_sweep_takes_the_dead_only() {
        let tmp = tempfile::tempdir().unwrap();
        let [dead, alive, foreign] = ["mw-1-0", "mw-2-0", "mw-notes"].map(|name| tmp.path().join(name));
        for dir in [&dead, &alive, &foreign] {
            fs::create_dir(dir).unwrap();
        }
        drop(mark(&dead).unwrap());
        let held = mark(&alive).unwrap();
        sweep(tmp.path());
        assert!(!dead.exists() && alive.exists() && foreign.exists());
        drop(held);
    }
}
