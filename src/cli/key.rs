//! `midwatch key`: this installation's key, and those of others that were seen here.

use super::args::{Cli, KeyArgs, KeyCommand};
use super::output::Output;
use super::parts::{self, Parts};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::installation::{Installation, Pin, Standing};
use crate::engine::port::signer::Signer;
use crate::report::answer::{Answer, KeyLine};

pub(super) fn run(cli: &Cli, args: &KeyArgs, parts: &Parts, out: &Output) -> Result<u8> {
    let config = parts::config(cli)?;
    let keys = (parts.keys)(config.configured_state_dir());
    let lines = match &args.command {
        KeyCommand::Export => vec![own(&*keys)?],
        KeyCommand::Trust { fingerprint } => vec![of_pin(keys.trust(fingerprint)?)],
        KeyCommand::Untrust { fingerprint } => vec![of_pin(keys.untrust(fingerprint)?)],
        KeyCommand::Rotate => vec![of_installation(keys.rotate()?)],
        KeyCommand::List => list(&*keys)?,
    };
    out.answer(&Answer::Keys(&lines))?;
    Ok(0)
}

fn own(keys: &dyn Signer) -> Result<KeyLine> {
    let own = keys.own()?.ok_or_else(|| {
        Error::usage("no key can be kept here")
            .hint("set HOME, state_dir in midwatch.toml, or MIDWATCH_KEY_FILE")
    })?;
    Ok(of_installation(own))
}

fn list(keys: &dyn Signer) -> Result<Vec<KeyLine>> {
    let own = keys.own()?;
    let pins = keys.pins()?;
    let pinned = own.as_ref().is_some_and(|own| pins.iter().any(|p| p.fingerprint == own.fingerprint));
    let own = own.filter(|_| !pinned).map(of_installation);
    Ok(own.into_iter().chain(pins.into_iter().map(of_pin)).collect())
}

fn of_installation(own: Installation) -> KeyLine {
    KeyLine {
        fingerprint: own.fingerprint,
        public_key: Some(own.public_key),
        name: own.name,
        first_seen: None,
        standing: Standing::Own,
    }
}

fn of_pin(pin: Pin) -> KeyLine {
    KeyLine {
        fingerprint: pin.fingerprint,
        public_key: pin.public_key,
        name: pin.name,
        first_seen: Some(pin.first_seen),
        standing: pin.standing,
    }
}
