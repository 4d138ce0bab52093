//! A configuration that is found in the working directory, and the profiles beside it: without effect until they are trusted.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Database, Run, demo_database, midwatch, run};
use crate::rogue_server::{CLEAR_TEXT, RogueServer};

/// A home, and a directory of others in which the operator stands.
pub(crate) struct Place {
    pub(crate) home: tempfile::TempDir,
    pub(crate) here: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), here: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn plant(&self, name: &str, text: &str) -> PathBuf {
        let path = self.here.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = midwatch(self.home.path());
        command.current_dir(self.here.path());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(self.command().args(args))
    }

    pub(crate) fn on(&self, url: &str, args: &[&str]) -> Run {
        run(self.command().env("DATABASE_URL", url).args(args))
    }

    /// The directory of the user's own configuration.
    pub(crate) fn own(&self) -> PathBuf {
        self.home.path().join(".config/midwatch")
    }

    /// A file there.
    pub(crate) fn own_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.own().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

pub(crate) fn target(url: &str, more: &str) -> String {
    format!("[targets.main]\nurl = \"{url}\"\n{more}")
}

/// At 4eabe32 the file was loaded and its target opened, in place of `DATABASE_URL`'s: the rogue server got the password of
/// `PGPASSWORD` in clear text.
#[tokio::test]
async fn a_planted_configuration_names_no_server() {
    let (database, _) = demo_database("hithonix", 1_000).await;
    let (place, rogue) = (Place::new(), RogueServer::start(CLEAR_TEXT));
    let planted = place.plant("midwatch.toml", &target(&rogue.url(), "environment = \"demo\"\n"));
    for args in
        [&["check"][..], &["plan", "init"], &["runs"], &["key", "list"], &["check", "--target", "main"]]
    {
        let run = run(place.command().env("PGPASSWORD", "s3cret").env("CI", "true").args(args));
        assert_eq!(run.code, 2, "{args:?} {run:?}");
        assert!(run.stderr.contains("midwatch config trust") && run.stdout.is_empty(), "{run:?}");
    }
    let run = place.on(&database.url(), &["check", "migrations", "--json"]);
    assert_eq!(run.json()["target"]["database"], database.name, "{run:?}");
    assert!(run.stderr.contains(planted.to_str().unwrap()) && run.stderr.contains("no effect"), "{run:?}");
    // Nor is a directory above looked at.
    let below = place.here.path().join("below");
    fs::create_dir(&below).unwrap();
    let nothing = crate::common::run(place.command().current_dir(&below).arg("check"));
    assert!(nothing.code == 2 && nothing.stderr.contains("neither a configuration"), "{nothing:?}");
    assert_eq!(rogue.connections(), 0);
    // Trusted, it is what it was before: the server of the test can be met.
    assert_eq!(place.run(&["config", "trust"]).code, 0);
    assert_eq!(place.run(&["check"]).code, 5);
    assert!(rogue.connections() > 0);
    // Still the environment says which target it is.
    let run = place.on(&database.url(), &["check", "migrations", "--json"]);
    assert_eq!(run.json()["target"]["database"], database.name, "{run:?}");
}

/// At 4eabe32 nothing was remembered: whatever the file said at the moment was in force.
#[test]
fn a_file_is_trusted_as_it_is_and_no_other() {
    let place = Place::new();
    let text = target("postgres://u:s3cret@127.0.0.1:1/d", "profile = \"p.toml\"\n");
    let planted = place.plant("midwatch.toml", &text);
    let profile = place.plant("p.toml", "extends = \"parts/base.toml\"\nname = \"p\"\n");
    let parent = place.plant("parts/base.toml", "name = \"base\"\npartitioned = [\"t\"]\n");
    let beside = place.plant("profiles/other.toml", "name = \"other\"\n");
    let trust = || place.run(&["config", "trust"]);
    let state = |what: &str| {
        let run = place.run(&["config", "check"]);
        assert_eq!(run.code, if what == "trusted" { 0 } else { 2 }, "{what}: {run:?}");
        run
    };
    let trusted = trust();
    assert!(
        trusted.code == 0 && !trusted.stdout.contains("s3cret") && trusted.stdout.contains("p.toml"),
        "{trusted:?}"
    );
    let list = place.home.path().join(".local/state/midwatch/trusted.json");
    assert_eq!(list.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(&list).unwrap().contains("s3cret"));
    state("trusted");
    // Each of the files, changed by a byte; another one; another owner; another path.
    for file in [&planted, &profile, &parent, &beside] {
        let text = fs::read(file).unwrap();
        fs::write(file, [&text[..], b"#"].concat()).unwrap();
        let run = state("changed");
        assert!(run.stderr.contains("has changed since it was trusted"), "{run:?}");
        fs::write(file, text).unwrap();
        state("trusted");
    }
    let added = place.plant("profiles/new.toml", "name = \"new\"\n");
    state("one more");
    fs::remove_file(added).unwrap();
    let moved = Place { home: place.home, here: tempfile::tempdir().unwrap() };
    fs::copy(&planted, moved.here.path().join("midwatch.toml")).unwrap();
    moved.plant("p.toml", "name = \"p\"\n");
    assert_eq!(moved.run(&["config", "check"]).code, 2);
    // A link to the trusted file is the trusted file.
    fs::remove_file(moved.here.path().join("midwatch.toml")).unwrap();
    symlink(&planted, moved.here.path().join("midwatch.toml")).unwrap();
    let by_link = moved.run(&["config", "list", "--json"]);
    assert_eq!(by_link.json()["config"]["trusted"][0]["state"], "trusted", "{by_link:?}");
    let untrust = |code| {
        let run = moved.run(&["config", "untrust", planted.to_str().unwrap()]);
        assert_eq!(run.code, code, "{run:?}");
    };
    untrust(0);
    untrust(2);
    assert_eq!(moved.run(&["config", "check"]).code, 2);
}

pub(crate) fn refused(run: &Run, why: &str) {
    assert_eq!(run.code, 2, "{why}: {run:?}");
    assert!(run.stderr.contains(why), "{why}: {run:?}");
}

/// At 4eabe32 a file of any owner and any mode was taken, named or found.
#[test]
fn a_file_that_others_can_change_is_not_taken() {
    let place = Place::new();
    let file = place.plant("used.toml", "[console]\nascii = true\n");
    let by_flag = || place.run(&["--config", file.to_str().unwrap(), "config", "check"]);
    let by_variable = || run(place.command().env("MIDWATCH_CONFIG", &file).args(["config", "check"]));
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    assert_eq!((by_flag().code, by_variable().code), (0, 0));
    for wide in [0o664, 0o646] {
        mode(&file, wide);
        refused(&by_flag(), "may be written by others");
        refused(&by_variable(), "may be written by others");
    }
    mode(&file, 0o644);
    for wide in [0o777, 0o775] {
        mode(place.here.path(), wide);
        refused(&by_flag(), "is a directory that others may write to");
    }
    // In a sticky directory nobody else can replace the file.
    mode(place.here.path(), 0o1777);
    assert_eq!(by_flag().code, 0);
    mode(place.here.path(), 0o755);
    if rustix::process::geteuid().is_root() {
        let planted = place.plant("midwatch.toml", &target("postgres://u@127.0.0.1:1/d", ""));
        for path in [&file, &planted] {
            std::os::unix::fs::chown(path, Some(12_345), None).unwrap();
        }
        refused(&by_flag(), "belongs to another user");
        refused(&place.run(&["config", "trust"]), "belongs to another user");
        refused(&place.run(&["check"]), "belongs to another user");
        // A link of ours to a file of theirs.
        fs::rename(&planted, place.here.path().join("theirs.toml")).unwrap();
        symlink("theirs.toml", &planted).unwrap();
        refused(&place.run(&["config", "trust"]), "belongs to another user");
    } else {
        eprintln!("skipped in part: only root gives a file to another user");
    }
}

/// What only takes away needs no consent; it takes nothing away from what the user's own file says. At 4eabe32 the first file
/// that was found was the only one: a policy of the user's was gone.
#[test]
fn a_harmless_file_lies_over_the_users_own() {
    let place = Place::new();
    let own = place.home.path().join(".config/midwatch");
    fs::create_dir_all(&own).unwrap();
    let text = format!(
        "{}[policy]\nreading_delay_s = 60\nbatch_rows = 50\n",
        target("postgres://u:s3cret@h/own", "")
    );
    fs::write(own.join("midwatch.toml"), text).unwrap();
    let shown = |code| {
        let run = place.run(&["config", "show", "--json"]);
        assert_eq!(run.code, code, "{run:?}");
        assert!(!run.stdout.contains("s3cret"), "{run:?}");
        run.json()["config"].clone()
    };
    let value = |key: &str| {
        let config = shown(0);
        let all = config["values"].as_array().unwrap();
        let v = all.iter().find(|v| v["key"] == key).unwrap_or_else(|| panic!("{key} in {config:#}"));
        (v["value"].as_str().unwrap().to_owned(), v["origin"].as_str().unwrap().to_owned())
    };
    let own_file = own.join("midwatch.toml").display().to_string();
    place.plant("midwatch.toml", "[policy]\nbatch_rows = 10\n");
    let (rows, of_rows) = value("policy.batch_rows");
    assert!(rows == "10" && of_rows.ends_with("midwatch.toml") && of_rows != own_file, "{of_rows}");
    assert_eq!(value("policy.reading_delay_s"), ("60".into(), own_file.clone()));
    assert_eq!(value("targets.main.url"), ("postgres://u:***@h/own".into(), own_file));
    assert_eq!(value("policy.lock_attempts"), ("12".into(), "default".into()));
    // Weaker than the user's own, though stricter than the default.
    for weaker in [
        "batch_rows = 100",
        "reading_delay_s = 59",
        "headless_irreversible = true",
        "allow_without_copy = true",
    ] {
        place.plant("midwatch.toml", &format!("[policy]\n{weaker}\n"));
        assert_eq!(value("policy.reading_delay_s").0, "60");
        assert!(shown(0)["untrusted"].is_string(), "{weaker}");
    }
    let run = run(place.command().env("DATABASE_URL", "postgres://u:s3cret@e/d").args([
        "--read-only",
        "config",
        "show",
    ]));
    for line in ["postgres://u:***@e/d  (DATABASE_URL)", "(--read-only)"] {
        assert!(run.stdout.contains(line) && !run.stdout.contains("s3cret"), "{line}: {run:?}");
    }
}

/// At 4eabe32 `./profiles/hithonix.toml` was taken for the built-in profile, and one with more tables to be found by was
/// detected, with nothing but `DATABASE_URL` set.
#[tokio::test]
async fn a_profile_takes_no_place_of_a_built_in_one() {
    let (database, _) = demo_database("hithonix", 1_000).await;
    let place = Place::new();
    let planted = "name = \"NAME\"\ndetect = [\"pg_class\", \"pg_proc\", \"pg_type\", \"pg_index\", \"pg_attribute\", \
                   \"pg_namespace\", \"pg_depend\", \"pg_am\"]\n[[anomalies]]\nname = \"planted\"\ntitle = \"t\"\nkey = [\"k\"]\nsql = \"select 1 as k\"\n";
    for (file, name) in [("hithonix", "hithonix"), ("other", "other"), ("another", "hithonix")] {
        place.plant(&format!("profiles/{file}.toml"), &planted.replace("NAME", name));
        for args in [
            &["check", "anomalies", "--json"][..],
            &["check", "anomalies", "--json", "--profile", "hithonix"],
        ] {
            let run = place.on(&database.url(), args);
            assert!(
                !run.stdout.contains("planted") && run.stdout.contains("date_mismatch"),
                "{file}: {run:?}"
            );
        }
        fs::remove_file(place.here.path().join(format!("profiles/{file}.toml"))).unwrap();
    }
    // Not even with consent.
    for (file, name) in [("hithonix", "hithonix"), ("another", "hithonix")] {
        let config = place.plant("used.toml", &target(&database.url(), &format!("profile = \"{file}\"\n")));
        let profile = place.plant(&format!("profiles/{file}.toml"), &planted.replace("NAME", name));
        let run = place.run(&["--config", config.to_str().unwrap(), "check", "anomalies"]);
        refused(&run, "hithonix is the name of a built-in profile");
        assert!(run.stderr.contains(profile.to_str().unwrap()), "{run:?}");
        fs::remove_file(profile).unwrap();
    }
    let mine = place.plant("mine.toml", "extends = \"hithonix\"\nname = \"mine\"\n");
    let run =
        place.on(&database.url(), &["check", "anomalies", "--json", "--profile", mine.to_str().unwrap()]);
    assert!(run.stdout.contains("date_mismatch"), "{run:?}");
}

/// At 4eabe32 a profile whose marker said `demo` made a demo of a database that nobody had declared: no delay, no second
/// question.
#[tokio::test]
async fn a_profile_lowers_no_environment() {
    let database = Database::empty().await;
    let place = Place::new();
    let of = |word: &str, declared: &str| {
        let rule = "[[anomalies]]\nname = \"a\"\ntitle = \"a\"\nkey = [\"k\"]\nsql = \"select 1 as k\"\n";
        let marker = format!("name = \"p\"\n{rule}[environment]\nsql = \"select '{word}'\"\n");
        place.plant("p.toml", &marker);
        let config =
            place.plant("used.toml", &target(&database.url(), &format!("profile = \"p.toml\"\n{declared}")));
        let run = place.run(&["--config", config.to_str().unwrap(), "check", "--json"]);
        run.json()["target"]["environment"].as_str().unwrap().to_owned()
    };
    assert_eq!(of("demo", ""), "production");
    assert_eq!(of("demo", "environment = \"staging\""), "staging");
    assert_eq!(of("production", "environment = \"demo\""), "production");
}

/// At 4eabe32 the check of such a rule, in its read-only transaction, ended the other session and had the server write the file.
#[tokio::test]
async fn a_profile_calls_nothing_that_acts() {
    let database = Database::empty().await;
    let place = Place::new();
    let traces = tempfile::tempdir().unwrap();
    fs::set_permissions(traces.path(), Permissions::from_mode(0o777)).unwrap();
    let file = traces.path().join("written");
    let mut victim = database.owner().await;
    victim.execute_script("create sequence s; select lo_from_bytea(4711, 'x')").await.unwrap();
    let pid = victim.fetch_value("select pg_backend_pid()::text", &[]).await.unwrap().unwrap();
    let written = file.display();
    let end = format!("select pg_terminate_backend({pid}) as id");
    for (name, sql) in [
        ("pg_terminate_backend", end.clone()),
        ("pg_terminate_backend", format!("select PG_CATALOG.\"pg_terminate_backend\" /**/ ({pid}) as id")),
        (
            "query_to_xml",
            format!("select query_to_xml('{}', true, true, '') as id", end.replace("pg_t", "pg_'||'t")),
        ),
        ("table_to_xml", "select table_to_xml('s', true, true, '') as id".into()),
        ("Unicode escapes", format!("select U&\"pg\\005fterminate_backend\"({pid}) as id")),
        ("pg_cancel_backend", format!("select pg_cancel_backend({pid}) as id")),
        ("lo_export", format!("select lo_export(4711, '{written}') as id")),
        ("lo_import", "select lo_import('/etc/passwd') as id".into()),
        ("pg_read_file", "select pg_read_file('PG_VERSION') as id".into()),
        ("pg_reload_conf", "select pg_reload_conf() as id".into()),
        ("pg_advisory_lock", "select pg_advisory_lock(1) is null as id".into()),
        ("set_config", "select set_config('work_mem', '64kB', false) as id".into()),
        ("nextval", "select nextval('s') as id".into()),
        ("setval", "select setval('s', 9) as id".into()),
    ] {
        let rule = format!("[[anomalies]]\nname = \"a\"\ntitle = \"a\"\nkey = [\"id\"]\nsql = '''{sql}'''\n");
        place.plant("p.toml", &format!("name = \"p\"\n{rule}"));
        let run = place.on(&database.url(), &["check", "--json", "--profile", "p.toml"]);
        let check = &run.json()["checks"][0];
        assert_eq!((run.code, check["status"].as_str()), (5, Some("unknown")), "{sql}: {check:#}");
        assert!(check["why"].as_str().unwrap().contains(name), "{sql}: {check:#}");
        let state = "select pg_backend_pid()::text || is_called::text || last_value from s";
        assert_eq!(victim.fetch_value(state, &[]).await.unwrap().unwrap(), format!("{pid}false1"), "{sql}");
        assert!(!file.exists(), "{sql}");
    }
    // What only tells is called.
    let sql = "select 1 as id where random() > 2 or clock_timestamp() is null or pg_relation_size('s') < 0 \
               or cardinality(pg_blocking_pids(1)) > 0";
    place.plant(
        "p.toml",
        &format!(
            "name = \"p\"\n[[anomalies]]\nname = \"a\"\ntitle = \"a\"\nkey = [\"id\"]\nsql = \"{sql}\"\n"
        ),
    );
    let run = place.on(&database.url(), &["check", "--json", "--profile", "p.toml"]);
    assert_eq!(run.json()["checks"][0]["status"], "ok", "{run:?}");
}

/// New: at 4eabe32 nothing said which functions of others a profile calls.
#[tokio::test(flavor = "multi_thread")]
async fn functions_of_others_are_named() {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    let script = "create extension citext; create schema tools; create role odd_owner;
        create function tools.\"Odd\"(int) returns int security definer language sql as 'select 1';
        alter function tools.\"Odd\"(int) owner to odd_owner;
        create function public.unused() returns int language sql as 'select 1'";
    owner.execute_script(script).await.unwrap();
    let place = Place::new();
    let rule = "name = \"p\"\n[[anomalies]]\nname = \"a\"\ntitle = \"a\"\nkey = [\"id\"]\n\
                sql = '''\nselect\ntools.\"Odd\"(1) as id where citext_eq('a', 'b')'''\n";
    place.plant("p.toml", rule);
    place.plant("midwatch.toml", &target(&database.url(), ""));
    let check = |more: &[&str]| {
        let args = ["--config", "midwatch.toml", "config", "check", "--profile", "p.toml"];
        run(place.command().args(args).args(more))
    };
    let asked = check(&["--target", "main", "--json"]);
    let expected = serde_json::json!([
        { "name": "public.citext_eq(public.citext, public.citext)", "of": "extension citext", "as_owner": false },
        { "name": "tools.\"Odd\"(integer)", "of": "role odd_owner", "as_owner": true },
    ]);
    assert_eq!((asked.code, &asked.json()["config"]["functions"]), (0, &expected), "{asked:?}");
    let text = check(&["--target", "main"]).stdout;
    assert!(text.contains("tools.\"Odd\"(integer)  of role odd_owner, runs as its owner"), "{text}");
    assert!(!check(&["--json"]).stdout.contains("functions"));
}

/// At 4eabe32 nothing was asked.
#[cfg(feature = "tui")]
#[test]
fn the_question_shows_what_has_changed() {
    use crate::common::pty::Console;
    let place = Place::new();
    let planted = place.plant("midwatch.toml", &target("postgres://u:s3cret@127.0.0.1:1/d", ""));
    let start = || {
        let line =
            format!("cd {} && exec {} check", place.here.path().display(), env!("CARGO_BIN_EXE_midwatch"));
        let home = place.home.path().to_str().unwrap();
        let state = format!("{home}/.local/state");
        let config = format!("{home}/.config");
        let env = [("HOME", home), ("XDG_STATE_HOME", &state), ("XDG_CONFIG_HOME", &config)];
        Console::start("sh", (120, 30), &["-c", &line], &env)
    };
    let asked = |answer: &str, wanted: &[&str], not: &[&str]| {
        let mut console = start();
        let screen = console.shows("Trust it as it is?").contents();
        assert!(
            wanted.iter().all(|w| screen.contains(w)) && !not.iter().any(|n| screen.contains(n)),
            "{screen}"
        );
        console.press(answer);
        console.end()
    };
    let url = "targets.main.url = \"postgres://u:***@127.0.0.1:1/d\"";
    let (code, screen) = asked("\r", &["is not trusted", url], &["s3cret"]);
    assert!(code == 2 && screen.screen().contents().contains("no effect"), "{}", screen.screen().contents());
    // Trusted, and opened.
    let (code, screen) = asked("yes\r", &["is not trusted", url], &["s3cret"]);
    assert!(
        code == 5 && screen.screen().contents().contains("failed to connect"),
        "{}",
        screen.screen().contents()
    );
    fs::write(&planted, target("postgres://u:s3cret@127.0.0.1:1/d", "environment = \"demo\"\n")).unwrap();
    let changed = "+ targets.main.environment = \"demo\"";
    asked("no\r", &["has changed since it was trusted", changed], &["s3cret", "targets.main.url"]);
}

/// At 4eabe32 `[policy]` of any file was taken; later, until then, one that nobody had trusted: smaller numbers are gentler,
/// but a limit of 0 is none to PostgreSQL, and a change waited for a lock without end.
#[test]
fn no_limit_is_taken_away_by_zero() {
    let (place, rogue) = (Place::new(), RogueServer::start(CLEAR_TEXT));
    for key in [
        "lock_timeout_ms",
        "statement_timeout_ms",
        "guard_off_ms",
        "lock_attempts",
        "silence_s",
        "batch_rows",
    ] {
        for text in [
            format!("[policy]\n{key} = 0\n"),
            target(&rogue.url(), &format!("[targets.main.policy]\n{key} = 0\n")),
        ] {
            place.plant("midwatch.toml", &text);
            let run = run(place.command().args(["--config", "midwatch.toml", "config", "check"]));
            assert!(run.code == 2 && run.stderr.contains(&format!("{key} is 0")), "{run:?}");
        }
    }
}

/// Later than 4eabe32, and before this test: a trusted file's target took the place of the user's own, and with it went its
/// `read_only`, its window, its environment and its policy, without a word.
#[test]
fn a_trusted_file_takes_no_protection_from_the_users_own_target() {
    let place = Place::new();
    let own = place.home.path().join(".config/midwatch");
    fs::create_dir_all(&own).unwrap();
    let mine = target(
        "postgres://u@127.0.0.1:1/mine",
        "read_only = true\nenvironment = \"production\"\nwindow = { start = \"22:00Z\", end = \"23:00Z\" }\n\
         [targets.main.policy]\nreading_delay_s = 60\n",
    );
    fs::write(own.join("midwatch.toml"), mine).unwrap();
    let planted = place.plant(
        "midwatch.toml",
        &target(
            "postgres://u@127.0.0.1:1/other",
            "read_only = false\nwindow = { start = \"00:00Z\", end = \"23:59Z\" }\n",
        ),
    );
    let trusted = run(place.command().args(["config", "trust"]).arg(&planted));
    assert_eq!(trusted.code, 0, "{trusted:?}");
    let shown = run(place.command().args(["config", "show", "--json"])).json()["config"].clone();
    let main = &shown["targets"]["main"];
    assert_eq!(
        (main["url"].as_str(), main["read_only"].as_bool(), main["environment"].as_str()),
        (Some("postgres://u@127.0.0.1:1/other"), Some(true), Some("production")),
        "{shown:#}"
    );
    let values = shown["values"].as_array().unwrap();
    for (key, value) in [
        ("targets.main.read_only", "true"),
        ("targets.main.environment", "production"),
        ("targets.main.policy.reading_delay_s", "60"),
    ] {
        let of: Vec<_> =
            values.iter().filter(|v| v["key"] == key).map(|v| v["value"].as_str().unwrap()).collect();
        assert_eq!(of, [value], "{key}");
    }
    let window: Vec<_> = values.iter().filter(|v| v["key"] == "targets.main.window").collect();
    assert!(window.len() == 1 && window[0]["value"].as_str().unwrap().contains("22:00Z"), "{window:?}");
}

/// At 4eabe32 the program waited for whoever writes to the pipe.
#[test]
fn a_pipe_under_the_files_name_stops_nobody() {
    let place = Place::new();
    let pipe = place.here.path().join("midwatch.toml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = place.command();
    command.env("DATABASE_URL", "postgres://u@127.0.0.1:1/d").args(["config", "show"]);
    let mut child =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    crate::common::eventually("the end", std::time::Duration::from_mins(1), || {
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// New with `password_command`: a program named by a path was looked for where the operator stood.
#[test]
fn a_program_is_looked_for_beside_its_configuration() {
    let place = Place::new();
    let own = place.home.path().join(".config/midwatch");
    fs::create_dir_all(&own).unwrap();
    let config = target("postgres://u@127.0.0.1:1/d", "password_command = [\"./token\"]\n");
    fs::write(own.join("midwatch.toml"), &config).unwrap();
    for (dir, word) in [(own.as_path(), "own"), (place.here.path(), "planted")] {
        let program = dir.join("token");
        let mark = place.home.path().join(word);
        fs::write(&program, format!("#!/bin/sh\ntouch {}\necho {word}\n", mark.display())).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    // Also where a link leads to the file.
    run(place.command().args(["doctor"]));
    symlink(own.join("midwatch.toml"), place.here.path().join("link.toml")).unwrap();
    run(place.command().args(["--config", "link.toml", "doctor"]));
    assert!(place.home.path().join("own").exists());
    assert!(!place.home.path().join("planted").exists());
}
