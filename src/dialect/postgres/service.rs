//! `pg_service.conf`, as libpq finds and reads it.

use std::path::PathBuf;

use super::variables::Variables;
use crate::conninfo::Pairs;
use crate::disk;
use crate::engine::model::error::{Error, Result};

/// The parameters of a service.
pub(super) fn pairs(name: &str, variables: &Variables) -> Result<Pairs> {
    let mut looked = Vec::new();
    for path in places(variables)? {
        let shown = path.display().to_string();
        looked.push(shown.clone());
        let text = match disk::text(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::usage(format!("failed to read the service file {shown}: {e}"))),
        };
        let found = section(&text, name)
            .map_err(|(line, why)| Error::usage(format!("failed to read {shown}: line {line}: {why}")))?;
        if let Some(pairs) = found {
            return Ok(pairs);
        }
    }
    Err(Error::usage(format!("no service {name} in {}", looked.join(" or ")))
        .hint("set PGSERVICEFILE, or name the url itself"))
}

fn places(variables: &Variables) -> Result<Vec<PathBuf>> {
    let of_user = match variables.get("PGSERVICEFILE")? {
        Some(path) => Some(PathBuf::from(path)),
        None => variables.home()?.map(|home| home.join(".pg_service.conf")),
    };
    let system = variables.get("PGSYSCONFDIR")?.unwrap_or_else(|| "/etc/postgresql-common".into());
    Ok(of_user.into_iter().chain([PathBuf::from(system).join("pg_service.conf")]).collect())
}

/// The first section of that name; the number of a line that is wrong in it, and why.
fn section(text: &str, name: &str) -> std::result::Result<Option<Pairs>, (usize, String)> {
    let mut found: Option<Pairs> = None;
    for (at, line) in text.lines().map(str::trim).enumerate() {
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            found = (header == name).then(Vec::new);
            continue;
        }
        let Some(pairs) = &mut found else { continue };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: &str| Err((at + 1, why.to_owned()));
        if line.starts_with("ldap") {
            return wrong("services of LDAP are not supported");
        }
        match line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            None => return wrong("it has no ="),
            Some(("service", _)) => return wrong("a service cannot name another one"),
            Some((key, value)) => pairs.push((key.to_owned(), value.to_owned())),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_or_its_line_named() {
        let text = "[other]\nhost=x\n[mine]\n# note\nhost = /run/pg\ndbname=a b\n[mine]\nhost=y\n[l]\nldap://h/x\n[s]\nservice=l\n[p]\ns3cret";
        let pairs = section(text, "mine").unwrap().unwrap();
        assert_eq!(pairs, [("host".into(), "/run/pg".into()), ("dbname".into(), "a b".to_owned())]);
        assert_eq!(section(text, "none"), Ok(None));
        for (name, line) in [("l", 10), ("s", 12), ("p", 14)] {
            let (at, why) = section(text, name).unwrap_err();
            assert!(at == line && !why.contains("s3cret"), "{name}: {at} {why}");
        }
    }
}
