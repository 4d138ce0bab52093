//! What the question for trust tells, and which files count without it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

use crate::common::{Run, run};
use crate::config::{Place, refused, target};
use crate::rogue_server::{CLEAR_TEXT, RogueServer};

/// What `config trust` says of a file.
fn trusted(place: &Place) -> String {
    let run = place.run(&["config", "trust"]);
    assert_eq!(run.code, 0, "{run:?}");
    run.stdout
}

fn config_check(place: &Place, more: &[&str]) -> Run {
    run(place.command().args(["config", "check"]).args(more))
}

/// At 4eabe32 nothing was asked; later, until then, the question hid every value but those of nine parameters, the host
/// where its name was written as `%68ost` or its value had quotes, and the host that was the password.
#[test]
fn the_question_shows_where_a_url_leads() {
    for (url, shown) in [
        (
            "postgres://u@db.prod/d?hostaddr=192.0.2.6&require_auth=password",
            "postgres://u@db.prod/d?hostaddr=192.0.2.6&require_auth=password",
        ),
        ("postgres://u@db.prod/d?%68ost=evil.example", "postgres://u@db.prod/d?host=evil.example"),
        ("host='evil.example' dbname=d", "host=evil.example dbname=d"),
        ("host=evil.example options='-c a=b'", "host=evil.example options='-c a=b'"),
        ("postgres://u:evil@evil/d?passfile=/p", "postgres://u:***@evil/d?passfile=/p"),
        ("postgres://u:s3cret@a:1,b:2/d", "postgres://u:***@a:1,b:2/d"),
        ("postgres://token:s3cret@evil.example:1/d", "postgres://token:***@evil.example:1/d"),
        // What is decoded passes for nothing else.
        (
            "postgres://u@evil/d?application_name=x%26host%3Dgood",
            "postgres://u@evil/d?application_name=x%26host%3Dgood",
        ),
        (
            "postgres://u@h/d?password=s3cret&sslpassword=s3cret",
            "postgres://u@h/d?password=***&sslpassword=***",
        ),
        ("postgres://u@h/d?p%61ssword=s3cret&unknown=s3cret", "postgres://u@h/d?password=***&unknown=***"),
        ("host=h password='s3cret it' user=u", "host=h password=*** user=u"),
    ] {
        let place = Place::new();
        place.plant("midwatch.toml", &target(url, ""));
        let line = format!("targets.main.url = {shown:?}");
        let asked = trusted(&place);
        assert!(asked.contains(&line) && !asked.contains("s3cret"), "{url}: {asked}");
        let run = place.run(&["config", "show"]);
        assert!(run.stdout.contains(shown) && !run.stdout.contains("s3cret"), "{url}: {run:?}");
        let list = place.home.path().join(".local/state/midwatch/trusted.json");
        assert!(!fs::read_to_string(list).unwrap().contains("s3cret"), "{url}");
    }
}

/// Until then a `hostaddr` that was put into a trusted file was asked about as "a password, or text that does nothing".
#[test]
fn what_has_changed_of_a_url_is_named() {
    let place = Place::new();
    let url = |password: &str, more: &str| target(&format!("postgres://u:{password}@db.prod/d{more}"), "");
    place.plant("midwatch.toml", &url("s3cret", ""));
    trusted(&place);
    let changed = |text: &str| {
        place.plant("midwatch.toml", text);
        let shown = trusted(&place);
        assert!(!shown.contains("s3cret"), "{shown}");
        shown
    };
    let shown = changed(&url("s3cret", "?hostaddr=192.0.2.6"));
    assert!(
        shown.contains("- targets.main.url = \"postgres://u:***@db.prod/d\"")
            && shown.contains("+ targets.main.url = \"postgres://u:***@db.prod/d?hostaddr=192.0.2.6\""),
        "{shown}"
    );
    let shown = changed(&url("s3cret2", "?hostaddr=192.0.2.6"));
    assert!(
        shown.contains("targets.main.url: another password") && !shown.contains("does nothing"),
        "{shown}"
    );
    let shown = changed(&(url("s3cret2", "?hostaddr=192.0.2.6") + "# a comment\n"));
    assert!(shown.contains("text that does nothing") && !shown.contains("password"), "{shown}");
    let shown = changed(&url("s3cret3", "?hostaddr=192.0.2.7"));
    assert!(shown.contains("192.0.2.7") && shown.contains("targets.main.url: another password"), "{shown}");
}

/// At 4eabe32 `hostaddr` took the host's place, in messages too; later, until then, a message, `doctor` and the header named the
/// host alone, whatever address was connected to.
#[test]
fn the_address_that_is_connected_to_is_shown() {
    let place = Place::new();
    let url = "postgres://u@db.example:1/d?hostaddr=127.0.0.1";
    for args in [&["check"][..], &["doctor"]] {
        let run = place.on(url, args);
        assert!(format!("{run:?}").contains("db.example (127.0.0.1):1/d"), "{run:?}");
    }
}

/// At 4eabe32, and until then, `config check` of the user's own file took the working directory's `p.toml` where none stood
/// beside it.
#[test]
fn a_name_in_a_file_leads_nowhere_but_beside_it() {
    let place = Place::new();
    let planted = |name: &str| format!("name = \"{name}\"\n");
    place.plant("p.toml", &planted("planted"));
    place.own_file("midwatch.toml", &target("postgres://u@127.0.0.1:1/d", "profile = \"p.toml\"\n"));
    let run = config_check(&place, &[]);
    refused(&run, "p.toml");
    assert!(!run.stdout.contains("planted"), "{run:?}");
    // Nor by a profile that is the user's own.
    place.own_file("p.toml", "extends = \"base.toml\"\nname = \"own\"\n");
    place.plant("base.toml", &planted("planted"));
    refused(&config_check(&place, &[]), "base.toml");
    place.own_file("base.toml", "name = \"base\"\n");
    let run = config_check(&place, &[]);
    assert!(run.code == 0 && run.stdout.contains("own"), "{run:?}");
    // A flag's name starts where the operator stands, and what its file names starts at that file.
    let run = config_check(&place, &["--profile", "p.toml"]);
    assert!(run.code == 0 && run.stdout.contains("planted"), "{run:?}");
    fs::create_dir(place.home.path().join("safe")).unwrap();
    let safe = place.home.path().join("safe/p.toml");
    fs::write(&safe, "extends = \"base.toml\"\nname = \"safe\"\n").unwrap();
    refused(&config_check(&place, &["--profile", safe.to_str().unwrap()]), "safe/base.toml");
}

/// Until then, the user's own file was "not trusted" where the operator stood beside it.
#[test]
fn the_users_own_file_is_trusted_in_its_directory() {
    let place = Place::new();
    place.own_file("midwatch.toml", &target("postgres://u@127.0.0.1:1/mine", ""));
    for dir in [place.own(), place.home.path().join("link")] {
        if dir != place.own() {
            symlink(place.own(), &dir).unwrap();
        }
        let run = run(place.command().current_dir(dir).args(["config", "show", "--json"]));
        let shown = &run.json()["config"];
        assert!(shown["untrusted"].is_null(), "{run:?}");
        assert_eq!(shown["targets"]["main"]["url"], "postgres://u@127.0.0.1:1/mine", "{run:?}");
    }
}

/// Until then a line that did nothing when the file was trusted weakened, without a question, what the user said later.
#[test]
fn what_a_trusted_file_weakens_later_is_asked_for() {
    let place = Place::new();
    place.plant("midwatch.toml", &target("postgres://u@h/d", "[policy]\nreading_delay_s = 10\n"));
    assert!(!trusted(&place).contains("reading_delay_s"));
    assert_eq!(config_check(&place, &[]).code, 0);
    place.own_file("midwatch.toml", "[policy]\nreading_delay_s = 60\n");
    let delay = || {
        let run = place.run(&["config", "show", "--json"]);
        let config = run.json()["config"].clone();
        let values = config["values"].as_array().unwrap();
        values.iter().find(|v| v["key"] == "policy.reading_delay_s").unwrap()["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(delay(), "60");
    let run = config_check(&place, &[]);
    refused(&run, "allows more than when it was trusted");
    let listed = place.run(&["config", "list"]);
    assert!(listed.stdout.contains("+ policy.reading_delay_s = 10"), "{listed:?}");
    assert!(trusted(&place).contains("+ policy.reading_delay_s = 10"));
    assert_eq!((config_check(&place, &[]).code, delay()), (0, "10".into()));
    // What it says to no effect any more needs no other consent.
    place.own_file("midwatch.toml", "[policy]\nreading_delay_s = 5\n");
    assert_eq!(config_check(&place, &[]).code, 0);
}

/// Until then the directory's mode was looked at alone: its owner chose which of the operator's trusted files, and so which
/// target, was met there.
#[test]
fn what_another_user_arranged_names_no_target() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root gives a file to another user");
        return;
    }
    let place = Place::new();
    let mine = place.plant("midwatch.toml", &target("postgres://u@127.0.0.1:1/mine", ""));
    trusted(&place);
    let theirs = Place { home: place.home, here: tempfile::tempdir().unwrap() };
    let link = theirs.here.path().join("midwatch.toml");
    symlink(&mine, &link).unwrap();
    assert_eq!(config_check(&theirs, &[]).code, 0, "a link of ours");
    lchown(&link, Some(12_345), None).unwrap();
    refused(&config_check(&theirs, &[]), "is a symbolic link of another user");
    // A file of ours, in a directory of theirs.
    fs::remove_file(&link).unwrap();
    let file = theirs.plant("midwatch.toml", &target("postgres://u@127.0.0.1:1/mine", ""));
    trusted(&theirs);
    fs::set_permissions(theirs.here.path(), Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(theirs.here.path(), Some(12_345), None).unwrap();
    refused(&config_check(&theirs, &[]), "is a directory of another user");
    refused(&config_check(&theirs, &["--config", file.to_str().unwrap()]), "is a directory of another user");
}

/// Until then a relative file of a url was looked for where the operator stood: a root certificate of the checkout's.
#[test]
fn a_file_of_a_url_is_looked_for_beside_its_configuration() {
    let place = Place::new();
    let rogue = RogueServer::start(CLEAR_TEXT);
    for (dir, word) in [(place.own(), "own-s3cret"), (place.here.path().to_owned(), "planted-s3cret")] {
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("pass word");
        fs::write(&file, format!("*:*:*:*:{word}\n")).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    }
    let port = rogue.url().split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    for url in [
        format!("{}?require_auth=password&passfile=pass%20word", rogue.url()),
        format!("host=127.0.0.1 port={port} user=u dbname=d require_auth=password passfile='pass word'"),
    ] {
        place.own_file("midwatch.toml", &target(&url, ""));
        place.run(&["doctor"]);
        assert!(!rogue.has_heard("planted-s3cret"), "{url}");
    }
    assert!(rogue.has_heard("own-s3cret"));
    // The others are the same names (`conninfo::placed`); one that is missing is named where it was looked for.
    place.own_file(
        "midwatch.toml",
        &target("postgres://u@127.0.0.1:1/d?sslmode=verify-full&sslrootcert=r.crt", ""),
    );
    let run = place.run(&["doctor"]);
    let own = place.own().join("r.crt").display().to_string();
    assert!(format!("{run:?}").contains(&own), "{run:?}");
}

/// Until then `config show` had eight variables, and those only where they named the target; the others completed the url of
/// a file unseen.
#[test]
fn every_variable_that_counts_is_shown() {
    let place = Place::new();
    place.own_file("midwatch.toml", &target("postgres://u@h/d", ""));
    let set = [
        ("PGPORT", "1"),
        ("PGSSLMODE", "disable"),
        ("PGOPTIONS", "-c a.b=c"),
        ("PGSERVICEFILE", "/s"),
        ("PGSYSCONFDIR", "/t"),
        ("PGREQUIRESSL", "1"),
        ("PGTARGETSESSIONATTRS", "any"),
        ("PGKRBSRVNAME", "postgres"),
    ];
    let mut command = place.command();
    let shown = run(command.envs(set).env("PGPASSWORD", "s3cret").args(["config", "show"])).stdout;
    for (name, value) in set {
        assert!(shown.contains(&format!("{value}  ({name})")), "{name}: {shown}");
    }
    assert!(shown.contains("***  (PGPASSWORD)") && !shown.contains("s3cret"), "{shown}");
    // An address names a place as a host does.
    let run = run(place.command().env("PGHOSTADDR", "127.0.0.1").env("PGPORT", "1").args(["check"]));
    assert!(run.stderr.contains("127.0.0.1:1/"), "{run:?}");
}
