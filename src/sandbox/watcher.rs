//! A tiny shell that ends the server when this process is killed with no chance to do it itself.
//!
//! The kernel closes our end of its standard input however we die; that works on Linux and macOS alike,
//! where a parent-death signal is Linux only and bound to one thread.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::engine::model::error::{Error, Result};
use crate::sandbox::directory::ServerDirectory;

const SCRIPT: &str = include_str!("watcher.sh");

#[derive(Debug)]
pub(super) struct Watcher {
    child: Child,
    line: Option<ChildStdin>,
}

impl Watcher {
    /// Its standard output is the locked marker: the directory is not free while it still cleans up.
    pub(super) fn start(place: &ServerDirectory) -> Result<Self> {
        let failed = |e| Error::unobserved(format!("failed to start the sandbox's watcher: {e}"));
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "midwatch-watcher"])
            .arg(&place.root)
            .arg(if place.given { "empty" } else { "remove" })
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(place.lock.try_clone().map_err(failed)?)
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let line = child.stdin.take();
        Ok(Self { child, line })
    }

    /// The server to end; each restart tells it anew.
    pub(super) fn watch(&mut self, pid: u32) -> Result<()> {
        let line =
            self.line.as_mut().ok_or_else(|| Error::unobserved("failed to reach the sandbox's watcher"))?;
        writeln!(line, "server {pid}")
            .map_err(|e| Error::unobserved(format!("failed to tell the sandbox's watcher: {e}")))
    }

    /// Everything is cleaned up already.
    pub(super) fn dismiss(&mut self) {
        if let Some(mut line) = self.line.take() {
            let _ = writeln!(line, "bye");
        }
        let _ = self.child.wait();
    }
}
