//! The process of a private server, from its start to the line that says it is ready, and to its end.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::disk;
use crate::engine::model::error::{Class, Error, Result};

/// Recovery after a kill may have a whole bulk load to replay.
const START_LIMIT: Duration = Duration::from_mins(2);
const STOP_LIMIT: Duration = Duration::from_secs(10);

enum Event {
    Ready,
    /// The pipe's last writer is gone: the server and all of its backends. The last lines it said.
    Ended(Vec<String>),
}

/// A kind of server: its name in messages, and the text of the line that says it is ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) ready: &'static str,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process {
    program: Program,
    child: Child,
    events: Receiver<Event>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Ready) { "Ready" } else { "Ended" })
    }
}

impl Process {
    /// Starts the server itself, so that the process we know is the one that must end. Its standard error is read and
    /// appended to `log`.
    pub(super) fn start(
        program: Program,
        command: Command,
        log: &Path,
        started: impl FnOnce(u32) -> Result<()>,
    ) -> Result<Self> {
        let log = disk::append(log);
        let log = log.map_err(|e| Error::unobserved(format!("failed to open the sandbox's log: {e}")))?;
        let (sender, events) = channel();
        let child = spawn(program, command, log, sender)?;
        let mut process = Self { program, child, events };
        match started(process.pid()).and_then(|()| process.wait_ready()) {
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

    fn wait_ready(&self) -> Result<()> {
        let name = self.program.name;
        match self.events.recv_timeout(START_LIMIT) {
            Ok(Event::Ready) => Ok(()),
            Ok(Event::Ended(last)) => {
                Err(Error::unobserved(format!("failed to start {name}: {}", last.join("; "))))
            }
            Err(_) => Err(Error::new(
                Class::Unobserved,
                format!("failed to start {name}: not ready after {} s", START_LIMIT.as_secs()),
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

/// Spawns it from the thread that reads its messages. Linux sends the signal of a parent's death when the *thread* that
/// spawned ends: this one ends when the server and its backends have, a thread of a pool at any time.
fn spawn(program: Program, mut command: Command, log: File, events: Sender<Event>) -> Result<Child> {
    let failed = move |e: io::Error| Error::unobserved(format!("failed to start {}: {e}", program.name));
    let (spawned, child) = channel();
    command.stderr(Stdio::piped());
    let work = move || {
        let outcome = command.spawn().map(|mut child| (child.stderr.take(), child));
        match outcome {
            Err(e) => drop(spawned.send(Err(e))),
            Ok((stderr, child)) => {
                let _ = spawned.send(Ok(child));
                if let Some(stderr) = stderr {
                    drain(stderr, log, program.ready, &events);
                }
            }
        }
    };
    thread::Builder::new().name("sandbox-log".into()).spawn(work).map_err(failed)?;
    child.recv().map_err(|_| Error::unobserved("failed to start a thread"))?.map_err(failed)
}

/// Runs to the end of the pipe: a full pipe would stop every backend. A full disk loses the log only.
fn drain(stderr: ChildStderr, mut log: File, ready: &str, events: &Sender<Event>) {
    let mut last = VecDeque::with_capacity(4);
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let _ = log.write_all(&line).and_then(|()| log.write_all(b"\n"));
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains(ready) {
            let _ = events.send(Event::Ready);
        }
        if last.len() == 3 {
            last.pop_front();
        }
        last.push_back(line);
    }
    let _ = events.send(Event::Ended(last.into()));
}
