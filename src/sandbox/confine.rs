//! What a private server, and a program that reads what others wrote, is kept from by the system: new privileges, cores,
//! endless files and memory, and, where everything in it came from elsewhere, a network.
//!
//! By programs of util-linux, since between fork and exec only unsafe code could do it. Each is tried once; what this
//! machine cannot do is left out, and `doctor` says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::engine::model::error::Result;
use crate::sandbox::account::Account;

/// Where such programs are: not the operator's PATH.
const PLACES: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// No new privileges; what is started ends with the thread that started it.
const PRIVILEGES: Layer = Layer {
    program: "setpriv",
    args: &["--no-new-privs", "--pdeathsig", "INT", "--"],
    gives: "no new privileges",
};
/// The same for a program, which any thread of a pool starts: that thread may end before it.
const PROGRAM_PRIVILEGES: [&str; 2] = ["--no-new-privs", "--"];
/// No cores; no file beyond a relation's segment; no process beyond any honest need of memory and files.
const LIMITS: Layer = Layer {
    program: "prlimit",
    args: &["--core=0", "--fsize=4294967296", "--as=17179869184", "--nofile=4096"],
    gives: "limits on memory and files",
};
/// A user and a network namespace. First of all: entering one takes back the signal of a parent's death.
const NETWORK: Layer = Layer { program: "unshare", args: &["-Unc", "--"], gives: "no network in copies" };
/// Where files may be of any size: a dump of a large table is one.
const CORE_ONLY: [&str; 1] = ["--core=0"];
/// Within a user namespace alone: elsewhere the account's other processes count.
const PROCESSES: &str = "--nproc=512";

/// A program that runs another with less.
#[derive(Debug, Clone, Copy)]
struct Layer {
    program: &'static str,
    args: &'static [&'static str],
    gives: &'static str,
}

/// How far a server or a program is shut in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walls {
    /// A server: what costs nobody anything.
    Server,
    /// A server without a network: it holds definitions and rows of others.
    ClosedServer,
    /// A program that reads what others wrote, and reaches a private server alone.
    ClosedProgram,
    /// A program that reaches the target, with the operator's files and account.
    Client,
}

impl Walls {
    fn closed(self) -> bool {
        matches!(self, Self::ClosedServer | Self::ClosedProgram)
    }

    /// What a layer is called with.
    fn args(self, layer: Layer) -> &'static [&'static str] {
        match self {
            Self::ClosedProgram | Self::Client if layer.program == PRIVILEGES.program => &PROGRAM_PRIVILEGES,
            Self::Client if layer.program == LIMITS.program => &CORE_ONLY,
            _ => layer.args,
        }
    }
}

/// What this machine can do.
#[derive(Debug, Default)]
pub(super) struct Confinement {
    network: Option<PathBuf>,
    privileges: Option<PathBuf>,
    limits: Option<PathBuf>,
}

/// What private servers are kept from here, for `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfinementReport {
    /// The account they run under, where it is not ours.
    pub account: Option<String>,
    /// How to get a better one, where it is shared with others.
    pub hint: Option<String>,
    /// What is done.
    pub done: Vec<&'static str>,
    /// What is not possible here, each with the program that was tried.
    pub not_possible: Vec<String>,
}

/// Tries what can be done here.
pub fn confinement() -> Result<ConfinementReport> {
    let account = Account::for_servers()?;
    let found = Confinement::here(account.as_ref());
    let layers = [(PRIVILEGES, &found.privileges), (LIMITS, &found.limits), (NETWORK, &found.network)];
    let (done, not): (Vec<_>, Vec<_>) = layers.into_iter().partition(|(_, program)| program.is_some());
    Ok(ConfinementReport {
        hint: account.as_ref().and_then(Account::hint),
        account: account.map(|a| a.name),
        done: done.into_iter().map(|(layer, _)| layer.gives).collect(),
        not_possible: not.into_iter().map(|(l, _)| format!("{} ({})", l.gives, l.program)).collect(),
    })
}

impl Confinement {
    /// Of this process's account; tried once.
    pub(super) fn here(account: Option<&Account>) -> &'static Self {
        static HERE: OnceLock<Confinement> = OnceLock::new();
        HERE.get_or_init(|| Self {
            network: usable(NETWORK, account),
            privileges: usable(PRIVILEGES, account),
            limits: usable(LIMITS, account),
        })
    }

    /// The same command, with as much around it as there is here.
    pub(super) fn around(&self, command: &Command, walls: Walls) -> Command {
        let network = self.network.as_ref().filter(|_| walls.closed());
        let mut line: Vec<&std::ffi::OsStr> = Vec::new();
        for (layer, program) in
            [(NETWORK, network), (PRIVILEGES, self.privileges.as_ref()), (LIMITS, self.limits.as_ref())]
        {
            let Some(program) = program else { continue };
            line.push(program.as_os_str());
            line.extend(walls.args(layer).iter().map(std::ffi::OsStr::new));
            if layer.program == LIMITS.program && network.is_some() {
                line.push(PROCESSES.as_ref());
            }
        }
        line.push(command.get_program());
        line.extend(command.get_args());
        let mut words = line.into_iter();
        let mut out = Command::new(words.next().unwrap_or_default());
        out.args(words).env_clear();
        out.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        out
    }
}

/// The program, if it runs another as this account.
fn usable(layer: Layer, account: Option<&Account>) -> Option<PathBuf> {
    let program = PLACES.iter().map(|dir| Path::new(dir).join(layer.program)).find(|p| p.is_file())?;
    let mut command = Command::new(&program);
    command.args(layer.args).args(["/bin/sh", "-c", "exit 0"]).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(account) = account {
        account.apply(&mut command);
    }
    command.status().is_ok_and(|status| status.success()).then_some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        let all = std::iter::once(command.get_program()).chain(command.get_args());
        all.map(|w| w.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_namespace_comes_first_and_only_where_it_is_closed() {
        let mut inner = Command::new("/pg/postgres");
        inner.env_clear().env("TZ", "UTC").args(["-D", "/d"]);
        let all = Confinement {
            network: Some("/u/unshare".into()),
            privileges: Some("/u/setpriv".into()),
            limits: Some("/u/prlimit".into()),
        };
        let closed = words(&all.around(&inner, Walls::ClosedServer));
        assert_eq!(closed[..3], ["/u/unshare", "-Unc", "--"]);
        assert!(closed.contains(&PROCESSES.to_owned()));
        assert_eq!(closed[closed.len() - 3..], ["/pg/postgres", "-D", "/d"]);
        let open = all.around(&inner, Walls::Server);
        assert_eq!(words(&open)[0], "/u/setpriv");
        assert!(!words(&open).contains(&PROCESSES.to_owned()));
        let env: Vec<_> = open.get_envs().collect();
        assert_eq!(env, [("TZ".as_ref(), Some("UTC".as_ref()))]);
    }

    #[test]
    fn a_program_outlives_the_thread_that_started_it_and_a_dump_may_be_large() {
        let all = Confinement {
            network: Some("/u/unshare".into()),
            privileges: Some("/u/setpriv".into()),
            limits: Some("/u/prlimit".into()),
        };
        let client = words(&all.around(&Command::new("/pg/pg_dump"), Walls::Client));
        assert_eq!(client, ["/u/setpriv", "--no-new-privs", "--", "/u/prlimit", "--core=0", "/pg/pg_dump"]);
        let program = words(&all.around(&Command::new("/pg/pg_restore"), Walls::ClosedProgram));
        assert_eq!(program[..3], ["/u/unshare", "-Unc", "--"]);
        assert!(!program.contains(&"--pdeathsig".to_owned()));
    }

    #[test]
    fn where_nothing_is_possible_the_server_is_started_itself() {
        let inner = Command::new("/pg/postgres");
        assert_eq!(words(&Confinement::default().around(&inner, Walls::ClosedServer)), ["/pg/postgres"]);
    }

    #[test]
    fn what_is_not_there_is_not_used() {
        let none = Layer { program: "no-such-program-at-all", args: &[], gives: "nothing" };
        assert_eq!(usable(none, None), None);
    }
}
