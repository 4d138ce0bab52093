//! What a connection is made with, and where each part of it was said. One reader for URLs, `key=value` strings, service files
//! and the environment, in libpq's order: what is written, then its service, then the environment.

use std::collections::BTreeMap;
use std::fmt;

use super::service;
use super::variables::Variables;
use crate::conninfo::{self, Fate, KEYWORDS, Pairs, find};
use crate::engine::model::error::{Error, Result};

/// Where a parameter was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParameterOrigin {
    /// The URL or the `key=value` string.
    Written,
    /// `pg_service.conf`.
    Service,
    /// This variable.
    Environment(&'static str),
}

impl fmt::Display for ParameterOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written => f.write_str("the url"),
            Self::Service => f.write_str("the service file"),
            Self::Environment(name) => f.write_str(name),
        }
    }
}

/// The parameters that were said; nothing is in it that is not honoured.
#[derive(Clone, Default)]
pub(super) struct Parameters {
    said: BTreeMap<&'static str, (String, ParameterOrigin)>,
}

/// No value is shown: one of them may be a password.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.said.iter().map(|(name, (_, origin))| (name, origin));
        f.debug_map().entries(said).finish()
    }
}

impl Parameters {
    /// From what is written, and what completes it.
    pub(super) fn read(written: Option<&str>, variables: &Variables) -> Result<Self> {
        let mut out = Self::default();
        let pairs = conninfo::parse(written.unwrap_or("postgres://")).map_err(|why| {
            Error::usage(format!("failed to read the url: {why}"))
                .hint("postgres://USER@HOST:PORT/DATABASE, or host=… dbname=…; env:NAME and service:NAME belong in midwatch.toml")
        })?;
        out.add(pairs, ParameterOrigin::Written)?;
        if let (None, Some(name)) = (out.get("service"), variables.get("PGSERVICE")?) {
            out.said.insert("service", (name, ParameterOrigin::Environment("PGSERVICE")));
        }
        if let Some(name) = out.get("service").map(str::to_owned) {
            out.add(service::pairs(&name, variables)?, ParameterOrigin::Service)?;
        }
        for keyword in KEYWORDS {
            if let Some(variable) = keyword.variable
                && let Some(value) = variables.get(variable)?
            {
                out.add(vec![(keyword.name.to_owned(), value)], ParameterOrigin::Environment(variable))?;
            }
        }
        // What libpq still reads of its past.
        if variables.get("PGREQUIRESSL")?.is_some_and(|v| v.starts_with('1')) {
            out.add(
                vec![("sslmode".into(), "require".into())],
                ParameterOrigin::Environment("PGREQUIRESSL"),
            )?;
        }
        Ok(out)
    }

    /// What an earlier origin has said stays.
    fn add(&mut self, pairs: Pairs, origin: ParameterOrigin) -> Result<()> {
        for (name, value) in pairs {
            let Some(keyword) = find(&name) else { return Err(unknown(&name, origin)) };
            let before = self.said.get(keyword.name);
            // Of one service the first line counts, of a string the last.
            if before.is_some_and(|(_, o)| *o != origin || origin == ParameterOrigin::Service) {
                continue;
            }
            if !value.is_empty() {
                refuse(keyword.name, keyword.fate, &value, origin)?;
            }
            self.said.insert(keyword.name, (value, origin));
        }
        Ok(())
    }

    /// The same for another role, without a password: what was said is another's.
    pub(super) fn of_role(mut self, role: &str) -> Self {
        self.said.remove("password");
        self.said.insert("user", (role.to_owned(), ParameterOrigin::Written));
        self
    }

    /// What was said, if it is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.said.get(name).map(|(value, _)| value.as_str()).filter(|v| !v.is_empty())
    }

    /// Where it was said.
    pub(super) fn origin(&self, name: &str) -> Option<ParameterOrigin> {
        self.said.get(name).map(|(_, origin)| *origin)
    }

    /// Several values, separated by commas: of hosts and their ports.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.get(name).map(|v| v.split(',').map(|one| one.trim().to_owned()).collect()).unwrap_or_default()
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i32>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.trim().parse().map(Some).map_err(|_| self.wrong(name, "it is no number"))
    }

    /// `0` or `1`.
    pub(super) fn switch(&self, name: &str, otherwise: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(otherwise),
            Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(self.wrong(name, "it is 0 or 1")),
        }
    }

    /// One of some words.
    pub(super) fn word<'w>(&self, name: &str, words: &[&'w str], otherwise: &'w str) -> Result<&'w str> {
        let Some(value) = self.said.get(name).map(|(v, _)| v.as_str()) else { return Ok(otherwise) };
        let known = words.iter().find(|w| **w == value).copied();
        known.ok_or_else(|| self.wrong(name, &format!("it is one of {}", words.join(", "))))
    }

    /// An error about a parameter, without its value.
    pub(super) fn wrong(&self, name: &str, why: &str) -> Error {
        let origin =
            self.origin(name).map_or_else(|| ParameterOrigin::Written.to_string(), |o| o.to_string());
        Error::usage(format!("failed to read {origin}: {name}: {why}"))
            .hint("postgres://USER@HOST:PORT/DATABASE?name=value, or the parameters of libpq as key=value")
    }

    /// As libpq's own programs take them from their environment. Passwords are left out: others can read it.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        const NOT: [&str; 5] = ["service", "password", "passfile", "application_name", "connect_timeout"];
        let known = KEYWORDS.iter().filter(|k| !NOT.contains(&k.name));
        known.filter_map(|k| Some((k.variable?, self.get(k.name)?.to_owned()))).collect()
    }
}

fn unknown(name: &str, origin: ParameterOrigin) -> Error {
    let likest =
        KEYWORDS.iter().map(|k| (strsim::jaro(k.name, name), k.name)).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint =
        likest.filter(|(likeness, _)| *likeness > 0.8).map(|(_, name)| format!("did you mean {name}?"));
    // What is long, or not a word, may be a piece of a password.
    let plain = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let shown = if plain { name } else { "(not shown)" };
    Error::usage(format!("unknown connection parameter {shown} in {origin}")).hint(
        hint.unwrap_or_else(|| "its names are those of libpq: host, port, dbname, user, sslmode, …".into()),
    )
}

fn refuse(name: &str, fate: Fate, value: &str, origin: ParameterOrigin) -> Result<()> {
    let only = match fate {
        Fate::Honoured | Fate::Ours => return Ok(()),
        Fate::Only(values) if values.contains(&value) => return Ok(()),
        Fate::Only(values) => format!("only {name}={} is supported", values.first().unwrap_or(&"")),
        Fate::Refused => format!("leave {name} out"),
    };
    let shown =
        if matches!(fate, Fate::Only(_)) && value.len() <= 40 { format!("={value}") } else { String::new() };
    Err(Error::usage(format!("the connection parameter {name}{shown} in {origin} is not supported"))
        .hint(only))
}

#[cfg(test)]
mod tests {
    use super::super::variables::tests::variables;
    use super::*;

    fn read(written: &str, environment: &[(&str, &str)]) -> Result<Parameters> {
        Parameters::read(Some(written), &variables(environment))
    }

    #[test]
    fn what_is_written_stands_over_the_environment() {
        let environment = [("PGHOST", "e"), ("PGUSER", "eu"), ("PGSSLMODE", "disable")];
        let p = read("postgres://u@h/d?host=/sock", &environment).unwrap();
        assert_eq!((p.get("host"), p.origin("host")), (Some("/sock"), Some(ParameterOrigin::Written)));
        assert_eq!(p.get("user"), Some("u"));
        assert_eq!(
            (p.get("sslmode"), p.origin("sslmode")),
            (Some("disable"), Some(ParameterOrigin::Environment("PGSSLMODE")))
        );
    }

    /// A password that was given for one role is never sent for another.
    #[test]
    fn another_role_has_no_password() {
        let p = read("postgres://ops:s3cret@h/d", &[("PGPASSWORD", "other")]).unwrap().of_role("looks");
        assert_eq!((p.get("user"), p.get("password"), p.get("host")), (Some("looks"), None, Some("h")));
    }

    #[test]
    fn every_parameter_is_honoured_or_refused_by_name() {
        for keyword in KEYWORDS.iter().filter(|k| k.name != "service") {
            let with = |value: &str| read(&format!("{}='{value}'", keyword.name), &[]);
            let by_variable = |value: &str| keyword.variable.map(|v| read("postgres://", &[(v, value)]));
            match keyword.fate {
                Fate::Honoured | Fate::Ours => {
                    assert_eq!(with("1").unwrap().get(keyword.name), Some("1"));
                    if let Some(read) = by_variable("1") {
                        assert_eq!(read.unwrap().get(keyword.name), Some("1"));
                    }
                }
                Fate::Only(_) | Fate::Refused => {
                    let by_both = [Some(with("s3cret")), by_variable("s3cret")];
                    for e in by_both.into_iter().flatten().map(|r| r.err().unwrap()) {
                        assert!(e.message.contains(keyword.name) && e.exit_code() == 2, "{e}");
                    }
                    if let Fate::Only(values) = keyword.fate {
                        for value in values {
                            assert!(with(value).is_ok(), "{} {value}", keyword.name);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_one_that_was_meant() {
        let e = read("postgres://h/d?sslmod=require", &[]).unwrap_err();
        assert_eq!(e.message, "unknown connection parameter sslmod in the url");
        assert_eq!(e.hint.as_deref(), Some("did you mean sslmode?"));
        let e = read("postgres://h/d?s3cret%40h=x", &[]).unwrap_err();
        assert!(!e.to_string().contains("s3cret"), "{e}");
    }

    #[test]
    fn debug_output_has_no_value() {
        let p = read("postgres://u:s3cret@h/d?sslkey=/k", &[("PGPASSWORD", "s3cret")]).unwrap();
        assert!(!format!("{p:?}").contains("s3cret"), "{p:?}");
        assert!(p.environment().iter().all(|(_, v)| v != "s3cret"));
    }
}
