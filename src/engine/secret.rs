//! Text that must not be seen.

use std::fmt;

use serde::Deserialize;

/// A url or password. Its only way out is [`Secret::expose`], used where a connection is made.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for making a connection.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text without the password of a url.
    pub fn redacted(&self) -> String {
        redact(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The password of a url's authority, if it carries one.
fn password_in(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    let userinfo = authority.rsplit_once('@')?.0;
    userinfo.split_once(':').map(|(_, p)| p).filter(|p| !p.is_empty())
}

/// A text without the password that `url` carries, in its authority or as a parameter.
pub fn scrub(text: &str, url: &str) -> String {
    let parameter = url.split_once("password=").map(|(_, p)| p.split('&').next().unwrap_or_default());
    let mut out = text.to_owned();
    for password in [password_in(url), parameter].into_iter().flatten().filter(|p| !p.is_empty()) {
        out = out
            .replace(&format!(":{password}@"), ":***@")
            .replace(&format!("password={password}"), "password=***");
        if password.len() > 3 {
            out = out.replace(password, "***");
        }
    }
    out
}

/// A url without its password.
pub fn redact(url: &str) -> String {
    scrub(url, url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(redact("postgres://u:s3cr@t@h:5432/d"), "postgres://u:***@h:5432/d");
        assert_eq!(
            redact("postgres://u@h/d?password=s3cret&host=/x"),
            "postgres://u@h/d?password=***&host=/x"
        );
        assert_eq!(redact("postgres://u@h/d"), "postgres://u@h/d");
        assert_eq!(redact("postgres://a:a@h/a"), "postgres://a:***@h/a");
    }
}
