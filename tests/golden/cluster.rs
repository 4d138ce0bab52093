//! A private server on a data directory that was packed, and the packing.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use midwatch::sandbox::postgres::binaries::Version;
use midwatch::sandbox::{Binaries, Options, Server};

use crate::common::eventually;

/// The release whose data directory the fixture is.
const MAJOR: u32 = 15;

/// The role that made the runs. It may not read the data directory, so the identity does not depend on the place.
pub(crate) const OPERATOR: &str = "operator";

/// Where the fixture is.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden").join(name)
}

/// Binaries of the fixture's release; a newer server does not read its data directory.
pub(crate) fn binaries() -> Binaries {
    let found = Binaries::find().ok().filter(|b| b.version.major == MAJOR);
    found.or_else(|| KNOWN.iter().find_map(|dir| at(Path::new(dir)))).unwrap_or_else(|| {
        panic!(
            "the golden fixture needs PostgreSQL {MAJOR}: \
             apt-get install -y --no-install-recommends postgresql-{MAJOR} (apt.postgresql.org has it)"
        )
    })
}

const KNOWN: [&str; 4] = [
    "/usr/lib/postgresql/15/bin",
    "/usr/pgsql-15/bin",
    "/opt/homebrew/opt/postgresql@15/bin",
    "/usr/local/opt/postgresql@15/bin",
];

fn at(dir: &Path) -> Option<Binaries> {
    let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let version = Version::parse(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { dir: dir.to_owned(), version, lib: None })
}

/// A server as the sandbox makes it.
pub(crate) fn start() -> Server {
    let settings = [("autovacuum", "off"), ("max_connections", "60")];
    let settings = settings.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
    let options = Options { memory: true, binaries: Some(binaries()), settings, ..Options::default() };
    Server::start_blocking(options).expect("a private PostgreSQL server")
}

/// The same on the packed directory.
pub(crate) async fn start_packed(archive: &Path) -> Server {
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    server.kill9().unwrap();
    let data = server.dir().join("data");
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    run(tar(&data).args(["-xJf", "-", "-C"]).arg(&data).stdin(File::open(archive).unwrap()));
    server.restart().await.unwrap();
    server
}

/// Shuts the server down, makes its log small and packs the directory.
pub(crate) fn pack(server: &Server, archive: &Path) {
    let pid = rustix::process::Pid::from_raw(server.pid().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let data = server.dir().join("data");
    eventually("the server is down", Duration::from_mins(1), || !data.join("postmaster.pid").exists());
    let mut reset = Command::new(server.binaries().dir.join("pg_resetwal"));
    run(as_owner(&mut reset, &data).args(["--wal-segsize=1", "-D"]).arg(&data));
    pack_dir(&data, archive);
}

/// The same archive for the same files.
pub(crate) fn pack_dir(dir: &Path, archive: &Path) {
    let options = ["--sort=name", "--numeric-owner", "--owner=0", "--group=0", "-cJf", "-", "."];
    run(tar(dir).env("XZ_OPT", "-9e").args(options).current_dir(dir).stdout(File::create(archive).unwrap()));
}

/// Into a directory of ours.
pub(crate) fn unpack(archive: &Path, dir: &Path) {
    run(Command::new("tar").args(["-xJf"]).arg(archive).arg("-C").arg(dir));
}

/// As the account of the server, which is not ours where we are root.
fn tar(dir: &Path) -> Command {
    let mut command = Command::new("tar");
    as_owner(&mut command, dir);
    command
}

fn as_owner<'c>(command: &'c mut Command, dir: &Path) -> &'c mut Command {
    let owner = fs::metadata(dir).unwrap();
    if rustix::process::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.current_dir("/").stdin(Stdio::null())
}

fn run(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
