//! The programs of one installation of PostgreSQL.

use crate::engine::model::error::Result;
use std::fmt;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// One installation: every tool of [`TOOLS`] from the same directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Canonical.
    pub dir: PathBuf,
    /// Of its `postgres`.
    pub version: Version,
    /// Libraries that must come before the system's (only for what we fetched ourselves).
    pub lib: Option<PathBuf>,
}

impl Binaries {
    /// A command for one of the tools, with its libraries found and the operator's `PG*` gone.
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.dir.join(tool));
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        let path = env::join_paths([self.dir.as_path(), Path::new("/usr/bin"), Path::new("/bin")]);
        command.env("PATH", path.unwrap_or_else(|_| OsString::from("/usr/bin:/bin")));
        if let Some(lib) = &self.lib {
            command.env("LD_LIBRARY_PATH", lib);
        }
        command
    }

    /// `Err` names what is missing.
    pub(super) fn at(dir: &Path, lib: Option<PathBuf>) -> Result<Self, String> {
        let dir = fs::canonicalize(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let missing: Vec<_> = TOOLS.into_iter().filter(|tool| !dir.join(tool).is_file()).collect();
        if !missing.is_empty() {
            return Err(format!("{} has no {}", dir.display(), missing.join(", ")));
        }
        let mut found = Self { dir, version: Version { major: 0, minor: 0 }, lib };
        let output = found
            .command("postgres")
            .arg("--version")
            .output()
            .map_err(|e| format!("{}/postgres: {e}", found.dir.display()))?;
        found.version = Version::parse(&String::from_utf8_lossy(&output.stdout))
            .ok_or_else(|| format!("{}/postgres does not say its version", found.dir.display()))?;
        Ok(found)
    }
}

/// What one directory must hold, all of it: a PATH may mix two installations.
pub const TOOLS: [&str; 4] = ["postgres", "initdb", "pg_dump", "pg_restore"];

/// A server's version; before 10 it would be another scheme, which we do not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The release that decides the format of the data.
    pub major: u32,
    /// The bug-fix release.
    pub minor: u32,
}

impl Version {
    /// Reads the output of `postgres --version`; a beta has minor 0.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let digits = number.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let mut parts = digits.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        Some(Self { major, minor })
    }

    /// From these releases on `pg_dump` writes nothing of a hostile server's into what it dumps that a restore would run
    /// as more than a statement (CVE-2025-8714, CVE-2025-8715).
    pub(super) fn is_mended(self) -> bool {
        let from = match self.major {
            13 => 22,
            14 => 19,
            15 => 14,
            16 => 10,
            17 => 6,
            major => return major >= 18,
        };
        self.minor >= from
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
