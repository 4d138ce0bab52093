//! `midwatch demo --no-ui`: two lines, then it serves until it is told to end, and leaves nothing.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{eventually, midwatch, run};
use crate::schema::assert_valid;

const LIMIT: Duration = Duration::from_mins(1);

struct Demo {
    child: Child,
    config: PathBuf,
    home: tempfile::TempDir,
}

impl Demo {
    fn start(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = midwatch(home.path());
        command.args(["demo", "--no-ui", "--no-traffic", "--rows", "1000"]).args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let config = PathBuf::from(lines.next().unwrap());
        assert!(config.is_absolute() && config.ends_with("midwatch.toml"), "{}", config.display());
        assert_eq!(lines.next().as_deref(), Some("ready"));
        Self { child, config, home }
    }

    fn server(&self) -> u32 {
        let pid = std::fs::read_to_string(self.dir().join("data/postmaster.pid")).unwrap();
        pid.lines().next().unwrap().parse().unwrap()
    }

    fn dir(&self) -> &Path {
        self.config.parent().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

#[test]
fn it_serves_until_it_is_told_to_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut demo = Demo::start(&[]);
        for target in ["hithonix", "hospitality"] {
            let mut command = midwatch(demo.home.path());
            let run =
                run(command.arg("--config").arg(&demo.config).args(["--target", target, "check", "--json"]));
            assert_eq!(run.code, 1, "{run:?}");
            assert_valid(&run.json());
            assert_eq!(run.json()["target"]["name"], target);
            assert_eq!(run.json()["target"]["environment"], "demo");
        }
        let (server, dir) = (demo.server(), demo.dir().to_owned());
        assert!(alive(server));
        demo.signal(signal);
        assert_eq!(demo.child.wait().unwrap().code(), Some(0));
        assert!(!alive(server) && !dir.exists(), "{}", dir.display());
    }
}

#[test]
fn a_given_directory_is_emptied() {
    use std::os::unix::fs::PermissionsExt as _;
    let tmp = tempfile::tempdir().unwrap();
    std::fs::set_permissions(tmp.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let dir = tmp.path().join("demo");
    let mut demo = Demo::start(&["--dir", dir.to_str().unwrap()]);
    assert_eq!(demo.dir(), dir);
    demo.signal(Signal::TERM);
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn killed_it_leaves_no_server() {
    let mut demo = Demo::start(&[]);
    let (server, dir) = (demo.server(), demo.dir().to_owned());
    demo.child.kill().unwrap();
    demo.child.wait().unwrap();
    eventually("the server is gone", LIMIT, || !alive(server));
    eventually("its directory is gone", LIMIT, || !dir.exists());
}
