//! The target's password for a program of libpq: in a file that only we may read, for as long as the program runs, and not in
//! its arguments or its environment, which others can read.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::secret::Secret;

/// Removed when dropped.
#[derive(Debug)]
pub(super) struct PassFile(PathBuf);

impl PassFile {
    pub(super) fn new(password: &Secret) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let fail =
            |e: &dyn std::fmt::Display| Error::unobserved(format!("failed to write a password file: {e}"));
        if password.expose().contains(['\n', '\r', '\0']) {
            return Err(fail(&"the password holds a line end, which its format has no way to write"));
        }
        let dir = std::env::temp_dir();
        loop {
            let name =
                format!("midwatch-{}-{}.pgpass", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = dir.join(name);
            match disk::create_new(&path) {
                Ok(mut file) => {
                    let made = Self(path);
                    let escaped = password.expose().replace('\\', "\\\\").replace(':', "\\:");
                    return match file.write_all(format!("*:*:*:*:{escaped}\n").as_bytes()) {
                        Ok(()) => Ok(made),
                        Err(e) => Err(fail(&e)),
                    };
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(fail(&e)),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PassFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_by_us_alone_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = PassFile::new(&Secret::new("a:b\\c")).unwrap();
        let path = file.path().to_owned();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "*:*:*:*:a\\:b\\\\c\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
        assert!(PassFile::new(&Secret::new("a\nb")).is_err());
    }
}
