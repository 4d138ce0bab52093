//! Commands of the operator's, run beside a change.

use std::process::Stdio;
use std::time::Duration;

use crate::engine::ports::Fut;
use crate::engine::switch::{Hook, Hooks, Ran};
use crate::engine::{Class, Error, Result};

/// Of what a command says, the end is kept.
const KEPT: usize = 4_000;

/// By `sh -c`, in the directory and environment of this process.
pub struct Shell;

impl Hooks for Shell {
    fn run<'a>(&'a self, hook: &'a Hook) -> Fut<'a, Result<Ran>> {
        Box::pin(async move {
            let mut command = tokio::process::Command::new("sh");
            command.arg("-c").arg(format!("{{ {}\n}} 2>&1", hook.command));
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
            // Ended with whatever it has started.
            command.process_group(0);
            let failed = |e: std::io::Error| {
                Error::new(Class::Failed, format!("failed to run the command {:?}: {e}", hook.command))
            };
            let child = command.spawn().map_err(failed)?;
            let group = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
            let limit = Duration::from_secs(hook.timeout_s);
            let Ok(output) = tokio::time::timeout(limit, child.wait_with_output()).await else {
                if let Some(group) = group {
                    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                }
                return Ok(Ran { code: None, output: String::new() });
            };
            let output = output.map_err(failed)?;
            let text = String::from_utf8_lossy(&output.stdout);
            let skip = text.chars().count().saturating_sub(KEPT);
            Ok(Ran { code: output.status.code(), output: text.chars().skip(skip).collect() })
        })
    }
}
