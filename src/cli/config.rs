//! `midwatch config`.

use serde_json::{Map, Value, json};

use super::args::{Cli, ConfigArgs, ConfigCommand, ExampleOf};
use super::output::Output;
use crate::engine::model::error::Result;
use crate::features::VERDICTS;
use crate::profile::{Config, EXAMPLE, EXAMPLE_PROFILE, Library, Secret};
use crate::report::answer::{Answer, ConfigChecked, ConfigShown};

pub(super) fn run(cli: &Cli, args: &ConfigArgs, out: &Output) -> Result<u8> {
    match args.command {
        ConfigCommand::Example { of: ExampleOf::Config } => out.text(EXAMPLE)?,
        ConfigCommand::Example { of: ExampleOf::Profile } => out.text(EXAMPLE_PROFILE)?,
        ConfigCommand::Check => check(cli, out)?,
        ConfigCommand::Show => show(cli, out)?,
    }
    Ok(0)
}

fn check(cli: &Cli, out: &Output) -> Result<()> {
    let config = Config::find(cli.global.config.as_deref())?;
    let library = Library::new(&config.base(), VERDICTS);
    let all = library.all()?;
    let mut profiles: Vec<String> = all.into_iter().map(|p| p.name).collect();
    for name in
        config.targets.values().filter_map(|t| t.profile.as_deref()).chain(cli.global.profile.as_deref())
    {
        let profile = library.load(name)?;
        if !profiles.contains(&profile.name) {
            profiles.push(profile.name);
        }
    }
    let file = config.path.as_ref().map_or("no configuration file".into(), |p| p.display().to_string());
    out.answer(&Answer::ConfigChecked(&ConfigChecked { file, targets: config.names(), profiles }))
}

fn show(cli: &Cli, out: &Output) -> Result<()> {
    let config = Config::find(cli.global.config.as_deref())?;
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
    let default_target = config.default_target.clone();
    out.answer(&Answer::ConfigShown(&ConfigShown { file, default_target, targets }))
}

/// `env:` and `service:` say where a url is and are shown; a url is shown without its password.
fn hidden(secret: &Secret) -> Value {
    Value::String(secret.redacted())
}
