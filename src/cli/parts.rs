//! What several commands need of the global options: the target, its overrides, the console.

use super::args::Cli;
use super::output;
use std::path::PathBuf;

use crate::engine::model::error::{Error, Result};
use crate::engine::port::signer::Signer;
use crate::launch::{Connect, Console, Launch, Overrides};
use crate::profile::{Config, Selected};
use crate::stdio::Stream;

/// What `main` joins.
pub struct Parts {
    /// Opens targets.
    pub connect: Connect,
    /// The keys of this machine, in the state directory that is configured.
    pub keys: fn(Option<PathBuf>) -> Box<dyn Signer>,
    /// The console, where it is built in.
    pub console: Option<Console>,
}

pub(super) fn overrides(cli: &Cli) -> Overrides {
    Overrides { profile: cli.global.profile.clone(), read_only: cli.global.read_only }
}

pub(super) fn select(cli: &Cli) -> Result<Selected> {
    let config = Config::find(cli.global.config.as_deref())?;
    Ok(overrides(cli).apply(config.select(cli.global.target.as_deref())?))
}

pub(super) async fn open_console(cli: &Cli, parts: &Parts, config: Config, selected: Selected) -> Result<u8> {
    let Some(run) = parts.console else {
        return Err(Error::usage("this build has no console (it was built without the feature tui)")
            .hint("use midwatch check, or build with default features"));
    };
    if !output::is_terminal() {
        return Err(Error::usage("the console needs a terminal").hint("midwatch check works without one"));
    }
    run(Launch {
        config,
        selected,
        connect: parts.connect,
        no_color: !output::colours(cli.global.no_color, Stream::Out),
        overrides: overrides(cli),
    })
    .await?;
    Ok(0)
}
