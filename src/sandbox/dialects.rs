//! What private servers give the engine of a target, by its dialect: throwaway copies and backups that were restored once.
//! A dialect that has nothing here cannot be rehearsed or backed up, and says so.

use std::path::PathBuf;
use std::sync::Arc;

use crate::dialect::postgres::Connection;
use crate::engine::model::error::Result;
use crate::engine::model::secret::Secret;
use crate::engine::port::backups::{Backups, NoBackups};
use crate::engine::port::copies::{Copies, NoCopies};
use crate::engine::port::driver::ReaderLogin;
use crate::sandbox::postgres::PgDump;
use crate::sandbox::postgres::SandboxCopies;

/// The target that is copied.
#[derive(Debug, Clone)]
pub struct CopiedTarget {
    /// How to reach it, as it was opened.
    pub url: Option<Secret>,
    /// The program that gives its password, with its arguments; empty: none.
    pub password_command: Vec<String>,
    /// Who looks at it, where that is another role: rows of samples are read by it.
    pub reader: Option<ReaderLogin>,
    /// Its server's version: no older program can read it.
    pub version: String,
    /// Its database, as the server names it.
    pub database: String,
    /// The schemas that the profile's names are searched in.
    pub search_path: Vec<String>,
    /// Where backups go, where anything says so.
    pub backups: Option<PathBuf>,
    /// Extensions that a copy may have beside those that are trusted, as the operator names them.
    pub extensions: Vec<String>,
}

/// What there is for one target.
pub struct Sandbox {
    /// Throwaway copies.
    pub copies: Arc<dyn Copies>,
    /// Backups.
    pub backups: Arc<dyn Backups>,
    /// Copies on which a whole switchover can be played through, where the dialect has one.
    pub switchovers: Option<SandboxCopies>,
}

type Make = fn(CopiedTarget) -> Result<Sandbox>;

/// A line for each dialect.
const SANDBOXES: &[(&str, Make)] = &[("postgres", postgres)];

/// For a target of this dialect.
pub fn for_dialect(dialect: &str, target: CopiedTarget) -> Result<Sandbox> {
    match SANDBOXES.iter().find(|(id, _)| *id == dialect) {
        Some((_, make)) => make(target),
        None => Ok(Sandbox { copies: Arc::new(NoCopies), backups: Arc::new(NoBackups), switchovers: None }),
    }
}

fn postgres(target: CopiedTarget) -> Result<Sandbox> {
    let CopiedTarget { url, password_command, reader, version, database, search_path, backups, extensions } =
        target;
    let url = url.as_ref().map(Secret::expose);
    let connection = Connection::new(url)?.asking(&password_command)?;
    let looking = reader.map(|login| Connection::logging_in_as(url, &login)).transpose()?;
    let copies = SandboxCopies::new(connection, looking, version, search_path, extensions);
    Ok(Sandbox {
        copies: Arc::new(copies.clone()),
        switchovers: Some(copies.clone()),
        backups: Arc::new(PgDump::new(copies, database, backups)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;
    use crate::engine::port::copies::CopyRequest;

    fn target() -> CopiedTarget {
        CopiedTarget {
            url: Some(Secret::new("postgres://u:s3cr3t@h/d")),
            password_command: vec![],
            reader: None,
            version: "15.1".into(),
            database: "d".into(),
            search_path: vec!["public".into()],
            backups: Some("/backups".into()),
            extensions: vec![],
        }
    }

    #[test]
    fn a_password_is_not_in_what_is_written_for_debugging() {
        let shown = format!("{:?}", target());
        assert!(shown.contains("15.1") && !shown.contains("s3cr3t"), "{shown}");
    }

    #[test]
    fn every_entry_is_of_a_dialect() {
        for (id, make) in SANDBOXES {
            assert!(DIALECTS.iter().any(|d| d.id() == *id), "{id}");
            assert!(make(target()).is_ok());
        }
    }

    #[tokio::test]
    async fn a_dialect_without_private_servers_says_so() {
        let none = for_dialect("text", target()).unwrap();
        assert!(none.switchovers.is_none());
        let why = none.backups.place().unwrap_err();
        assert_eq!(why.message, "no backups can be made of this target: there are none of its kind here");
        let why = none.copies.open(&CopyRequest::default()).await.err().unwrap();
        assert_eq!(why.message, "failed to copy the target: there is no sandbox here");
    }
}
