//! Migration files: their order, and the checksums by which tools know them.

use sha2::{Digest, Sha256, Sha384};

use crate::engine::model::error::Result;
use crate::engine::model::profile::MigrationFolder;
use crate::engine::model::script::Script;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::files::{Files, SourceFile};

#[derive(Debug, Clone)]
pub(crate) struct Migration {
    pub(crate) name: String,
    /// The number that its name begins with.
    pub(crate) number: Option<u64>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) script: std::result::Result<Script, String>,
}

pub(crate) fn read(
    dialect: &dyn Dialect,
    files: &dyn Files,
    folder: &MigrationFolder,
) -> Result<Vec<Migration>> {
    let Some(path) = &folder.folder else { return Ok(vec![]) };
    let mut list: Vec<Migration> = files
        .list(path, &[".sql"])?
        .into_iter()
        // The way back of a reversible migration is not a migration.
        .filter(|f| !f.name.ends_with(".down.sql"))
        .map(|file| Migration::new(dialect, file))
        .collect();
    list.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    Ok(list)
}

impl Migration {
    pub(crate) fn new(dialect: &dyn Dialect, file: SourceFile) -> Self {
        let digits: String = file.name.chars().take_while(char::is_ascii_digit).collect();
        let script = std::str::from_utf8(&file.bytes)
            .map_err(|e| format!("not UTF-8: {e}"))
            .and_then(|text| dialect.script(text.trim_start_matches('\u{feff}')));
        Self { number: digits.parse().ok(), name: file.name, bytes: file.bytes, script }
    }

    /// The name without its extensions.
    pub(crate) fn stem(&self) -> &str {
        self.name.trim_end_matches(".sql").trim_end_matches(".up")
    }

    /// Numbers that are dates or times have holes by nature.
    pub(crate) fn is_dated(&self) -> bool {
        self.name.chars().take_while(char::is_ascii_digit).count() >= 8
    }

    pub(crate) fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.bytes))
    }

    pub(crate) fn normalised(&self) -> Option<String> {
        self.script.as_ref().ok().map(|s| s.fingerprint.clone())
    }

    /// Is `recorded` the checksum of these bytes but for line ends, a byte order mark or blanks at the end?
    pub(crate) fn cosmetically_is(&self, recorded: &str) -> bool {
        variants(&self.bytes)
            .iter()
            .any(|v| hex::encode(Sha256::digest(v)) == recorded || hex::encode(Sha384::digest(v)) == recorded)
    }

    pub(crate) fn is(&self, recorded: &str) -> bool {
        self.sha256() == recorded || hex::encode(Sha384::digest(&self.bytes)) == recorded
    }
}

fn variants(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(bytes);
    let unix = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let trimmed = unix.trim_end().to_owned();
    let mut out = Vec::new();
    for body in [unix.clone(), trimmed.clone(), format!("{trimmed}\n"), format!("{trimmed}\n\n")] {
        let windows = body.replace('\n', "\r\n");
        for v in [body, windows] {
            out.push(format!("\u{feff}{v}").into_bytes());
            out.push(v.into_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::postgres::Postgres;

    fn migration(name: &str, text: &str) -> Migration {
        Migration::new(&Postgres, SourceFile { name: name.into(), bytes: text.into() })
    }

    #[test]
    fn line_ends_are_cosmetic() {
        let recorded = migration("1_a.sql", "create table a();\r\n").sha256();
        let now = migration("1_a.sql", "create table a();\n");
        assert!(!now.is(&recorded) && now.cosmetically_is(&recorded));
        assert!(!migration("1_a.sql", "create table b();\n").cosmetically_is(&recorded));
    }

    #[test]
    fn numbers_and_dates() {
        assert_eq!(migration("017_x.sql", "").number, Some(17));
        assert!(migration("20251217_x.sql", "").is_dated());
        assert_eq!(migration("readme.sql", "").number, None);
        assert_eq!(migration("1_x.up.sql", "").stem(), "1_x");
    }
}
