//! Which database a plan is for, and what tells it from another.

use crate::engine::model::target::ServerInfo;
use serde::{Deserialize, Serialize};

/// The dialect of an identity that names none: that of every plan and journal from before dialects were named.
const UNNAMED: &str = "postgres";
/// In place of a system identifier that the role may not see.
const HIDDEN: &str = "?";

/// Which database the plan is for. All of it must agree: a copied cluster keeps its system identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The dialect of its server ([`crate::engine::port::dialect::Dialect::id`]); left out for `postgres`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// `pg_control_system()`, where it may be read.
    pub system_identifier: Option<String>,
    /// The database's oid; left out where the server knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_oid: Option<u32>,
    /// The database's name.
    pub database: String,
    /// `host:port/database`, or `local socket/database`, whichever socket it is.
    pub address: String,
    /// Where the data lies: two copies of one cluster on one host differ in it.
    pub data_directory: Option<String>,
    /// The history of the server's write-ahead log: a promoted copy has another.
    pub timeline: Option<u32>,
}

impl Identity {
    /// Both were reached at one place. Servers of one machine have a socket each, and the same address: what is known of their
    /// directories tells them apart.
    pub fn is_at_the_place_of(&self, other: &Self) -> bool {
        self.address == other.address && (self.has_port() || !self.is_in_another_directory_than(other))
    }

    fn is_in_another_directory_than(&self, other: &Self) -> bool {
        matches!((&self.data_directory, &other.data_directory), (Some(one), Some(other)) if one != other)
    }

    fn has_port(&self) -> bool {
        self.address.split('/').next().is_some_and(|server| server.contains(':'))
    }

    /// Where it was reached, in one text: a socket by its server's directory.
    pub fn place(&self) -> String {
        let directory = self.data_directory.as_deref().filter(|_| !self.has_port());
        directory.map_or_else(|| self.address.clone(), |directory| format!("{} {directory}", self.address))
    }

    /// What entries are signed for: the cluster and the database's name, which a restore keeps.
    pub fn signed_name(&self) -> String {
        let dialect = self.dialect.as_deref().unwrap_or(UNNAMED);
        let system = self.system_identifier.as_deref().unwrap_or(HIDDEN);
        format!("{dialect} {system} {}", self.database)
    }

    /// Is this the name of the same database? What one of two roles may not see tells nothing.
    pub fn is_signed_as(&self, name: &str) -> bool {
        let parts = |name: &str| -> Option<(String, String, String)> {
            let (dialect, rest) = name.split_once(' ')?;
            let (system, database) = rest.split_once(' ')?;
            Some((dialect.into(), system.into(), database.into()))
        };
        let (Some(ours), Some(theirs)) = (parts(&self.signed_name()), parts(name)) else { return false };
        let same_system = ours.1 == theirs.1 || ours.1 == HIDDEN || theirs.1 == HIDDEN;
        ours.0 == theirs.0 && same_system && ours.2 == theirs.2
    }

    /// Is this the database that was seen there, in whatever state it was restored since? A restore gives it another oid, and
    /// going back in time another timeline. Under another name, or on another server, it is a copy. A cluster that was
    /// copied has the same identifier: where it is reached by another address it is this one only by its directory and
    /// its timeline.
    pub fn is_database_seen_as(&self, seen: &Self) -> bool {
        let systems = (&self.system_identifier, &seen.system_identifier);
        if self.dialect != seen.dialect
            || self.database != seen.database
            || matches!(systems, (Some(a), Some(b)) if a != b)
        {
            return false;
        }
        let same_place = self.data_directory.is_some()
            && self.system_identifier.is_some()
            && self.system_identifier == seen.system_identifier
            && self.data_directory == seen.data_directory
            && self.timeline == seen.timeline;
        self.is_at_the_place_of(seen) || same_place
    }

    /// Of a server as it described itself.
    pub fn from_server(server: &ServerInfo) -> Self {
        Self {
            dialect: (server.engine != UNNAMED).then(|| server.engine.to_owned()),
            system_identifier: server.system_identifier.clone(),
            database_oid: server.database_oid,
            database: server.database.clone(),
            address: server.address.clone(),
            data_directory: server.data_directory.clone(),
            timeline: server.timeline,
        }
    }

    /// What tells this server from another, in words; empty: the same. What one of two roles may not see tells nothing
    /// while both came to the same address.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let hidden = |a: bool, b: bool| a != b && self.address == other.address;
        let text = |v: &Option<String>| v.clone().unwrap_or_else(|| "unknown".into());
        let number = |v: Option<u32>| v.map_or_else(|| "unknown".into(), |v| v.to_string());
        let dialect = |v: &Self| v.dialect.clone().unwrap_or_else(|| UNNAMED.into());
        [
            ("dialect", dialect(self), dialect(other)),
            if hidden(self.system_identifier.is_some(), other.system_identifier.is_some()) {
                ("system identifier", String::new(), String::new())
            } else {
                ("system identifier", text(&self.system_identifier), text(&other.system_identifier))
            },
            ("database", self.database.clone(), other.database.clone()),
            ("database oid", number(self.database_oid), number(other.database_oid)),
            // Which way it is reached says nothing where the server names itself.
            if self.system_identifier.is_some() && self.system_identifier == other.system_identifier {
                ("address", String::new(), String::new())
            } else {
                ("address", self.address.clone(), other.address.clone())
            },
            if hidden(self.data_directory.is_some(), other.data_directory.is_some()) {
                ("data directory", String::new(), String::new())
            } else {
                ("data directory", text(&self.data_directory), text(&other.data_directory))
            },
            if hidden(self.timeline.is_some(), other.timeline.is_some()) {
                ("timeline", String::new(), String::new())
            } else {
                ("timeline", number(self.timeline), number(other.timeline))
            },
        ]
        .into_iter()
        .filter(|(_, a, b)| a != b)
        .map(|(what, a, b)| format!("{what}: planned for {a}, this is {b}"))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_keeps_its_text_and_says_no_oid_where_there_is_none() {
        let known = Identity { database_oid: Some(7), database: "d".into(), ..Identity::default() };
        let text = r#"{"system_identifier":null,"database_oid":7,"database":"d","address":"","data_directory":null,"timeline":null}"#;
        assert_eq!(serde_json::to_string(&known).unwrap(), text);
        assert_eq!(serde_json::from_str::<Identity>(text).unwrap(), known);
        let none = Identity { database_oid: None, ..known.clone() };
        let text = text.replace("\"database_oid\":7,", "");
        assert_eq!(serde_json::to_string(&none).unwrap(), text);
        assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), none);
        assert_eq!(known.differences(&none), ["database oid: planned for 7, this is unknown"]);
    }

    #[test]
    fn a_database_that_was_restored_is_the_same_and_a_copy_of_it_is_not() {
        let seen = Identity {
            system_identifier: Some("7".into()),
            database_oid: Some(1),
            database: "shop".into(),
            address: "a:5432/shop".into(),
            data_directory: Some("/data".into()),
            timeline: Some(1),
            ..Identity::default()
        };
        let like = |change: fn(&mut Identity)| {
            let mut other = seen.clone();
            change(&mut other);
            other.is_database_seen_as(&seen)
        };
        assert!(like(|i| i.database_oid = Some(2)), "restored with createdb and pg_restore");
        assert!(like(|i| (i.timeline, i.data_directory) = (Some(2), None)), "restored to a point in time");
        assert!(like(|i| i.address = "local socket/shop".into()), "reached another way");
        assert!(!like(|i| (i.address, i.timeline) = ("b:5432/shop".into(), Some(2))), "a promoted copy");
        assert!(!like(|i| (i.address, i.data_directory) = ("b:5432/shop".into(), None)), "nothing tells");
        assert!(!like(|i| i.database = "shop2".into()));
        assert!(!like(|i| i.system_identifier = Some("8".into())));
    }

    #[test]
    fn a_socket_tells_no_two_servers_of_a_machine_apart() {
        let of = |address: &str, directory: Option<&str>| Identity {
            address: address.into(),
            data_directory: directory.map(str::to_owned),
            ..Identity::default()
        };
        let same = |a: Identity, b: Identity| a.is_at_the_place_of(&b);
        assert!(same(of("a:5432/shop", Some("/old")), of("a:5432/shop", Some("/new"))));
        assert!(!same(of("a:5432/shop", None), of("b:5432/shop", None)));
        assert!(same(of("local socket/shop", Some("/data")), of("local socket/shop", Some("/data"))));
        assert!(!same(of("local socket/shop", Some("/one")), of("local socket/shop", Some("/other"))));
        assert!(
            same(of("local socket/shop", None), of("local socket/shop", Some("/one"))),
            "not every role sees it"
        );
    }

    #[test]
    fn a_database_of_another_dialect_is_another_one() {
        let of = |engine| {
            Identity::from_server(&ServerInfo { engine, database: "d".into(), ..ServerInfo::default() })
        };
        let (first, second) = (of("postgres"), of("mariadb"));
        assert!(
            !serde_json::to_string(&first).unwrap().contains("dialect"),
            "left out, as before it was there"
        );
        assert!(serde_json::to_string(&second).unwrap().starts_with(r#"{"dialect":"mariadb","#));
        assert_eq!(first.differences(&second), ["dialect: planned for postgres, this is mariadb"]);
        assert_eq!(second.differences(&second), <[String; 0]>::default());
    }
}
