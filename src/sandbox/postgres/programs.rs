//! PostgreSQL's own programs, run to their end: what they said, and how long they may take.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::engine::model::error::{Error, Result};

/// So many lines of what a program said are told.
const TOLD: usize = 4;

/// It must end well; what it said on stderr. It ends with the future that waits for it.
pub(super) async fn run(mut command: Command, what: &str, patience: Duration) -> Result<String> {
    command.stdin(Stdio::null());
    let (done, said) = ran(command, what, patience).await?;
    if done { Ok(said) } else { Err(failed(what, &said)) }
}

/// It must end well; what it wrote to stdout.
pub(super) async fn output(mut command: Command, what: &str, patience: Duration) -> Result<String> {
    command.stdout(Stdio::piped());
    let output = finished(command, what, patience).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(what, &String::from_utf8_lossy(&output.stderr)))
}

/// Whether it ended well, and what it said on stderr.
pub(super) async fn ran(mut command: Command, what: &str, patience: Duration) -> Result<(bool, String)> {
    command.stdout(Stdio::null());
    let output = finished(command, what, patience).await?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// The error of a program that said this.
pub(super) fn failed(what: &str, said: &str) -> Error {
    // What it did before is not told.
    let error = |l: &str| l.contains("error: ");
    // What ended it comes after what it got over: an entry's error repeats the server's, which is marked so.
    let ended = said.lines().position(|l| error(l) && !l.contains("ERROR: "));
    let from = ended.or_else(|| said.lines().position(error)).unwrap_or_default();
    let told: Vec<&str> = said.lines().skip(from).filter(|l| !l.trim().is_empty()).take(TOLD).collect();
    Error::unobserved(format!("failed to {what}: {}", told.join(" · ")))
}

/// A file of ours as its input: a program under another account could not open it.
pub(super) fn reading(mut command: Command, file: &Path) -> Result<Command> {
    let open = std::fs::File::open(file)
        .map_err(|e| Error::unobserved(format!("failed to open {}: {e}", file.display())))?;
    command.stdin(open);
    Ok(command)
}

/// Its input is what the caller chose.
async fn finished(mut command: Command, what: &str, patience: Duration) -> Result<std::process::Output> {
    command.stderr(Stdio::piped());
    let mut command = tokio::process::Command::from(command);
    tokio::time::timeout(patience, command.kill_on_drop(true).output())
        .await
        .map_err(|_| {
            Error::unobserved(format!("failed to {what}: not done within {} s", patience.as_secs()))
        })?
        .map_err(|e| Error::unobserved(format!("failed to {what}: {e}")))
}
