//! The variables that a target is taken from, or that complete what a file says of one; how a value that is set is told.

use crate::conninfo::{self, KEYWORDS, Keyword, Naming};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::secret::without_passwords;

/// A key that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetValue {
    /// With dots: `targets.main.url`.
    pub key: String,
    /// Without secrets.
    pub value: String,
    /// A file, a variable, a flag, or `default`.
    pub origin: String,
}

/// Those that are urls; libpq does not know them.
const URLS: [&str; 2] = ["DATABASE_URL", "REDIS_URL"];

/// All that count.
pub(super) fn variables() -> impl Iterator<Item = &'static str> {
    URLS.into_iter().chain(conninfo::variables())
}

/// The variable that names the target: such a one comes before what a file says.
pub(super) fn target_variable() -> Option<&'static str> {
    let named = |k: &Keyword| k.variable.filter(|_| k.naming == Naming::Target);
    ["DATABASE_URL"].into_iter().chain(KEYWORDS.iter().filter_map(named)).find(|name| is_set(name))
}

/// Do variables of libpq say enough to connect where no file has a target?
pub(super) fn is_enough() -> bool {
    let said = |k: &Keyword| k.naming != Naming::Nothing && k.variable.is_some_and(is_set);
    KEYWORDS.iter().any(said)
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|v| !v.is_empty())
}

/// A variable of the environment; one that is no text is an error, not absent. Its value may be a secret.
pub(super) fn variable(name: &str) -> Result<Option<String>> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    value.into_string().map(Some).map_err(|value| {
        let at = std::str::from_utf8(value.as_encoded_bytes()).err().map_or(0, |e| e.valid_up_to());
        Error::usage(format!("the environment variable {name} is not UTF-8: byte {}", at + 1))
    })
}

/// Those that are set, without secrets. `urls`: the target is the environment's; those of libpq complete any.
pub(super) fn shown(urls: bool) -> Vec<SetValue> {
    let one = |name: &'static str| {
        let is_url = URLS.contains(&name);
        let value = std::env::var_os(name).filter(|v| !v.is_empty() && (urls || !is_url))?;
        let value = value.to_string_lossy();
        let secret = KEYWORDS.iter().any(|k| k.secret && k.variable == Some(name));
        let value = match is_url {
            _ if secret => "***".to_owned(),
            true => conninfo::shown(&value),
            // Whatever its name: a url or pairs with a password may stand in each.
            false => without_passwords(&value),
        };
        Some(SetValue { key: "environment".into(), value, origin: name.to_owned() })
    };
    variables().filter_map(one).collect()
}
