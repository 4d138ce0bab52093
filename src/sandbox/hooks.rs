//! Commands of the operator's, run beside a change.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::port::hooks::{Hook, HookResult, Hooks};
use crate::engine::port::reader::Fut;

/// Of what a command says, the end is kept (bytes).
const KEPT: usize = 4_000;
/// What it has started may keep its output open: it is read for so long after the command's own end.
const DRAIN: Duration = Duration::from_millis(500);

/// By `sh -c`, in the directory and environment of this process.
pub struct CommandRunner;

/// The command and whatever it has started; ended when it is given up.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads until nobody can say anything any more; `kept` is right at any time.
async fn listen(mut from: impl AsyncRead + Unpin, kept: &mut Vec<u8>) {
    let mut piece = [0; 4_096];
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        kept.extend_from_slice(piece.get(..n).unwrap_or_default());
        kept.drain(..kept.len().saturating_sub(KEPT));
    }
}

impl Hooks for CommandRunner {
    fn run<'a>(&'a self, hook: &'a Hook) -> Fut<'a, Result<HookResult>> {
        Box::pin(async move {
            let mut command = tokio::process::Command::new("sh");
            command.arg("-c").arg(format!("{{ {}\n}} 2>&1", hook.command));
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
            command.process_group(0);
            let failed = |e: std::io::Error| {
                Error::new(Class::Failed, format!("failed to run the command {:?}: {e}", hook.command))
            };
            let mut child = command.spawn().map_err(failed)?;
            let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
            let mut kept = Vec::new();
            let said = child.stdout.take();
            let ended = {
                let listening = async {
                    if let Some(said) = said {
                        listen(said, &mut kept).await;
                    }
                };
                tokio::pin!(listening);
                let limit = tokio::time::sleep(Duration::from_secs(hook.timeout_s));
                tokio::pin!(limit);
                let mut silent = false;
                let ended = loop {
                    tokio::select! {
                        status = child.wait() => break Some(status.map_err(failed)?),
                        () = &mut limit => break None,
                        () = &mut listening, if !silent => silent = true,
                    }
                };
                if ended.is_some() && !silent {
                    let _ = tokio::time::timeout(DRAIN, listening).await;
                }
                ended
            };
            if ended.is_some() {
                // What it left running was meant to go on.
                group.0 = None;
            }
            let output = String::from_utf8_lossy(&kept).into_owned();
            Ok(HookResult { code: ended.and_then(|status| status.code()), output })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(command: &str, timeout_s: u64) -> Hook {
        Hook { command: command.to_owned(), timeout_s, failed: None }
    }

    /// A process that was ended is gone, or waits to be buried: soon.
    async fn gone(pid: &str) -> bool {
        for _ in 0..500 {
            let out =
                std::process::Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap();
            let state = String::from_utf8_lossy(&out.stdout).trim().to_owned();
            if state.is_empty() || state.starts_with('Z') {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_ends_with_all_that_it_started() {
        let ran = CommandRunner.run(&hook("sleep 600 & echo $!; wait", 1)).await.unwrap();
        assert_eq!(ran.code, None);
        assert!(gone(&ran.output).await, "{}", ran.output);
    }

    #[tokio::test]
    async fn a_command_that_is_given_up_ends_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let (pid, said) = (dir.path().join("pid"), dir.path().join("said"));
        let command = format!("sleep 600 & echo $! > {0}; mv {0} {1}; wait", pid.display(), said.display());
        let hook = hook(&command, 600);
        let running = CommandRunner.run(&hook);
        tokio::select! {
            _ = running => panic!("it has ended by itself"),
            () = async { while !said.exists() { tokio::task::yield_now().await } } => {}
        }
        assert!(gone(&std::fs::read_to_string(&said).unwrap()).await);
    }

    #[tokio::test]
    async fn of_what_a_command_says_the_end_is_kept() {
        let ran = CommandRunner.run(&hook("seq 1 20000; echo out; echo err >&2; exit 3", 60)).await.unwrap();
        assert_eq!((ran.code, ran.output.len()), (Some(3), KEPT));
        assert!(ran.output.ends_with("20000\nout\nerr\n"), "{}", ran.output);
    }
}
