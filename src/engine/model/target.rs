//! Which database this is, and how dangerous it is to touch.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::model::abilities::Abilities;
use crate::engine::model::transport::Transport;

/// How much a mistake would cost. Ordered from harmless to dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A throwaway server of midwatch's own.
    Demo,
    /// A developer's database.
    Development,
    /// Automated tests.
    Testing,
    /// A copy of production.
    Staging,
    /// The real thing; also whatever nobody declared.
    Production,
}

impl Environment {
    /// All, from harmless to dangerous.
    pub const ALL: [Self; 5] =
        [Self::Demo, Self::Development, Self::Testing, Self::Staging, Self::Production];

    /// The word in configuration, JSON and (upper case) the banner.
    pub fn word(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Development => "development",
            Self::Testing => "testing",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|e| e.word() == word)
    }

    /// The environment to act by, from what is declared and what the server shows: the stricter one.
    ///
    /// `declared` comes from the configuration, `marker` from the server; a database or host name can
    /// only make it stricter, since `prod_copy` may be anything but `prod` is rarely a demo.
    pub fn resolve(declared: Option<Self>, marker: Option<Self>, names: &[&str]) -> (Self, Option<String>) {
        let by_name = names.iter().filter_map(|n| Self::in_name(n).map(|e| (e, *n))).max_by_key(|(e, _)| *e);
        let Some(base) = declared.max(marker) else {
            return (Self::Production, Some("no environment declared: treated as production".into()));
        };
        if let (Some(d), Some(m)) = (declared, marker)
            && d != m
        {
            let note = format!("configured as {d}, the server says {m}: treated as {base}");
            return (base, Some(note));
        }
        match by_name {
            Some((env, name)) if env > base => {
                (env, Some(format!("configured as {base}, but the name {name} says {env}: treated as {env}")))
            }
            _ => (base, None),
        }
    }

    /// What a profile says of the environment can only make it stricter.
    pub fn raised(found: (Self, Option<String>), profile: Option<Self>) -> (Self, Option<String>) {
        match profile {
            Some(p) if p > found.0 => (p, Some(format!("the profile says {p}: treated as {p}"))),
            Some(p) if p < found.0 && found.1.is_some() => {
                (found.0, found.1.map(|note| format!("{note}; the profile's {p} cannot lower it")))
            }
            _ => found,
        }
    }

    fn in_name(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let has = |set: &[&str]| lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| set.contains(&w));
        if has(&["prod", "production", "prd", "live"]) {
            Some(Self::Production)
        } else if has(&["staging", "stage", "stg"]) {
            Some(Self::Staging)
        } else {
            None
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The server behind a target, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerInfo {
    /// `postgres`.
    pub engine: &'static str,
    /// As shown: `15.18`.
    pub version: String,
    /// The database's name.
    pub database: String,
    /// The role we are.
    pub role: String,
    /// Who looks, where that is another role.
    pub reader: Option<String>,
    /// `host:port`, or `local socket`.
    pub address: String,
    /// `pg_control_system()`, where we may read it.
    pub system_identifier: Option<String>,
    /// The database's oid, where it has one.
    pub database_oid: Option<u32>,
    /// Where its data lies, where we may read that.
    pub data_directory: Option<String>,
    /// The history of its write-ahead log.
    pub timeline: Option<u32>,
    /// A standby.
    pub in_recovery: bool,
    /// We are superuser: privileges prove nothing.
    pub superuser: bool,
    /// The server's clock minus ours.
    pub skew_ms: i64,
    /// `midwatch.environment`, set on the database.
    pub marker: Option<Environment>,
    /// What the connection goes over.
    pub transport: Transport,
    /// What this server lets this role do.
    pub abilities: Abilities,
    /// What a person should know of it, in its dialect's words.
    pub notes: Vec<ServerNote>,
}

/// Something unusual about the connected server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNote {
    /// What it is, and what follows.
    pub text: String,
    /// What would change it.
    pub hint: Option<&'static str>,
    /// A word for it that stays on the screen.
    pub badge: Option<&'static str>,
}

/// A target as reports name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetInfo {
    /// Name in the configuration.
    pub name: String,
    /// Resolved environment.
    pub environment: Environment,
    /// `postgres`.
    pub engine: String,
    /// Server version.
    pub version: String,
    /// Database name.
    pub database: String,
    /// What the connection goes over.
    pub transport: Transport,
}

#[cfg(test)]
mod tests {
    use super::Environment::{self, *};

    #[test]
    fn the_stricter_environment_wins() {
        let of = |d, m, names: &[&str]| Environment::resolve(d, m, names).0;
        assert_eq!(of(None, None, &[]), Production);
        assert_eq!(of(Some(Demo), None, &["app"]), Demo);
        assert_eq!(of(None, Some(Demo), &["app"]), Demo);
        assert_eq!(of(Some(Demo), Some(Staging), &[]), Staging);
        assert_eq!(of(Some(Production), Some(Demo), &[]), Production);
        assert_eq!(of(Some(Development), None, &["app_prod"]), Production);
        assert_eq!(of(Some(Development), None, &["db", "stg-1.example"]), Staging);
        assert_eq!(of(Some(Production), None, &["stage"]), Production);
        assert_eq!(of(Some(Demo), None, &["products"]), Demo);
    }

    #[test]
    fn a_profile_only_raises() {
        let of = |found, profile| Environment::raised((found, None), profile).0;
        assert_eq!(of(Demo, Some(Staging)), Staging);
        assert_eq!(of(Production, Some(Demo)), Production);
        assert_eq!(of(Staging, None), Staging);
    }

    #[test]
    fn doubt_is_explained() {
        let (_, note) = Environment::resolve(Some(Demo), Some(Production), &[]);
        assert!(note.is_some_and(|n| n.contains("configured as demo")));
        assert_eq!(Environment::resolve(Some(Demo), Some(Demo), &[]).1, None);
    }
}
