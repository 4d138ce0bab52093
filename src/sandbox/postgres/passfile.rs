//! The target's passwords for a program of libpq, each for its own server: in a file that only we may read, for as long as the program runs, and not in
//! its arguments or its environment, which others can read.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dialect::postgres::HostPassword;
use crate::disk;
use crate::engine::model::error::{Error, Result};

/// Removed when dropped.
#[derive(Debug)]
pub(super) struct PassFile(PathBuf);

impl PassFile {
    /// One without a line is made as well: the program then looks for none of its own.
    pub(super) fn new(passwords: &[HostPassword]) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let fail =
            |e: &dyn std::fmt::Display| Error::unobserved(format!("failed to write a password file: {e}"));
        let mut lines = String::new();
        for HostPassword { host, port, password } in passwords {
            let password = password.expose();
            if [host, password].iter().any(|text| text.contains(['\n', '\r', '\0'])) {
                return Err(fail(&"the password holds a line end, which its format has no way to write"));
            }
            let _ = writeln!(lines, "{}:{port}:*:*:{}", escaped(host), escaped(password));
        }
        let dir = std::env::temp_dir();
        loop {
            let name =
                format!("midwatch-{}-{}.pgpass", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = dir.join(name);
            match disk::create_new(&path) {
                Ok(mut file) => {
                    let made = Self(path);
                    return match file.write_all(lines.as_bytes()) {
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

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

impl Drop for PassFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::secret::Secret;

    #[test]
    fn it_is_read_by_us_alone_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt as _;
        let of = |host: &str, password: &str| HostPassword {
            host: host.into(),
            port: 7,
            password: Secret::new(password),
        };
        let file = PassFile::new(&[of("h", "a:b\\c"), of("::1", "x")]).unwrap();
        let path = file.path().to_owned();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "h:7:*:*:a\\:b\\\\c\n\\:\\:1:7:*:*:x\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
        for wrong in [of("h", "a\nb"), of("h\nh", "x")] {
            assert!(PassFile::new(&[wrong]).is_err());
        }
        let none = PassFile::new(&[]).unwrap();
        assert_eq!(std::fs::read_to_string(none.path()).unwrap(), "");
    }
}
