//! How PostgreSQL is started: `initdb`, the settings of a throwaway server, and how it says that it is ready.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::engine::model::error::{Error, Result};
use crate::sandbox::account::Account;
use crate::sandbox::directory::ServerDirectory;
use crate::sandbox::postgres::binaries::Binaries;
use crate::sandbox::process::Program;

pub(super) const PROGRAM: Program =
    Program { name: "postgres", ready: "database system is ready to accept connections" };

/// Makes the data directory.
pub(super) fn initdb(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &ServerDirectory,
    user: &str,
) -> Result<()> {
    let mut command = binaries.command("initdb");
    command
        .arg("-D")
        .arg(place.data())
        .args(["-U", user, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        .current_dir("/")
        .stdin(Stdio::null());
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

/// `postgres` in the foreground, on a unix socket only.
pub(super) fn command(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &ServerDirectory,
    settings: &[(String, String)],
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
    // Of its own group: the terminal's ^C is for us, and we stop it in our own order.
    command.current_dir("/").process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    if let Some(account) = account {
        account.apply(&mut command);
    }
    command
}
