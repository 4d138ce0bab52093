//! Finds a complete PostgreSQL installation on this machine.

use crate::sandbox::postgres::binaries::{Binaries, TOOLS};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::engine::model::error::{Error, Result};
use crate::sandbox::postgres::fetch;

/// Names a directory of binaries and beats every other place.
pub const VARIABLE: &str = "MIDWATCH_PG_BIN";

const KNOWN: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

impl Binaries {
    /// Looks in the places a PostgreSQL is found in, the explicit one first.
    pub fn find() -> Result<Self> {
        Search::from_environment().run()
    }
}

/// Where to look; apart from [`Binaries::find`] so that tests can look in places of their own.
struct Search {
    explicit: Option<OsString>,
    path: Vec<PathBuf>,
    known: Vec<PathBuf>,
    cache: Option<PathBuf>,
}

impl Search {
    fn from_environment() -> Self {
        Self {
            explicit: env::var_os(VARIABLE).filter(|value| !value.is_empty()),
            path: env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
            known: KNOWN.into_iter().flat_map(|pattern| expand(Path::new(pattern))).collect(),
            cache: fetch::installed(),
        }
    }

    fn run(&self) -> Result<Binaries> {
        if let Some(dir) = &self.explicit {
            return Binaries::at(Path::new(dir), None).map_err(|why| {
                Error::usage(format!("failed to use {VARIABLE}: {why}"))
                    .hint(format!("it must name a directory with all of: {}", TOOLS.join(", ")))
            });
        }
        let newest_known = || {
            let found = self.known.iter().filter_map(|dir| Binaries::at(dir, None).ok());
            found.max_by_key(|binaries| binaries.version)
        };
        let cached = || {
            let root = self.cache.as_ref()?;
            Binaries::at(&root.join("bin"), Some(root.join("lib"))).ok()
        };
        self.on_path().or_else(|| self.by_pg_config()).or_else(newest_known).or_else(cached).ok_or_else(
            || {
                Error::unobserved("failed to find a complete PostgreSQL installation").hint(format!(
                "apt-get install -y --no-install-recommends postgresql (or your system's package), or set \
                 {VARIABLE}, or let midwatch fetch {} with --fetch-postgres",
                fetch::PACKAGE
            ))
            },
        )
    }

    /// The file behind the link decides: distributions put wrappers of several versions into one bin.
    fn on_path(&self) -> Option<Binaries> {
        self.path.iter().find_map(|dir| {
            let real = fs::canonicalize(dir.join("postgres")).ok()?;
            Binaries::at(real.parent()?, None).ok()
        })
    }

    fn by_pg_config(&self) -> Option<Binaries> {
        self.path.iter().map(|dir| dir.join("pg_config")).filter(|tool| tool.is_file()).find_map(|tool| {
            let output = Command::new(tool).arg("--bindir").output().ok()?;
            let dir = String::from_utf8(output.stdout).ok()?;
            Binaries::at(Path::new(dir.trim()), None).ok()
        })
    }
}

/// Expands one `*` per path segment; enough for the known places.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str().to_string_lossy();
        let Some((before, after)) = part.split_once('*') else {
            for dir in &mut found {
                dir.push(part.as_ref());
            }
            continue;
        };
        let matches = |dir: &PathBuf| -> Vec<PathBuf> {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let fits = |name: &str| {
                name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
            };
            entries.filter(|e| fits(&e.file_name().to_string_lossy())).map(|e| e.path()).collect()
        };
        found = found.iter().flat_map(matches).collect();
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::error::Class;
    use crate::sandbox::postgres::binaries::Version;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn install(dir: &Path, version: &str, tools: &[&str]) {
        fs::create_dir_all(dir).unwrap();
        for tool in tools {
            let body = format!("#!/bin/sh\necho \"{tool} (PostgreSQL) {version}\"\n");
            fs::write(dir.join(tool), body).unwrap();
            fs::set_permissions(dir.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn nowhere() -> Search {
        Search { explicit: None, path: vec![], known: vec![], cache: None }
    }

    #[test]
    fn versions_are_read_from_the_output() {
        let of = |text| Version::parse(text).map(|v| (v.major, v.minor));
        assert_eq!(of("postgres (PostgreSQL) 15.18 (Debian 15.18-1)"), Some((15, 18)));
        assert_eq!(of("postgres (PostgreSQL) 18beta1"), Some((18, 0)));
        assert_eq!(of("postgres"), None);
    }

    #[test]
    fn releases_before_the_mends_of_pg_dump_are_told() {
        let of = |text| Version::parse(text).unwrap().is_mended();
        for old in ["13.21", "14.18", "15.13", "16.9", "17.5", "12.22"] {
            assert!(!of(old), "{old}");
        }
        for new in ["13.22", "14.19", "15.14", "16.10", "17.6", "18.0", "19beta1"] {
            assert!(of(new), "{new}");
        }
    }

    #[test]
    fn the_explicit_directory_wins_and_must_be_whole() {
        let tmp = tempfile::tempdir().unwrap();
        let (a, b) = (tmp.path().join("a"), tmp.path().join("b"));
        install(&a, "14.2", &TOOLS);
        install(&b, "16.1", &TOOLS[..3]);
        let search = |explicit: &Path| Search {
            explicit: Some(explicit.into()),
            known: vec![tmp.path().join("a")],
            ..nowhere()
        };
        assert_eq!(search(&a).run().unwrap().version.major, 14);
        let refused = search(&b).run().unwrap_err();
        assert_eq!(refused.class, Class::Usage);
        assert!(refused.message.contains("pg_restore"), "{refused}");
    }

    #[test]
    fn a_link_on_the_path_is_followed_to_the_whole_set() {
        let tmp = tempfile::tempdir().unwrap();
        let (real, bin) = (tmp.path().join("real"), tmp.path().join("bin"));
        install(&real, "16.4", &TOOLS);
        install(&bin, "9.9", &["pg_restore"]);
        symlink(real.join("postgres"), bin.join("postgres")).unwrap();
        let found = Search { path: vec![bin], ..nowhere() }.run().unwrap();
        assert_eq!(found.dir, fs::canonicalize(&real).unwrap());
        assert_eq!(found.version, Version { major: 16, minor: 4 });
    }

    #[test]
    fn pg_config_is_asked() {
        let tmp = tempfile::tempdir().unwrap();
        let (real, bin) = (tmp.path().join("real"), tmp.path().join("bin"));
        install(&real, "17.0", &TOOLS);
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("pg_config"), format!("#!/bin/sh\necho '{}'\n", real.display())).unwrap();
        fs::set_permissions(bin.join("pg_config"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(Search { path: vec![bin], ..nowhere() }.run().unwrap().version.major, 17);
    }

    #[test]
    fn the_newest_whole_one_of_the_known_places() {
        let tmp = tempfile::tempdir().unwrap();
        for (name, version, tools) in
            [("9", "9.6", 4), ("15", "15.3", 4), ("16", "16.2", 4), ("17", "17.1", 2)]
        {
            install(&tmp.path().join(name).join("bin"), version, &TOOLS[..tools]);
        }
        let known = expand(&tmp.path().join("*").join("bin"));
        assert_eq!(known.len(), 4);
        assert_eq!(Search { known, ..nowhere() }.run().unwrap().version, Version { major: 16, minor: 2 });
    }

    #[test]
    fn the_cache_comes_last_and_brings_its_libraries() {
        let tmp = tempfile::tempdir().unwrap();
        install(&tmp.path().join("bin"), "18.6", &TOOLS);
        let found = Search { cache: Some(tmp.path().into()), ..nowhere() }.run().unwrap();
        assert_eq!(found.lib, Some(tmp.path().join("lib")));
    }

    #[test]
    fn nothing_found_says_what_to_install() {
        let error = nowhere().run().unwrap_err();
        assert_eq!(error.exit_code(), 5);
        let hint = error.hint.unwrap();
        assert!(hint.contains("apt-get install") && hint.contains("--fetch-postgres"), "{hint}");
    }
}
