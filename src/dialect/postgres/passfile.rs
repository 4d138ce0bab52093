//! libpq's password file. One that others may read is not used, and that is said.

use std::io::ErrorKind;
use std::path::Path;

use crate::disk;
use crate::engine::model::secret::Secret;

/// What a password file gave for one host.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PassFileAnswer {
    pub(super) password: Option<Secret>,
    /// Why the file was not used.
    pub(super) warning: Option<String>,
}

/// Whom a password is asked for.
pub(super) struct Whom<'w> {
    pub(super) host: &'w str,
    pub(super) port: &'w str,
    pub(super) database: &'w str,
    pub(super) user: &'w str,
}

/// Looks into the file. One that is absent is no error, as in libpq.
pub(super) fn look(path: &Path, whom: &Whom<'_>) -> PassFileAnswer {
    match disk::owners_text(path) {
        Ok(text) => {
            PassFileAnswer { password: text.lines().find_map(|line| matching(line, whom)), warning: None }
        }
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            PassFileAnswer::default()
        }
        Err(e) => {
            let place = if disk::is_refusal(&e) { String::new() } else { format!(" {}", path.display()) };
            PassFileAnswer { password: None, warning: Some(format!("password file{place} not used: {e}")) }
        }
    }
}

/// The password of a line that is about `whom`.
fn matching(line: &str, whom: &Whom<'_>) -> Option<Secret> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    for wanted in [whom.host, whom.port, whom.database, whom.user] {
        let (field, after) = field(rest);
        (rest == "*" || field.as_deref() == Some(wanted) || after.is_some() && rest.starts_with("*:"))
            .then_some(())?;
        rest = after?;
    }
    Some(Secret::new(field(rest).0.unwrap_or_default()))
}

/// What stands before the next `:`, without its backslashes, and what follows.
fn field(text: &str) -> (Option<String>, Option<&str>) {
    let mut out = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next() {
            None => return (Some(out), None),
            Some(':') => return (Some(out), Some(rest.as_str())),
            Some('\\') => out.extend(rest.next()),
            Some(c) => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_is_about_it_counts() {
        let whom = Whom { host: "h", port: "5432", database: "a:b", user: "u" };
        for (line, password) in [
            ("h:5432:a\\:b:u:s3\\:cr\\\\et", Some("s3:cr\\et")),
            ("*:*:*:*:x", Some("x")),
            ("*:*:*:u:", Some("")),
            ("#:*:*:*:x", None),
            ("h:1:*:*:x", None),
            ("h:5432", None),
            ("", None),
        ] {
            let found = matching(line, &whom);
            assert_eq!(found.as_ref().map(Secret::expose), password, "{line}");
        }
    }
}
