//! The account servers run under: PostgreSQL refuses root, so root hands over to someone with less.

use std::{fs, os::unix::process::CommandExt, process::Command};

use crate::engine::model::error::{Error, Result};

/// An unprivileged user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// `None` where we are not root and servers simply run as we do.
    pub(super) fn for_servers() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd")
            .map_err(|e| Error::unobserved(format!("failed to read the list of users: {e}")))?;
        pick(&passwd).map(Some).ok_or_else(|| {
            Error::unobserved("failed to find an unprivileged user to run a server under")
                .hint("run midwatch as an ordinary user, or create the user `postgres`")
        })
    }

    pub(super) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

fn pick(passwd: &str) -> Option<Account> {
    let find = |wanted: &str| passwd.lines().filter_map(parse).find(|a| a.name == wanted && a.uid != 0);
    find("postgres").or_else(|| find("nobody"))
}

fn parse(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name, uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_before_nobody_and_never_root() {
        let both =
            "root:x:0:0::/:/bin/sh\nnobody:x:65534:65533::/:/bin/false\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(pick(both), Some(Account { name: "postgres".into(), uid: 101, gid: 104 }));
        let one = "nobody:x:65534:65533::/:/bin/false\n";
        assert_eq!(pick(one), Some(Account { name: "nobody".into(), uid: 65534, gid: 65533 }));
        assert_eq!(pick("postgres:x:0:0::/:/bin/sh\nbroken line\n"), None);
    }
}
