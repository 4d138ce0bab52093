//! One run of `initdb` or `postgres`, up to the line that says it is ready.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::engine::model::error::{Class, Error, Result};
use crate::sandbox::account::Account;
use crate::sandbox::directory::ServerDirectory;
use crate::sandbox::postgres::binaries::Binaries;

const READY: &str = "database system is ready to accept connections";
/// Recovery after a kill may have a whole bulk load to replay.
const START_LIMIT: Duration = Duration::from_mins(2);
const STOP_LIMIT: Duration = Duration::from_secs(10);

enum Event {
    Ready,
    /// The pipe's last writer is gone: the server and all of its backends. The last lines it said.
    Ended(Vec<String>),
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    events: Receiver<Event>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Ready) { "Ready" } else { "Ended" })
    }
}

/// Makes the data directory.
pub(super) fn initdb(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &ServerDirectory,
    user: &str,
) -> Result<()> {
    let mut command = binaries.command("initdb");
    command
        .arg("-D")
        .arg(place.data())
        .args(["-U", user, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        .current_dir("/")
        .stdin(Stdio::null());
    if let Some(account) = account {
        account.apply(&mut command);
    }
    let output = command.output().map_err(|e| Error::unobserved(format!("failed to run initdb: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::unobserved(format!("failed to create the sandbox's data directory: {}", said.trim())))
}

impl Process {
    /// Starts `postgres` itself, so that the process we know is the one that must end.
    pub(super) fn start(
        binaries: &Binaries,
        account: Option<&Account>,
        place: &ServerDirectory,
        settings: &[(String, String)],
        started: impl FnOnce(u32) -> Result<()>,
    ) -> Result<Self> {
        let mut child = command(binaries, account, place, settings)
            .spawn()
            .map_err(|e| Error::unobserved(format!("failed to start postgres: {e}")))?;
        let (sender, events) = channel();
        let log = OpenOptions::new().create(true).append(true).open(place.log());
        let log = log.map_err(|e| Error::unobserved(format!("failed to open the sandbox's log: {e}")));
        let stderr = child.stderr.take();
        let mut process = Self { child, events };
        let outcome = started(process.pid()).and(log).and_then(|log| process.wait_ready(stderr, log, sender));
        match outcome {
            Ok(()) => Ok(process),
            Err(error) => {
                process.kill();
                Err(error)
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks, insists, then kills. Clients are cut off; a throwaway server has nothing to wait for.
    pub(super) fn stop(&mut self) {
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            let _ = kill_process(Pid::from_child(&self.child), signal);
            if self.wait_ended() {
                break;
            }
        }
        let _ = self.child.wait();
    }

    /// As a crash would: no warning, and back only after recovery.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.wait_ended();
    }

    fn wait_ready(&mut self, stderr: Option<ChildStderr>, log: File, events: Sender<Event>) -> Result<()> {
        let stderr = stderr.ok_or_else(|| Error::unobserved("failed to read the server's messages"))?;
        thread::Builder::new()
            .name("sandbox-log".into())
            .spawn(move || drain(stderr, log, &events))
            .map_err(|e| Error::unobserved(format!("failed to start a thread: {e}")))?;
        match self.events.recv_timeout(START_LIMIT) {
            Ok(Event::Ready) => Ok(()),
            Ok(Event::Ended(last)) => {
                Err(Error::unobserved(format!("failed to start postgres: {}", last.join("; "))))
            }
            Err(_) => Err(Error::new(
                Class::Unobserved,
                format!("failed to start postgres: not ready after {} s", START_LIMIT.as_secs()),
            )),
        }
    }

    fn wait_ended(&self) -> bool {
        loop {
            match self.events.recv_timeout(STOP_LIMIT) {
                Ok(Event::Ready) => {}
                Ok(Event::Ended(_)) => return true,
                Err(error) => return error == std::sync::mpsc::RecvTimeoutError::Disconnected,
            }
        }
    }
}

fn command(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &ServerDirectory,
    settings: &[(String, String)],
) -> Command {
    let mut command = binaries.command("postgres");
    command.arg("-D").arg(place.data()).arg("-k").arg(place.run());
    let fixed = [
        "listen_addresses=",
        "port=5432",
        "unix_socket_permissions=0700",
        "fsync=off",
        "logging_collector=off",
        "log_destination=stderr",
    ];
    for setting in fixed {
        command.args(["-c", setting]);
    }
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    // Of its own group: the terminal's ^C is for us, and we stop it in our own order.
    command
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(account) = account {
        account.apply(&mut command);
    }
    command
}

/// Runs to the end of the pipe: a full pipe would stop every backend. A full disk loses the log only.
fn drain(stderr: ChildStderr, mut log: File, events: &Sender<Event>) {
    let mut last = VecDeque::with_capacity(4);
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let _ = log.write_all(&line).and_then(|()| log.write_all(b"\n"));
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains(READY) {
            let _ = events.send(Event::Ready);
        }
        if last.len() == 3 {
            last.pop_front();
        }
        last.push_back(line);
    }
    let _ = events.send(Event::Ended(last.into()));
}

/// What a socket directory must hold for a client to find the server.
pub(super) fn socket_exists(dir: &Path) -> bool {
    dir.join(".s.PGSQL.5432").exists()
}
