//! The real program as a process of its own, watched and killed from outside.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::common::{self, Run};

/// Generous: it catches hangs, it measures nothing.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A run of `midwatch` under way.
pub(crate) struct Program {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Program {
    /// Its output goes into files: a full pipe would stop it.
    pub(crate) fn start(home: &Path, user: &str, args: &[&str]) -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (out, err) = (home.join(format!("{number}.out")), home.join(format!("{number}.err")));
        let child = common::midwatch(home)
            .env("USER", user)
            .args(args)
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Self { child, out, err }
    }

    /// Has it ended?
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// No warning, no last words.
    pub(crate) fn kill9(&mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9), "it had ended before it was killed");
    }

    /// As ^C does.
    pub(crate) fn interrupt(&self) {
        self.send(rustix::process::Signal::INT);
    }

    /// STOP stops all of it, and its sockets stay open.
    pub(crate) fn send(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        format!("{}{}", text(&self.out), text(&self.err))
    }

    /// To its end.
    pub(crate) async fn end(mut self) -> Run {
        let start = Instant::now();
        while !self.is_over() {
            assert!(start.elapsed() < PATIENCE, "it does not end; it said {}", self.said());
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let text = |path: &Path| std::fs::read_to_string(path).unwrap();
        Run { code, stdout: text(&self.out), stderr: text(&self.err) }
    }
}

/// A case that failed leaves no program behind.
impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition that nobody announces; fails after the deadline.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
