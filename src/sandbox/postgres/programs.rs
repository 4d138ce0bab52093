//! PostgreSQL's own programs, run to their end: what they said, and how long they may take.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::engine::model::error::{Error, Result};
use crate::sandbox::postgres::binaries::TOOLS;

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
    // What it did before is not told. What ended it comes last.
    let ended = said.lines().collect::<Vec<_>>().iter().rposition(|line| is_its_own(line));
    let first = || said.lines().position(|line| error_of(line).is_some());
    let from = ended.or_else(first).unwrap_or_default();
    let told: Vec<&str> = said.lines().skip(from).filter(|l| !l.trim().is_empty()).take(TOLD).collect();
    Error::unobserved(format!("failed to {what}: {}", told.join(" · ")))
}

/// What it says of an error, in a line that begins with its name.
fn error_of(line: &str) -> Option<&str> {
    TOOLS.iter().find_map(|tool| line.strip_prefix(tool)?.strip_prefix(": error: "))
}

/// An error of the program's own, not one of the server's that it repeats for an entry. That has the server's word: every
/// message of the program is in English here. A later line of such a message can look like one:
/// then the copy counts as not made.
pub(super) fn is_its_own(line: &str) -> bool {
    error_of(line).is_some_and(|error| !error.contains("ERROR:"))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What `pg_restore` 15 said of a file that was cut after a GRANT to a role that is not there.
    const SAID: &str = "pg_restore: while PROCESSING TOC:\n\
        pg_restore: from TOC entry 3362; 0 0 ACL TABLE t alice\n\
        pg_restore: error: could not execute query: ERROR:  role \"alice\" does not exist\n\
        Command was: GRANT SELECT ON TABLE public.t TO alice;\n\n\n\
        pg_restore: error: could not read from input file: end of file\n";

    #[test]
    fn what_ended_a_program_is_told_and_not_what_it_got_over() {
        let told = failed("copy", SAID).message;
        assert_eq!(told, "failed to copy: pg_restore: error: could not read from input file: end of file");
        let theirs = "pg_restore: NOTICE:  error: all fine\nCommand was: CREATE FUNCTION f() AS $$ raise 'error: %' $$;\n";
        assert_eq!(failed("copy", &format!("{theirs}{SAID}")).message, told);
        let got_over = SAID.rsplit_once("pg_restore: error").unwrap().0;
        assert!(failed("copy", got_over).message.contains("role \"alice\" does not exist"));
        assert_eq!(failed("copy", "killed\n").message, "failed to copy: killed");
    }
}
