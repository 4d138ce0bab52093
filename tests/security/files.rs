//! Files that are written for the operator: what others plant in a directory is not followed, and they read nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Database, Run, midwatch, run, shared_server};

const RUN_LOG: &str = "RUN";

/// What is written, and the command that writes it; the log of a run is named by its time.
const WRITERS: &[(&str, &[&str])] = &[
    ("plan.json", &["plan", "init", "--out", "shared/plan.json"]),
    ("plan.json.rows", &["plan", "init", "--out", "shared/plan.json"]),
    ("report.json", &["check", "--out", "shared/report.json"]),
    ("log", &["runs", "-vv", "--log-file", "shared/log"]),
    (RUN_LOG, &["runs", "1", "--logs", "shared"]),
];

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Modes of all that is in a directory, by name.
fn modes(dir: &Path) -> BTreeMap<String, u32> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        out.insert(name.clone(), entry.metadata().unwrap().permissions().mode() & 0o777);
        if entry.file_type().unwrap().is_dir() {
            out.extend(modes(&entry.path()).into_iter().map(|(n, mode)| (format!("{name}/{n}"), mode)));
        }
    }
    out
}

/// A home with a directory in it that everybody may write to, and a file of the operator's.
struct Place {
    home: tempfile::TempDir,
    url: String,
}

impl Place {
    fn new(url: &str) -> Self {
        let place = Self { home: tempfile::tempdir().unwrap(), url: url.to_owned() };
        std::fs::create_dir(place.shared()).unwrap();
        set_mode(&place.shared(), 0o1777);
        std::fs::write(place.victim(), "kept\n").unwrap();
        place
    }

    fn shared(&self) -> PathBuf {
        self.home.path().join("shared")
    }

    fn victim(&self) -> PathBuf {
        self.home.path().join("victim")
    }

    fn plant(&self, name: &str) {
        symlink(self.victim(), self.shared().join(name)).unwrap();
    }

    fn run(&self, args: &[&str]) -> Run {
        run(midwatch(self.home.path()).env("DATABASE_URL", &self.url).args(args))
    }

    fn victim_is_kept(&self, by: &Run) {
        assert_eq!(std::fs::read_to_string(self.victim()).unwrap(), "kept\n", "{by:?}");
    }
}

/// A database with a journal of one run, and the name of its log.
async fn journaled() -> (Database, String) {
    let database = Database::empty().await;
    let place = Place::new(&database.url());
    let planned = place.run(&["plan", "init", "--out", "p.json", "--json"]).json();
    let applied = place.run(&["apply", "p.json", "--confirm", planned["plan"]["phrase"].as_str().unwrap()]);
    assert_eq!(applied.code, 0, "{applied:?}");
    place.run(&["runs", "1", "--logs", "logs"]);
    let log = modes(&place.home.path().join("logs")).into_keys().next().unwrap();
    (database, log)
}

/// At 4eabe32 `--log-file` appended to the target of a link that another user had planted under the file's name, and
/// `runs --logs` replaced its content.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_under_the_files_name_is_not_followed() {
    let (empty, (journaled, log)) = (Database::empty().await, journaled().await);
    for (name, args) in WRITERS {
        let name = if *name == RUN_LOG { &log } else { *name };
        let place = Place::new(&if args[0] == "runs" { &journaled } else { &empty }.url());
        place.plant(name);
        let run = place.run(args);
        place.victim_is_kept(&run);
        let link = place.shared().join(name);
        assert!(run.code >= 2 && run.stderr.contains("symbolic link"), "{args:?} {run:?}");
        assert!(link.symlink_metadata().unwrap().is_symlink(), "{args:?}: replaced");
        assert!(!modes(&place.shared()).keys().any(|n| n.contains("part")), "{:?}", modes(&place.shared()));
    }
}

/// At 4eabe32 every link on the way was followed, and later a link of ours that led to one of another user.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_leads_to_a_link_of_another_user_is_not_followed() {
    let place = Place::new(&Database::empty().await.url());
    let theirs = place.shared().join("theirs");
    symlink(place.home.path(), &theirs).unwrap();
    // Who is not root makes no link of another user's.
    if rustix::fs::chown(&theirs, None, None).is_err()
        || std::os::unix::fs::lchown(&theirs, Some(65_534), None).is_err()
    {
        eprintln!("skipped: only root gives a link to another user");
        return;
    }
    symlink(&theirs, place.home.path().join("own")).unwrap();
    for args in [
        &["plan", "init", "--out", "own/plan.json"][..],
        &["plan", "init", "--out", "shared/theirs/plan.json"],
    ] {
        let run = place.run(args);
        assert!(run.code >= 2 && run.stderr.contains("link of another user"), "{args:?} {run:?}");
        assert!(!place.home.path().join("plan.json").exists(), "{args:?}");
    }
}

/// At 4eabe32 a link under the name of the temporary file (`plan.json.PID.part`, planted for the process numbers to come)
/// was followed: the operator's file then held the plan, its rows or the report.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_under_a_temporary_files_name_is_not_followed() {
    let (empty, (journaled, log)) = (Database::empty().await, journaled().await);
    for (name, args) in WRITERS {
        let name = if *name == RUN_LOG { &log } else { *name };
        let place = Place::new(&if args[0] == "runs" { &journaled } else { &empty }.url());
        let mut next = Command::new("true").spawn().unwrap();
        for pid in next.id()..next.id() + 300 {
            (0..2).for_each(|n| place.plant(&format!(".midwatch-{pid}-{n}.part")));
            place.plant(&format!("{name}.{pid}.part"));
        }
        next.wait().unwrap();
        let run = place.run(args);
        place.victim_is_kept(&run);
        assert!(run.code <= 1, "{args:?} {run:?}");
        let written = place.shared().join(name).symlink_metadata().unwrap();
        assert!(written.is_file() && written.permissions().mode() & 0o777 == 0o600, "{args:?} {written:?}");
    }
}

/// At 4eabe32 all of these but plans and the copy of the journal were 0644, and the state directory 0755: every user of the
/// machine read rows of the target. A log or state of an earlier build is tightened.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reads_what_is_written() {
    let database = Database::empty().await;
    let place = Place::new(&database.url());
    let state = place.home.path().join(".local/state/midwatch");
    std::fs::create_dir_all(state.join("journal")).unwrap();
    std::fs::write(place.home.path().join("old.log"), "").unwrap();
    for (path, mode) in [(state.join("journal"), 0o755), (state.clone(), 0o755)] {
        set_mode(&path, mode);
    }
    set_mode(&place.home.path().join("old.log"), 0o644);
    let planned =
        place.run(&["plan", "init", "--out", "new/p.json", "--json", "--log-file", "old.log"]).json();
    let phrase = planned["plan"]["phrase"].as_str().unwrap();
    for args in [
        &["apply", "new/p.json", "--confirm", phrase, "-vv", "--log-file", "log"][..],
        &["check", "--out", "new/report.json"],
        &["runs", "1", "--logs", "logs"],
    ] {
        let run = place.run(args);
        assert!(run.code <= 1, "{args:?} {run:?}");
    }
    let mut all = modes(place.home.path());
    for others in ["shared", "victim", ".local", ".local/state"] {
        all.remove(others);
    }
    for name in ["new/p.json", "new/p.json.rows", "new/report.json", "log", "old.log"] {
        assert!(all.contains_key(name), "{name} is missing in {all:?}");
    }
    for kept in ["midwatch/journal/", "logs/init_"] {
        assert!(all.keys().any(|n| n.contains(kept)), "{kept} is missing in {all:?}");
    }
    let open: Vec<_> = all.iter().filter(|(_, mode)| *mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
}

/// At 4eabe32 a state directory that every user may write to was used: another user replaced the key of the plans and the
/// copy of the journal in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_that_others_may_write_to_is_refused() {
    let database = Database::empty().await;
    let place = Place::new(&database.url());
    let state = place.home.path().join(".local/state/midwatch");
    std::fs::create_dir_all(&state).unwrap();
    set_mode(&state, 0o1777);
    let run = place.run(&["plan", "init", "--out", "p.json"]);
    assert!(
        run.code >= 2 && run.stderr.contains("midwatch/ is a directory that everybody may write to"),
        "{run:?}"
    );
    assert!(modes(&state).is_empty(), "{:?}", modes(&state));
    assert!(!place.home.path().join("p.json").exists());
}

/// At 4eabe32 a full disk left `report.json.PID.part` behind, with rows of the target.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_leaves_nothing_behind() {
    let database = Database::empty().await;
    let place = Place::new(&database.url());
    std::fs::write(place.shared().join("report.json"), "earlier\n").unwrap();
    let limited = "trap '' XFSZ; ulimit -f 0; exec \"$0\" check --out shared/report.json";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_midwatch")]).current_dir(place.home.path());
    command.env_clear().env("HOME", place.home.path()).env("PATH", std::env::var_os("PATH").unwrap());
    let run = run(command.env("DATABASE_URL", &place.url));
    assert!(run.code == 2 && run.stderr.contains("failed to write"), "{run:?}");
    assert_eq!(modes(&place.shared()).into_keys().collect::<Vec<_>>(), ["report.json"]);
    assert_eq!(std::fs::read_to_string(place.shared().join("report.json")).unwrap(), "earlier\n");
}

/// At 4eabe32 rows of a target that were copied into a private server (`rows-0`) stood in a directory that every user may
/// pass (`/dev/shm/mw-PID-0`), readable for all.
#[test]
fn nobody_else_reads_what_a_private_server_was_filled_from() {
    let files = shared_server().dir().join("files");
    assert_eq!(files.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(modes(shared_server().dir())["postgres.log"], 0o600);
}
