//! `pg_service.conf`, as libpq finds it.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::disk;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::secret::Secret;

/// What is encoded in a value: sockets are paths.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'/');

/// The connection of a service, as a url.
pub(super) fn url(name: &str) -> Result<Secret> {
    let mut looked = Vec::new();
    for path in places() {
        looked.push(path.display().to_string());
        let text = match disk::text(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => {
                let what = format!("failed to read the service file {}: {e}", path.display());
                return Err(Error::usage(what));
            }
        };
        if let Some(pairs) = section(&text, name) {
            return Ok(Secret::new(to_url(&pairs)));
        }
    }
    Err(Error::usage(format!("no service {name} in {}", looked.join(" or ")))
        .hint("set PGSERVICEFILE, or name the url itself"))
}

fn places() -> Vec<PathBuf> {
    let var = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let user = var("PGSERVICEFILE").or_else(|| var("HOME").map(|h| h.join(".pg_service.conf")));
    let system =
        var("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".into()).join("pg_service.conf");
    user.into_iter().chain([system]).collect()
}

fn section(text: &str, name: &str) -> Option<Vec<(String, String)>> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            inside = header == name;
            if inside {
                found.get_or_insert_with(Vec::new);
            }
        } else if let (true, Some((key, value))) = (inside && !line.starts_with('#'), line.split_once('='))
            && let Some(pairs) = &mut found
        {
            pairs.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

fn to_url(pairs: &[(String, String)]) -> String {
    let query: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}={}", utf8_percent_encode(v, VALUE))).collect();
    format!("postgres://localhost/?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_becomes_a_url() {
        let text = "[other]\nhost=x\n[mine]\n# note\nhost = /run/pg\ndbname=a b\n";
        let pairs = section(text, "mine").unwrap();
        assert_eq!(to_url(&pairs), "postgres://localhost/?host=/run/pg&dbname=a%20b");
        assert_eq!(section(text, "none"), None);
    }
}
