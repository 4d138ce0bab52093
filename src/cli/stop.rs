//! Being told to end: the same three signals for command line, demo and console.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::{Error, Result};

/// Ctrl-C, being told to end, or a terminal that is gone.
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Somebody wants it: twice means now.
    Asked,
    /// Nobody is there any more. A logout sends it beside the other, so it never counts as a second time.
    HungUp,
}

impl Stop {
    /// From now on these signals no longer end the process by themselves.
    pub fn new() -> Result<Self> {
        let listen =
            |kind| signal(kind).map_err(|e| Error::unobserved(format!("failed to listen for signals: {e}")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub async fn wait(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Asked,
            _ = self.terminate.recv() => Told::Asked,
            _ = self.hangup.recv() => Told::HungUp,
        }
    }
}
