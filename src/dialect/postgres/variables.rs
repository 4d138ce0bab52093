//! The environment that parameters come from, or that of a test.

use std::path::PathBuf;

use crate::engine::model::error::{Error, Result};

/// The environment, or that of a test.
pub(super) struct Variables {
    look: Box<Look>,
    /// The user's directory where no variable names it.
    home: Option<PathBuf>,
}

/// Looks a variable up.
type Look = dyn Fn(&str) -> Option<std::ffi::OsString>;

impl Variables {
    /// This process's.
    pub(super) fn own() -> Self {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        Self { look: Box::new(|name| std::env::var_os(name)), home }
    }

    /// A variable's value; one that is not UTF-8 is an error, not absent.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>> {
        let Some(value) = (self.look)(name) else { return Ok(None) };
        value.into_string().map(|v| Some(v).filter(|v| !v.is_empty())).map_err(|value| {
            let at = std::str::from_utf8(value.as_encoded_bytes()).err().map_or(0, |e| e.valid_up_to());
            Error::usage(format!("the environment variable {name} is not UTF-8: byte {}", at + 1))
        })
    }

    /// The user's directory: without `HOME` that of the account, as for libpq.
    pub(super) fn home(&self) -> Result<Option<PathBuf>> {
        Ok(self.get("HOME")?.map(PathBuf::from).or_else(|| self.home.clone()))
    }

    /// A file of the user's in `~/.postgresql`.
    pub(super) fn users_file(&self, name: &str) -> Result<Option<PathBuf>> {
        Ok(self.home()?.map(|home| home.join(".postgresql").join(name)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// An environment of these variables.
    pub(in super::super) fn variables(of: &[(&str, &str)]) -> Variables {
        let of: BTreeMap<String, String> = of.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Variables { look: Box::new(move |name| of.get(name).map(Into::into)), home: None }
    }
}
