//! The account private servers run under: PostgreSQL refuses root, so root hands over to someone with less. Not to
//! `postgres`, whose the machine's own clusters are, as long as there is another.

use std::{fs, os::unix::process::CommandExt, process::Command};

use crate::engine::model::error::{Error, Result};

/// Made for private servers: nothing else runs under it.
const OWN: &str = "midwatch-sandbox";
/// In the order of preference.
const NAMES: [&str; 3] = [OWN, "nobody", "postgres"];

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
            Error::unobserved("failed to find an unprivileged user to run a server under").hint(
                "run midwatch as an ordinary user, or create the user: useradd --system midwatch-sandbox",
            )
        })
    }

    /// How to get an account that nothing else runs under, where this one is shared.
    pub(super) fn hint(&self) -> Option<String> {
        (self.name != OWN).then(|| {
            format!("the account is shared; `useradd --system {OWN}` gives private servers one of their own")
        })
    }

    pub(super) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

fn pick(passwd: &str) -> Option<Account> {
    let find = |wanted: &str| passwd.lines().filter_map(parse).find(|a| a.name == wanted && a.uid != 0);
    NAMES.into_iter().find_map(find)
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
    fn the_own_account_first_the_cluster_s_last_and_never_root() {
        let (postgres, nobody) = ("postgres:x:101:104::/:/bin/sh\n", "nobody:x:65534:65533::/:/bin/false\n");
        let all = format!("root:x:0:0::/:/bin/sh\n{postgres}{nobody}{OWN}:x:998:997::/:/bin/false\n");
        let own = pick(&all).unwrap();
        assert_eq!(own, Account { name: OWN.into(), uid: 998, gid: 997 });
        assert_eq!(own.hint(), None);
        let shared = pick(&format!("{postgres}{nobody}")).unwrap();
        assert_eq!(shared, Account { name: "nobody".into(), uid: 65534, gid: 65533 });
        assert!(shared.hint().unwrap().contains(OWN));
        assert_eq!(pick(postgres).unwrap().name, "postgres");
        assert_eq!(pick("postgres:x:0:0::/:/bin/sh\nbroken line\n"), None);
    }
}
