//! `midwatch.toml`, and which target to open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::environment::{self, SetValue, target_variable, variable};
use super::parse::{at, parse};
use crate::conninfo;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::policy::Policy;
use crate::engine::model::secret::Secret;
use crate::engine::model::target::Environment;
use crate::engine::port::driver::ReaderLogin;

/// The configuration file as it stands.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Opened when `--target` names none.
    #[serde(default)]
    pub default_target: Option<String>,
    /// Where the journal's mirror is kept; relative to this file. The user's state directory unless given.
    #[serde(default)]
    pub state_dir: Option<PathBuf>,
    /// By name.
    #[serde(default)]
    pub targets: BTreeMap<String, TargetConfig>,
    /// The console's looks.
    #[serde(default)]
    pub console: ConsoleConfig,
    /// What is allowed and how gently, for all targets.
    #[serde(default)]
    pub policy: Policy,
    /// Where it was read from.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    /// Every key that is set, with its value without secrets and where it comes from.
    #[serde(skip)]
    pub values: Vec<SetValue>,
    /// Which profile files may be used beside it.
    #[serde(skip)]
    pub profiles: ProfileFiles,
    /// Who named its file.
    #[serde(skip)]
    pub origin: NamedBy,
}

/// Who named a configuration's file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NamedBy {
    /// Nobody: it was found.
    #[default]
    Nobody,
    /// `MIDWATCH_CONFIG`.
    Environment,
    /// `--config`: its targets come before those of the environment.
    Flag,
}

/// Which profile files may be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProfileFiles {
    /// Those of a configuration that somebody named, or the user's own.
    #[default]
    Named,
    /// Those of a trusted configuration: by path, with the sha256 of what was trusted.
    Trusted(BTreeMap<PathBuf, String>),
    /// None: there is no such configuration.
    Absent,
}

/// How the keys of a terminal arrive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputMode {
    /// As they are typed. A phrase that arrives faster than anyone types was pasted, and is cleared.
    #[default]
    Keys,
    /// In bursts, as dictation and switch control give them: a phrase that arrives at once is kept, and its last word is
    /// typed once more.
    Bursts,
}

/// How the console looks and behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleConfig {
    /// React to the mouse; off by default, so that the terminal's own selection works.
    #[serde(default)]
    pub mouse: bool,
    /// Draw with ASCII only.
    #[serde(default)]
    pub ascii: bool,
    /// How keys arrive. Read from the user's own file only: it decides how a phrase is confirmed.
    #[serde(default)]
    pub input: InputMode,
}

/// `[targets.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// `postgres://…`, `env:NAME` or `service:NAME`.
    #[serde(default)]
    pub url: Option<Secret>,
    /// A program and its arguments whose output is the password, run for each connection (tokens of a cloud). A list: no
    /// shell reads it.
    #[serde(default)]
    pub password_command: Vec<String>,
    /// A role that only looks, with a login of its own to the same database: what is read is read by it, statements of the
    /// profile too. The url's role makes the changes.
    #[serde(default)]
    pub reader: Option<String>,
    /// The program that prints the reader's password, as `password_command` does the other's; else a password file has it.
    #[serde(default)]
    pub reader_password_command: Vec<String>,
    /// A queue's Redis beside the database; used from step 6 on.
    #[serde(default)]
    pub redis: Option<Secret>,
    /// A built-in profile's name or a file's path; detected when absent.
    #[serde(default)]
    pub profile: Option<String>,
    /// How dangerous it is; production when nobody says.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Nothing may be changed through it.
    #[serde(default)]
    pub read_only: bool,
    /// Changes on production are allowed although the connection is not verified TLS: others between may read and alter it.
    #[serde(default)]
    pub insecure: bool,
    /// When maintenance is allowed.
    #[serde(default)]
    pub window: Option<WindowConfig>,
    /// The migration folder, where it is not the profile's.
    #[serde(default)]
    pub migrations: Option<String>,
    /// Instead of the policy of all targets.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// Extensions that a private copy may have beside the trusted ones, `pg_partman` and `pg_stat_statements`: their scripts
    /// run there as a superuser. `dblink`, foreign data wrappers and untrusted languages are never made.
    #[serde(default)]
    pub sandbox_extensions: Vec<String>,
    /// Which profile files may be used.
    #[serde(skip)]
    pub profiles: ProfileFiles,
    /// The directory of its file.
    #[serde(skip)]
    pub base: PathBuf,
    /// `profile` stands for what a flag names, which is consent to its file.
    #[serde(skip)]
    pub profile_by_flag: bool,
}

impl TargetConfig {
    /// Keeps what another file says to protect the same target; the keys that it decides.
    pub(super) fn protected_by(&mut self, below: &Self) -> Vec<&'static str> {
        let mut kept = Vec::new();
        if below.read_only {
            self.read_only = true;
            kept.push("read_only");
        }
        if below.window.is_some() {
            self.window.clone_from(&below.window);
            kept.push("window");
        }
        if self.environment.is_none() && below.environment.is_some() {
            self.environment = below.environment;
            kept.push("environment");
        }
        if self.policy.is_none() && below.policy.is_some() {
            self.policy.clone_from(&below.policy);
            kept.push("policy");
        }
        if self.reader.is_none() && below.reader.is_some() {
            self.reader.clone_from(&below.reader);
            self.reader_password_command.clone_from(&below.reader_password_command);
            kept.extend(["reader", "reader_password_command"]);
        }
        kept
    }

    /// A program that is named by a path, and a file that the url names, are looked for beside the configuration, not where the
    /// operator happens to stand.
    pub(super) fn place_files(&mut self) {
        self.url = self.url.take().map(|url| Secret::new(conninfo::placed(url.expose(), &self.base)));
        let programs = [&mut self.password_command, &mut self.reader_password_command];
        for program in programs.into_iter().filter_map(|words| words.first_mut()) {
            if program.contains('/') {
                *program = self.base.join(&*program).display().to_string();
            }
        }
    }

    /// Who looks, where that is another role than the one that makes changes.
    pub fn reader_login(&self) -> Option<ReaderLogin> {
        let password_command = self.reader_password_command.clone();
        self.reader.clone().map(|role| ReaderLogin { role, password_command })
    }
}

/// A daily span of UTC time, as `22:00Z`; may run over midnight.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// From.
    #[serde(deserialize_with = "utc_minutes")]
    pub start: u32,
    /// To.
    #[serde(deserialize_with = "utc_minutes")]
    pub end: u32,
}

impl WindowConfig {
    /// Minutes left when open (`Ok`), minutes until it opens when not (`Err`); `minute` of the UTC day.
    pub fn at(&self, minute: u32) -> std::result::Result<u32, u32> {
        let until = |to: u32| (to + 1440 - minute) % 1440;
        let length = (self.end + 1440 - self.start) % 1440;
        let since = (minute + 1440 - self.start) % 1440;
        if since < length { Ok(until(self.end)) } else { Err(until(self.start)) }
    }
}

fn utc_minutes<'de, D: serde::Deserializer<'de>>(d: D) -> std::result::Result<u32, D::Error> {
    let text = String::deserialize(d)?;
    let parsed = text.strip_suffix('Z').and_then(|t| t.split_once(':')).and_then(|(h, m)| {
        let (h, m) = (h.parse::<u32>().ok()?, m.parse::<u32>().ok()?);
        (h < 24 && m < 60).then_some(h * 60 + m)
    });
    parsed.ok_or_else(|| {
        serde::de::Error::custom(format!("a time of day in UTC is written 22:00Z, not {text}"))
    })
}

/// A target ready to be opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// Its name.
    pub name: String,
    /// Its settings.
    pub config: TargetConfig,
    /// The url after `env:` and `service:` were followed; absent: the `PG*` environment.
    pub url: Option<Secret>,
    /// Relative paths of the profile start here.
    pub base: PathBuf,
    /// What is allowed on it.
    pub policy: Policy,
    /// Where the journal's mirror is kept, where that is said.
    pub state_dir: Option<PathBuf>,
}

impl Config {
    /// Reads and validates a configuration's text.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let config = Self::parse_part(file, text)?;
        config.check_default(file, text)?;
        Ok(config)
    }

    pub(super) fn check_default(&self, file: &str, text: &str) -> Result<()> {
        match &self.default_target {
            Some(name) if !self.targets.contains_key(name) => {
                Err(at(file, text, "default_target", format!("default_target {name} is not a target"))
                    .hint(format!("targets: {}", self.names().join(", "))))
            }
            _ => Ok(()),
        }
    }

    /// The same where another file may have the default target.
    pub(super) fn parse_part(file: &str, text: &str) -> Result<Self> {
        let config: Self = parse(file, text)?;
        for (name, target) in &config.targets {
            if target.url.is_none() {
                return Err(at(file, text, &format!("targets.{name}"), format!("target {name} has no url"))
                    .hint("url = \"postgres://…\", \"env:NAME\" or \"service:NAME\""));
            }
        }
        let mut policies = config.targets.values().filter_map(|t| t.policy.as_ref());
        let zero = config.policy.zero().or_else(|| policies.find_map(Policy::zero));
        if let Some(name) = zero {
            return Err(at(file, text, name, format!("{name} is 0, which would be no limit"))
                .hint("1 is the least; midwatch config example shows the usual values"));
        }
        Ok(config)
    }

    /// The directory that relative paths start from.
    pub fn base(&self) -> PathBuf {
        self.path.as_deref().and_then(Path::parent).map_or_else(|| PathBuf::from("."), Path::to_owned)
    }

    /// The names that `--target` knows.
    pub fn names(&self) -> Vec<String> {
        self.targets.keys().cloned().collect()
    }

    /// The target to open: the named one, the environment's, the default one, the only one. A file that a flag names comes
    /// before the environment.
    pub fn select(&self, named: Option<&str>) -> Result<Selected> {
        if named.is_none() && self.environment_first() {
            return self.environment();
        }
        let name = named.or(self.default_target.as_deref()).or_else(|| match self.targets.len() {
            1 => self.targets.keys().next().map(String::as_str),
            _ => None,
        });
        let Some(name) = name else {
            return if self.targets.is_empty() { self.environment() } else { Err(self.ambiguous()) };
        };
        let Some(config) = self.targets.get(name) else {
            let known = if self.targets.is_empty() { "none".into() } else { self.names().join(", ") };
            return Err(Error::usage(format!("no target {name} in the configuration"))
                .hint(format!("targets: {known}")));
        };
        Ok(Selected {
            name: name.to_owned(),
            url: config.url.as_ref().map(|u| resolve(u, name)).transpose()?,
            base: config.base.clone(),
            policy: config.policy.clone().unwrap_or_else(|| self.policy.clone()),
            state_dir: self.configured_state_dir(),
            config: config.clone(),
        })
    }

    /// Does the environment say which target is opened, where none is named?
    pub fn environment_first(&self) -> bool {
        let by_flag = self.origin == NamedBy::Flag && !self.targets.is_empty();
        !by_flag && target_variable().is_some()
    }

    /// Where the configuration says that state is kept.
    pub fn configured_state_dir(&self) -> Option<PathBuf> {
        self.state_dir.as_ref().map(|d| self.base().join(d))
    }

    /// The variables that count, without secrets; `named`: a flag names the target.
    pub fn variables(&self, named: bool) -> Vec<SetValue> {
        environment::shown(!named && self.environment_first())
    }

    fn ambiguous(&self) -> Error {
        Error::usage("the configuration has several targets and no default_target")
            .hint(format!("--target one of: {}", self.names().join(", ")))
    }

    fn environment(&self) -> Result<Selected> {
        environment::variables().try_for_each(|name| variable(name).map(drop))?;
        let var = |name: &str| variable(name).ok().flatten().filter(|v| !v.is_empty());
        let config = TargetConfig {
            redis: var("REDIS_URL").map(Secret::new),
            profiles: self.profiles.clone(),
            ..TargetConfig::default()
        };
        let url = match var("DATABASE_URL") {
            Some(url) => Some(Secret::new(url)),
            None if environment::is_enough() => None,
            None => {
                return Err(Error::new(Class::Usage, "no target: neither a configuration nor DATABASE_URL was found")
                    .hint("DATABASE_URL=postgres://… midwatch, or a midwatch.toml (midwatch config example), or midwatch demo"));
            }
        };
        Ok(Selected {
            name: String::new(),
            config,
            url,
            base: self.base(),
            policy: self.policy.clone(),
            state_dir: self.configured_state_dir(),
        })
    }
}

/// Follows `env:` and `service:`.
fn resolve(url: &Secret, target: &str) -> Result<Secret> {
    match url.expose().split_once(':') {
        Some(("env", name)) => variable(name)
            .map_err(|e| e.context(format!("target {target}")))?
            .map(Secret::new)
            .ok_or_else(|| {
                Error::usage(format!("target {target}: the environment variable {name} is not set"))
                    .hint(format!("export {name}=postgres://…"))
            }),
        // Read where the connection is made: libpq knows services as parameters, too.
        Some(("service", name)) => {
            Ok(Secret::new(format!("postgres:///?service={}", utf8_percent_encode(name, NON_ALPHANUMERIC))))
        }
        _ => Ok(url.clone()),
    }
}

/// Where the user's own configuration lives.
pub(super) fn user_dir() -> Option<PathBuf> {
    xdg::BaseDirectories::with_prefix("midwatch").get_config_home()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_loads() {
        let config = Config::parse("example", crate::profile::EXAMPLE).unwrap();
        assert!(config.targets.contains_key("hospitality"));
        assert!(config.default_target.is_some());
    }

    #[test]
    fn a_window_may_run_over_midnight() {
        let w = WindowConfig { start: 22 * 60, end: 2 * 60 };
        assert_eq!(w.at(23 * 60), Ok(180));
        assert_eq!(w.at(60), Ok(60));
        assert_eq!(w.at(2 * 60), Err(20 * 60));
        assert_eq!(w.at(21 * 60 + 30), Err(30));
    }

    #[test]
    fn a_target_must_be_known() {
        let config =
            Config::parse("c", "[targets.a]\nurl=\"postgres://h/d\"\n[targets.b]\nurl=\"postgres://h/d\"")
                .unwrap();
        assert_eq!(config.select(Some("c")).unwrap_err().hint.as_deref(), Some("targets: a, b"));
        assert!(config.select(None).unwrap_err().message.contains("several targets"));
        assert_eq!(config.select(Some("b")).unwrap().name, "b");
    }

    #[test]
    fn debug_output_keeps_urls_secret() {
        let config = Config::parse("c", "[targets.a]\nurl=\"postgres://u:s3cret@h/d\"").unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
