//! The three signals that end a command, the demo or the console, and what each means.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::engine::model::error::{Error, Result};

/// Ctrl-C, being told to end, or a terminal that is gone.
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
    /// None: it was ignored when we began, as `nohup` has it, and stays so.
    hangup: Option<Signal>,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// Somebody wants it, by this signal: twice means now.
    Asked(&'static str),
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
            hangup: if is_ignored(SignalKind::hangup()) { None } else { Some(listen(SignalKind::hangup())?) },
        })
    }

    /// The next one.
    pub async fn wait(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Asked("SIGINT (^C)"),
            _ = self.terminate.recv() => StopSignal::Asked("SIGTERM"),
            () = hung_up(&mut self.hangup) => StopSignal::HungUp,
        }
    }
}

impl StopSignal {
    /// What a run that it stops is stopped by.
    pub fn by(self) -> &'static str {
        match self {
            Self::Asked(signal) => signal,
            Self::HungUp => "SIGHUP",
        }
    }
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Only the kernel can say, and where there is no /proc not without unsafe code: there a hangup is listened to.
fn is_ignored(signal: SignalKind) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| names(&status, signal.as_raw_value()))
}

fn names(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_read_from_the_mask() {
        let status = "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001004\nSigCgt:\t0000000000000001\n";
        assert_eq!([1, 2, 3, 13].map(|signal| names(status, signal)), [false, false, true, true]);
        assert!(!names("", 1));
    }
}
