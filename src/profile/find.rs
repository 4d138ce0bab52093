//! Which configuration is in force: the file that a flag or the environment names; else the user's own, and over it the
//! working directory's, once that is trusted or harmless. No other directory is looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::config::{Config, InputMode, NamedBy, ProfileFiles, user_dir};
use super::environment::{SetValue, target_variable};
use super::harm;
use super::parse::parse;
use super::trust::{self, TrustList, TrustedFile, UntrustedFile};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::policy::Policy;
use crate::engine::model::secret::without_passwords;
use crate::{conninfo, disk};

/// The file's name, wherever it is looked for.
const NAME: &str = "midwatch.toml";

/// A configuration, and the file that has no part in it.
#[derive(Debug)]
pub struct Found {
    /// In force.
    pub config: Config,
    /// In the working directory.
    pub untrusted: Option<UntrustedFile>,
}

/// A file that was read, once.
struct Layer {
    path: PathBuf,
    owner: u32,
    text: String,
    config: Config,
}

impl Layer {
    fn read(path: &Path) -> Result<Self> {
        let (text, owner) = disk::owned_text(path).map_err(|e| {
            let fail = Error::usage(format!("failed to read {}: {e}", path.display()));
            let refusal = disk::is_refusal(&e);
            fail.hint(if refusal {
                "a configuration is taken from files that only you, or root, can change"
            } else {
                "midwatch config example prints one to start from"
            })
        })?;
        let config = Config::parse_part(&path.display().to_string(), &text)?;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { path, owner, text, config })
    }

    /// What it would be over another configuration.
    fn described(&self, below: &Config) -> Result<TrustedFile> {
        let table: Table = parse(&self.path.display().to_string(), &self.text)?;
        let config = Config { policy: policy_over(below, &self.config, &table)?, ..self.config.clone() };
        let lines = harm::lines(&config, below);
        trust::describe(
            &trust::canonical(&self.path),
            self.owner,
            &self.text,
            &config,
            lines,
            harm::hidden(&config),
        )
    }

    /// This file over what is in force.
    fn over(self, mut below: Config, profiles: ProfileFiles) -> Result<Config> {
        let name = self.path.display().to_string();
        let table: Table = parse(&name, &self.text)?;
        // A link to a file says nothing of what stands beside the link.
        let path = trust::canonical(&self.path);
        let base = path.parent().unwrap_or(Path::new(".")).to_owned();
        let mut kept = Vec::new();
        below.policy = policy_over(&below, &self.config, &table)?;
        let console = table.get("console").and_then(Value::as_table);
        let says = |key: &str| console.is_some_and(|c| c.contains_key(key));
        if says("mouse") {
            below.console.mouse = self.config.console.mouse;
        }
        if says("ascii") {
            below.console.ascii = self.config.console.ascii;
        }
        for (name, mut target) in self.config.targets {
            target.profiles = profiles.clone();
            target.base.clone_from(&base);
            target.place_files();
            let protections = below.targets.get(&name).map(|b| target.protected_by(b)).unwrap_or_default();
            let at = format!("targets.{name}.");
            let (of_target, others): (Vec<_>, Vec<_>) =
                std::mem::take(&mut below.values).into_iter().partition(|v| v.key.starts_with(&at));
            below.values = others;
            let is_kept = |v: &SetValue| {
                let key = v.key.strip_prefix(&at).and_then(|key| key.split('.').next());
                key.is_some_and(|key| protections.contains(&key))
            };
            kept.extend(of_target.into_iter().filter(is_kept));
            below.targets.insert(name, target);
        }
        set_values("", &table, &name, &mut below.values);
        for value in kept {
            below.values.retain(|v| v.key != value.key);
            below.values.push(value);
        }
        below.default_target = self.config.default_target.or(below.default_target);
        below.state_dir = self.config.state_dir.map(|dir| base.join(dir)).or(below.state_dir);
        below.path = Some(path);
        below.profiles = profiles;
        below.check_default(&name, &self.text)?;
        Ok(below)
    }
}

/// The keys that a file gives, over the policy below it.
fn policy_over(below: &Config, config: &Config, table: &Table) -> Result<Policy> {
    let Some(given) = table.get("policy").and_then(Value::as_table) else { return Ok(below.policy.clone()) };
    if below.path.is_none() {
        return Ok(config.policy.clone());
    }
    let mut merged = Table::try_from(&below.policy).map_err(|e| Error::usage(format!("policy: {e}")))?;
    merged.extend(given.clone());
    Value::Table(merged).try_into().map_err(|e| Error::usage(format!("policy: {e}")))
}

/// Each value of a table, instead of the one that another file gave.
fn set_values(at: &str, table: &Table, origin: &str, into: &mut Vec<SetValue>) {
    for (key, value) in table {
        let key = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match value {
            // A window is one value.
            Value::Table(inner) if !key.ends_with(".window") => set_values(&key, inner, origin, into),
            value => {
                let shown = match value.as_str() {
                    Some(text) if matches!(key.rsplit('.').next(), Some("url" | "redis")) => {
                        conninfo::shown(text)
                    }
                    Some(text) => without_passwords(text),
                    None => without_passwords(&value.to_string()),
                };
                into.retain(|v| v.key != key);
                into.push(SetValue { key, value: shown, origin: origin.to_owned() });
            }
        }
    }
}

impl Config {
    /// Finds and reads the configuration; an absent one is empty, one that is named must exist.
    pub fn find(named: Option<&Path>) -> Result<Found> {
        let by_variable = std::env::var_os("MIDWATCH_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some((path, origin)) = named
            .map(|p| (p.to_owned(), NamedBy::Flag))
            .or_else(|| Some((by_variable?, NamedBy::Environment)))
        {
            let config = Layer::read(&path)?.over(Self::default(), ProfileFiles::Named)?;
            return Ok(Found { config: Self { origin, ..config }, untrusted: None });
        }
        let own = Self::users()?;
        let here = Path::new(NAME);
        let is_own = || users_file().is_some_and(|own| trust::canonical(&own) == trust::canonical(here));
        if here.symlink_metadata().is_err() || is_own() {
            return Ok(Found { config: own, untrusted: None });
        }
        let (layer, now) = match Layer::read(here).and_then(|l| Ok((l.described(&own)?, l))) {
            Ok((now, layer)) => (layer, now),
            Err(e) => return Ok(Found { config: own, untrusted: Some(UntrustedFile::refused(here, e)) }),
        };
        let before = TrustList::read()?.file(&now.path).cloned();
        let same = before.as_ref().is_some_and(|b| b.covers(&now));
        if same || now.lines.is_empty() {
            let profiles = if same { now.profiles } else { BTreeMap::new() };
            let config = layer.over(own, ProfileFiles::Trusted(profiles))?;
            return Ok(Found { config, untrusted: None });
        }
        Ok(Found { config: own, untrusted: Some(UntrustedFile { now, before, refusal: None }) })
    }

    /// The user's own file; empty where there is none.
    fn users() -> Result<Self> {
        match users_file() {
            Some(path) => Layer::read(&path)?.over(Self::default(), ProfileFiles::Named),
            None => Ok(Self { profiles: ProfileFiles::Absent, ..Self::default() }),
        }
    }

    /// A file as it stands, to be trusted; it must be valid.
    pub fn to_trust(path: &Path) -> Result<UntrustedFile> {
        let now = Layer::read(path)?.described(&Self::users()?)?;
        let before = TrustList::read()?.file(&now.path).cloned();
        Ok(UntrustedFile { now, before, refusal: None })
    }

    /// Does the environment name a target? Then a file that has no effect is not missed.
    pub fn target_in_environment() -> bool {
        target_variable().is_some()
    }

    /// `[console] input` of the file in the user's own directory, whichever file is in use.
    pub fn users_input_mode() -> Result<InputMode> {
        users_file().map_or(Ok(InputMode::default()), |path| Ok(Layer::read(&path)?.config.console.input))
    }
}

fn users_file() -> Option<PathBuf> {
    user_dir().map(|d| d.join(NAME)).filter(|path| path.exists())
}
