//! TOML to data, with errors that name `file:line`, the offending line and the nearest known key.

use serde::de::DeserializeOwned;

use crate::engine::model::error::{Error, Result};

/// Reads `text`, which came from `file`.
pub(super) fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| describe(file, text, &e))
}

/// The line of a byte offset, from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.lines().count().max(1) + usize::from(before.ends_with('\n') && !before.is_empty())
}

/// An error about the line where `needle` first stands.
pub(super) fn at(file: &str, text: &str, needle: &str, message: impl std::fmt::Display) -> Error {
    let line = text
        .lines()
        .position(|l| !l.trim_start().starts_with('#') && l.contains(needle))
        .map_or(1, |i| i + 1);
    Error::usage(format!("{file}:{line}: {message}"))
}

pub(super) fn describe(file: &str, text: &str, e: &toml::de::Error) -> Error {
    let line = line_at(text, e.span().map_or(0, |s| s.start));
    // A url may stand on the offending line: it is not quoted.
    let message = e.message().lines().next().unwrap_or("broken TOML").to_owned();
    let error = Error::usage(format!("{file}:{line}: {message}"));
    match hint(&message) {
        Some(h) => error.hint(h),
        None => error.hint("midwatch config example prints a working file"),
    }
}

/// "unknown field `urll`, expected one of `url`, `redis`" names what was probably meant.
fn hint(message: &str) -> Option<String> {
    let (what, known) = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))?
        .split_once('`')?;
    let names: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let nearest = names
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(what, a).total_cmp(&strsim::jaro_winkler(what, b)))?;
    if strsim::jaro_winkler(what, nearest) > 0.8 {
        Some(format!("did you mean {nearest}?"))
    } else {
        Some(format!("known here: {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::profile::Profile;

    #[test]
    fn unknown_keys_are_refused_with_line_and_hint() {
        let e = parse::<Profile>("p.toml", "name = \"x\"\ntitel = \"y\"\n").unwrap_err();
        assert!(e.message.starts_with("p.toml:2: unknown field `titel`"), "{}", e.message);
        assert_eq!(e.hint.as_deref(), Some("did you mean title?"));
    }

    #[test]
    fn syntax_errors_name_their_line() {
        let e = parse::<Profile>("p.toml", "name = \"x\"\n[[twins\n").unwrap_err();
        assert!(e.message.starts_with("p.toml:2: "), "{}", e.message);
    }
}
