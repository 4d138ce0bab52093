//! A password that a program of the operator's gives, as for short-lived tokens of a cloud. It is run anew for each connection, and
//! what it says is never kept.
//!
//! A list of words, no shell: nothing in a word is expanded. Its error output is shown where it fails, cleaned and cut; its
//! arguments are not. They are no place for a secret: whoever lists processes sees them, and so does who is asked to trust the
//! configuration.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::engine::model::secret::{Secret, without_passwords};

/// A sign-in that waits for a person is not for a console.
const LIMIT: Duration = Duration::from_secs(30);
/// What it started may keep its output open.
const DRAIN: Duration = Duration::from_millis(500);
/// How often its end is looked for.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes that are read of it.
const MOST: u64 = 64 * 1024;
/// Characters of its error output that are shown.
const SHOWN: usize = 200;

/// Runs it and waits.
pub(super) fn run(words: &[String]) -> Result<Secret, String> {
    run_within(words, LIMIT)
}

/// The same, within another limit.
pub(super) fn run_within(words: &[String], limit: Duration) -> Result<Secret, String> {
    let (program, arguments) = words.split_first().ok_or("password_command is empty")?;
    let failed = |why: &dyn std::fmt::Display| format!("password_command {program}: {why}");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().map_err(|e| failed(&e))?;
    let (said, complained) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let status = wait(&mut child, limit).map_err(|e| failed(&e))?;
    let Some(status) = status else { return Err(failed(&format!("no answer within {} s", limit.as_secs()))) };
    if !status.success() {
        let complaint = complained.recv_timeout(DRAIN).unwrap_or_default();
        return Err(failed(&format!("{status}{}", shown(&complaint))));
    }
    let said = said.recv_timeout(DRAIN).map_err(|_| failed(&"its output does not end"))?;
    let said = String::from_utf8(said).map_err(|_| failed(&"its output is not UTF-8"))?;
    let password = said.trim_end_matches(['\n', '\r']);
    if password.is_empty() || password.contains(['\n', '\0']) {
        return Err(failed(&"its output is not one line with a password"));
    }
    Ok(Secret::new(password))
}

/// Its end; `None`: it took too long, and is gone with all that it started.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

fn listen(from: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (done, heard) = channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(from) = from {
            let _ = from.take(MOST).read_to_end(&mut kept);
        }
        let _ = done.send(kept);
    });
    heard
}

/// The first line of it.
fn shown(complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
    let line: String = without_passwords(line).chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        run_within(&words, Duration::from_secs(1)).map(|s| s.expose().to_owned())
    }

    #[test]
    fn what_it_says_is_the_password_and_no_shell_reads_its_words() {
        assert_eq!(of(&["printf", "%s\\n", "$HOME `id`"]), Ok("$HOME `id`".into()));
        for (words, why) in [
            (
                &[
                    "sh",
                    "-c",
                    "echo 's3cret on stdout'; printf 'no\\033]2;x\\007 password=s3cret' >&2; exit 3",
                ][..],
                "exit status: 3: no]2;x password=***",
            ),
            (&["sleep", "60"], "no answer within 1 s"),
            (&["true"], "not one line"),
            (&["no-such-program", "s3cret"], "No such file"),
            (&[], "is empty"),
        ] {
            let e = of(words).unwrap_err();
            assert!(e.contains(why) && !e.contains("s3cret"), "{words:?}: {e}");
        }
    }
}
