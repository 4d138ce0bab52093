//! `midwatch config`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::args::{Cli, ConfigArgs, ConfigCommand, ExampleOf};
use super::output::Output;
use super::parts::{self, Parts, overrides};
use crate::conninfo;
use crate::engine::Engine;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::profile::Profile;
use crate::engine::model::query::OtherFunction;
use crate::engine::port::read_tx::ReadOptions;
use crate::features::VERDICTS;
use crate::profile::{Config, EXAMPLE, EXAMPLE_PROFILE, Library, Secret, SetValue, TrustList, UntrustedFile};
use crate::report::answer::{Answer, ConfigChecked, ConfigShown, ShownValue, TrustLine};

pub(super) async fn run(cli: &Cli, args: &ConfigArgs, parts: &Parts, out: &Output) -> Result<u8> {
    match &args.command {
        ConfigCommand::Example { of: ExampleOf::Config } => out.text(EXAMPLE)?,
        ConfigCommand::Example { of: ExampleOf::Profile } => out.text(EXAMPLE_PROFILE)?,
        ConfigCommand::Check => check(cli, parts, out).await?,
        ConfigCommand::Show => show(cli, out)?,
        ConfigCommand::Trust { file } => trust(file, out)?,
        ConfigCommand::Untrust { file } => untrust(file, out)?,
        ConfigCommand::List => list(out)?,
    }
    Ok(0)
}

/// Whoever types the command has looked at the file; what it may do is shown once more.
fn trust(file: &Path, out: &Output) -> Result<()> {
    let found = Config::to_trust(file)?;
    let lines = found.shown();
    let line = TrustLine { path: found.now.path.clone(), state: "trusted", lines };
    TrustList::trust(found.now)?;
    out.answer(&Answer::Trusted(&[line]))
}

fn untrust(file: &Path, out: &Output) -> Result<()> {
    if !TrustList::untrust(file)? {
        return Err(Error::usage(format!("{} is not trusted", file.display()))
            .hint("midwatch config list shows what is"));
    }
    out.answer(&Answer::Trusted(&[TrustLine { path: file.to_owned(), state: "not trusted", lines: vec![] }]))
}

fn list(out: &Output) -> Result<()> {
    let list = TrustList::read()?;
    let of = |file: &crate::profile::TrustedFile| {
        let now = Config::to_trust(&file.path);
        let (state, lines) = match &now {
            Ok(UntrustedFile { now, .. }) if file.covers(now) => ("trusted", file.lines.clone()),
            Ok(changed) if file.is_of(&changed.now) => ("allows more", changed.shown()),
            Ok(changed) => ("changed since", changed.shown()),
            Err(e) => ("cannot be used", vec![e.message.clone()]),
        };
        TrustLine { path: file.path.clone(), state, lines }
    };
    let lines: Vec<TrustLine> = list.files().iter().map(of).collect();
    out.answer(&Answer::Trusted(&lines))
}

async fn check(cli: &Cli, parts: &Parts, out: &Output) -> Result<()> {
    let config = parts::config(cli)?;
    let by_flag = cli.global.profile.as_deref();
    let library = Library::new(&config.base(), VERDICTS).using(&config.profiles, by_flag);
    let all = library.all()?;
    let mut profiles: Vec<String> = all.into_iter().map(|p| p.name).collect();
    let of_targets = config.targets.values().filter_map(|t| Some((t, t.profile.as_deref()?)));
    let named = of_targets
        .map(|(t, name)| Library::new(&t.base, VERDICTS).using(&t.profiles, None).load(name))
        .chain(by_flag.map(|name| library.load(name)));
    for profile in named {
        let name = profile?.name;
        if !profiles.contains(&name) {
            profiles.push(name);
        }
    }
    let file = config.path.as_ref().map_or("no configuration file".into(), |p| p.display().to_string());
    let functions = match cli.global.target.as_deref() {
        None => None,
        Some(name) => {
            let selected = overrides(cli).apply(config.select(Some(name))?);
            Some(other_functions(&(parts.connect)(selected).await?).await?)
        }
    };
    let targets = config.names();
    out.answer(&Answer::ConfigChecked(&ConfigChecked { file, targets, profiles, functions }))
}

/// Functions of others whose names the profile's SQL has: what they do is not looked at.
async fn other_functions(engine: &Engine) -> Result<Vec<OtherFunction>> {
    let names: Vec<String> = words(engine.profile())?.into_iter().collect();
    let mut tx = engine.facts().begin(ReadOptions::default()).await?;
    engine.facts().dialect().functions_named(&mut *tx, &names).await
}

/// Every word of a profile: no reading of its SQL can miss a name that way.
fn words(profile: &Profile) -> Result<BTreeSet<String>> {
    let value = serde_json::to_value(profile)
        .map_err(|e| Error::usage(format!("failed to read profile {}: {e}", profile.name)))?;
    let mut words = BTreeSet::new();
    collect(&value, &mut words);
    Ok(words)
}

fn collect(value: &Value, words: &mut BTreeSet<String>) {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    match value {
        Value::String(text) => words.extend(text.split(|c| !word(c)).map(str::to_lowercase)),
        Value::Array(values) => values.iter().for_each(|v| collect(v, words)),
        Value::Object(values) => values.values().for_each(|v| collect(v, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn show(cli: &Cli, out: &Output) -> Result<()> {
    let found = Config::find(cli.global.config.as_deref())?;
    if let Some(file) = &found.untrusted {
        parts::named(file);
    }
    let config = found.config;
    let mut targets = Map::new();
    for (name, t) in &config.targets {
        targets.insert(
            name.clone(),
            json!({
                "url": t.url.as_ref().map(hidden),
                "redis": t.redis.as_ref().map(hidden),
                "profile": t.profile,
                "environment": t.environment,
                "read_only": t.read_only || cli.global.read_only,
                "migrations": t.migrations,
            }),
        );
    }
    let file = config.path.as_ref().map(|p| p.display().to_string());
    let untrusted = found.untrusted.map(|f| f.now.path.display().to_string());
    let default_target = config.default_target.clone();
    let values = values(cli, &config)
        .into_iter()
        .map(|SetValue { key, value, origin }| ShownValue { key, value, origin })
        .collect();
    out.answer(&Answer::ConfigShown(&ConfigShown { file, untrusted, default_target, targets, values }))
}

/// Every value in force with its origin: flags, variables, files, and what holds where nobody says anything.
fn values(cli: &Cli, config: &Config) -> Vec<SetValue> {
    let value =
        |key: &str, value: String, origin: &str| SetValue { key: key.into(), value, origin: origin.into() };
    let g = &cli.global;
    let mut all = Vec::new();
    all.extend(g.config.as_ref().map(|p| value("config", p.display().to_string(), "--config")));
    if g.config.is_none()
        && let Some(path) = std::env::var_os("MIDWATCH_CONFIG").filter(|v| !v.is_empty())
    {
        all.push(value("config", path.to_string_lossy().into_owned(), "MIDWATCH_CONFIG"));
    }
    all.extend(g.target.as_ref().map(|name| value("target", name.clone(), "--target")));
    all.extend(g.profile.as_ref().map(|name| value("profile", name.clone(), "--profile")));
    all.extend(g.read_only.then(|| value("read_only", "true".into(), "--read-only")));
    all.extend(config.variables(g.target.is_some()));
    all.extend(config.values.iter().cloned());
    let policy = serde_json::to_value(&config.policy).unwrap_or_default();
    for (key, default) in policy.as_object().into_iter().flatten() {
        let key = format!("policy.{key}");
        if !config.values.iter().any(|v| v.key == key) {
            all.push(value(&key, default.to_string(), "default"));
        }
    }
    all
}

/// `env:` and `service:` say where a url is and are shown; a url is shown without its password.
fn hidden(secret: &Secret) -> Value {
    Value::String(conninfo::shown(secret.expose()))
}
