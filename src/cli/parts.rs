//! What several commands need of the global options: the target, its overrides, the console.

use super::args::Cli;
use super::output;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::engine::model::clean;
use crate::engine::model::error::{Error, Result};
use crate::engine::port::signer::Signer;
use crate::launch::{Connect, Console, Launch, Overrides};
use crate::profile::{Config, Selected, TrustList, UntrustedFile};
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
    let config = config(cli)?;
    Ok(overrides(cli).apply(config.select(cli.global.target.as_deref())?))
}

/// The configuration in force. A file of the working directory that is not trusted is asked about on a terminal; without one
/// it is an error, unless the environment says what the target is.
pub(super) fn config(cli: &Cli) -> Result<Config> {
    let found = Config::find(cli.global.config.as_deref())?;
    let Some(file) = found.untrusted else { return Ok(found.config) };
    let asked = Stream::Err.is_terminal() && std::io::stdin().is_terminal();
    if file.refusal.is_none() && asked && confirmed(&file)? {
        TrustList::trust(file.now)?;
        // A file that was changed while it was looked at is found not trusted again.
        let found = Config::find(None)?;
        return found.untrusted.map_or(Ok(found.config), |file| Err(file.error()));
    }
    if !asked && !Config::target_in_environment() {
        return Err(file.error());
    }
    named(&file);
    Ok(found.config)
}

/// Names a file that has no effect.
pub(super) fn named(file: &UntrustedFile) {
    let Error { message, hint, .. } = file.error();
    let hint = hint.map(|h| format!("\n  hint: {h}")).unwrap_or_default();
    let _ = Stream::Err.write(&format!("warning: {message}{hint}\n"), false);
}

fn confirmed(file: &UntrustedFile) -> Result<bool> {
    let mut text = format!("{} {}. It says:\n", file.now.path.display(), file.why());
    for line in file.shown() {
        text.push_str("  ");
        text.push_str(&clean::line(&line));
        text.push('\n');
    }
    text.push_str("Trust it as it is? Type yes, or Enter to go on without it: ");
    let fail = |e: std::io::Error| Error::usage(format!("failed to ask about a configuration: {e}"));
    Stream::Err.write(&text, false).map_err(fail)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(fail)?;
    Ok(answer.trim() == "yes")
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
