//! How PostgreSQL is started: `initdb`, the settings of a throwaway server, and how it says that it is ready.

use std::io::Write as _;
use std::os::unix::fs::fchown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::dialect::postgres::owner::Login;
use crate::disk;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::secret::Secret;
use crate::sandbox::account::Account;
use crate::sandbox::confine::{Confinement, Walls};
use crate::sandbox::directory::ServerDirectory;
use crate::sandbox::postgres::binaries::Binaries;
use crate::sandbox::process::Program;

pub(super) const PROGRAM: Program =
    Program { name: "postgres", ready: "database system is ready to accept connections" };

/// Makes the data directory. A superuser's password goes through a file that is gone when this returns.
pub(super) fn initdb(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &ServerDirectory,
    superuser: &Login,
) -> Result<()> {
    let mut command = binaries.command("initdb");
    command.arg("-D").arg(place.data()).args(["-U", &superuser.role]).args([
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]);
    let first =
        |p: &Secret| HandedFile::write(place.root.join("first"), &format!("{}\n", p.expose()), account);
    let file = superuser.password.as_ref().map(first).transpose()?;
    match &file {
        Some(file) => command.args(["-A", "scram-sha-256", "--pwfile"]).arg(file.path()),
        None => command.args(["-A", "trust"]),
    };
    command.current_dir("/").stdin(Stdio::null());
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

/// A file for a program under the account of servers: that account's alone, and gone when this is dropped.
#[derive(Debug)]
pub(super) struct HandedFile(PathBuf);

impl HandedFile {
    pub(super) fn write(path: PathBuf, text: &str, account: Option<&Account>) -> Result<Self> {
        let file = Self(path);
        let made = disk::create_new(&file.0).and_then(|mut open| {
            open.write_all(text.as_bytes())?;
            account.map_or(Ok(()), |a| fchown(&open, Some(a.uid), Some(a.gid)))
        });
        made.map_err(|e| Error::unobserved(format!("failed to write {}: {e}", file.0.display())))?;
        Ok(file)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for HandedFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `postgres` in the foreground, on a unix socket only.
pub(super) fn command(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &ServerDirectory,
    settings: &[(String, String)],
    walls: Walls,
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
    let mut command = under(account, &command, walls);
    // Of its own group: the terminal's ^C is for us, and we stop it in our own order.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// The same command, shut in and under this account.
pub(super) fn under(account: Option<&Account>, command: &Command, walls: Walls) -> Command {
    let mut command = Confinement::here(account).around(command, walls);
    command.current_dir("/");
    if let Some(account) = account {
        account.apply(&mut command);
    }
    command
}
