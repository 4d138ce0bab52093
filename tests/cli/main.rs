//! The command line's contract: words, bytes, exit codes.

#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;

mod colours;
mod demo;
mod help;
mod schema;

use common::{Database, Run, demo_database, midwatch, on, run};
use schema::assert_valid;
use serde_json::Value;

fn alone(args: &[&str]) -> Run {
    let home = tempfile::tempdir().unwrap();
    run(midwatch(home.path()).args(args))
}

#[test]
fn help_and_version() {
    for args in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["check", "--help"],
        &["demo", "--help"],
        &["config", "--help"],
    ] {
        let run = alone(args);
        assert!(run.code == 0 && run.stderr.is_empty() && run.stdout.contains("Usage: midwatch"), "{run:?}");
    }
    let help = alone(&["--help"]).stdout;
    for word in [
        "check",
        "demo",
        "doctor",
        "config",
        "--json",
        "--target",
        "--profile",
        "--read-only",
        "--log-file",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word}");
    }
    let version = alone(&["--version"]);
    assert_eq!((version.code, version.stdout), (0, format!("midwatch {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn wrong_arguments() {
    for args in [
        &["chekc"][..],
        &["--nope"],
        &["check", "--out"],
        &["demo", "--rows", "many"],
        &["config"],
        &["config", "x"],
    ] {
        let text = alone(args);
        assert!(text.code == 2 && text.stdout.is_empty() && !text.stderr.is_empty(), "{text:?}");
        let json = alone(&[args, &["--json"]].concat());
        if args != ["check", "--out"] {
            assert_eq!((json.code, &json.json()["error"]["class"]), (2, &"usage".into()), "{args:?}");
            assert_valid(&json.json());
        }
    }
    for args in [&["demo", "--no-ui", "--rows", "10"][..], &["--config", "nowhere.toml", "check"], &["check"]]
    {
        let json = alone(&[args, &["--json"]].concat());
        assert_eq!((json.code, &json.json()["error"]["class"]), (2, &"usage".into()), "{json:?}");
        assert_valid(&json.json());
    }
}

#[test]
fn a_format_is_chosen_by_its_name() {
    let help = alone(&["--help"]).stdout;
    for format in midwatch::report::names() {
        let same = |args: &[&str]| {
            let run = alone(&[&["doctor"], args].concat());
            (run.code, run.stdout.starts_with('{'))
        };
        let json = format == "json";
        for args in [&["-o", format][..], &[&format!("-o{format}")], &[&format!("--format={format}")]] {
            assert_eq!(same(args).1, json, "{args:?}");
        }
        let listed = help.split("possible values: ").nth(1).unwrap().split(']').next().unwrap();
        assert!(listed.split(", ").any(|name| name == format), "{help}");
    }
    // What cannot be understood is answered in the format that is asked for.
    for args in [
        &["--nope", "-o", "json"][..],
        &["-ojson", "--nope"],
        &["--nope", "--format=json"],
        &["-o=json", "--nope"],
        &["-vo", "json", "--nope"],
        &["--nope", "-vo", "json"],
    ] {
        assert_eq!(alone(args).json()["error"]["class"], "usage", "{args:?}");
    }
    for args in [&["doctor", "-o", "prose"][..], &["doctor", "--json", "-o", "text"]] {
        let wrong = alone(args);
        assert_eq!(wrong.code, 2, "{wrong:?}");
    }
}

#[test]
fn without_a_target() {
    let run = alone(&["check"]);
    assert!(run.code == 2 && run.stderr.contains("neither a configuration nor DATABASE_URL"), "{run:?}");
    assert!(run.stderr.contains("hint: DATABASE_URL=postgres://"), "{run:?}");
}

#[tokio::test]
async fn without_a_terminal_the_console_says_so() {
    let database = Database::empty().await;
    for args in [&[][..], &["demo"]] {
        let text = on(&database.url(), args);
        let says = if cfg!(feature = "tui") || args == ["demo"] {
            "the console needs a terminal"
        } else {
            "this build has no console"
        };
        assert!(text.code == 2 && text.stderr.contains(says), "{text:?}");
        let json = on(&database.url(), &[args, &["--json"]].concat());
        assert_eq!((json.code, &json.json()["error"]["class"]), (2, &"usage".into()));
        assert_valid(&json.json());
    }
}

fn ids(run: &Run) -> Vec<String> {
    run.json()["checks"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn checks_are_chosen_by_kind_and_name() {
    let (database, _) = demo_database("hospitality", 1_000).await;
    let url = database.url();
    let twins = ["parity/daily_cash_balances", "parity/revenues", "parity/expenses"];
    let all = on(&url, &["check", "--json"]);
    assert_eq!(ids(&all)[1..4], twins);
    assert_eq!(ids(&all)[4..], ["roles/reader", "roles/search-path", "roles/transport"]);
    assert_valid(&all.json());
    let parity = on(&url, &["check", "parity", "--json"]);
    assert_eq!((parity.code, ids(&parity)), (1, twins.map(str::to_owned).to_vec()));
    // In the profile's order, each once.
    let two = on(&url, &["check", "parity/expenses", "parity/revenues", "parity/expenses", "--json"]);
    assert_eq!(ids(&two), twins[1..]);
    for (selector, hint) in [
        ("nonsense", "kinds: migrations parity"),
        ("parity/x", "this profile has: parity/daily"),
        ("queue", "profile hospitality declares no queue checks"),
        ("drift/x", "check drift is not in this version"),
        ("backups", "check backups is not in this version"),
    ] {
        let run = on(&url, &["check", selector]);
        assert!(run.code == 2 && run.stderr.contains(hint), "{run:?}");
        assert_valid(&on(&url, &["check", selector, "--json"]).json());
    }
    for check in parity.json()["checks"].as_array().unwrap() {
        let facts = check["facts"].as_object().unwrap();
        for key in [
            "legacy_rows",
            "partitioned_rows",
            "missing_in_partitioned",
            "missing_in_legacy",
            "different",
            "stale",
            "duplicate",
            "sums",
            "snapshot",
            "partitions",
            "triggers",
        ] {
            assert!(facts.contains_key(key), "{key}");
        }
        assert!(check["findings"][0]["sample"][0]["key"].is_number());
    }
    let quick = on(&url, &["check", "parity/revenues", "--quick", "--json"]);
    assert!(quick.json()["checks"][0]["facts"]["compared"].as_str().unwrap().contains("not compared"));
    assert_eq!(quick.code, 1, "{quick:?}");
    assert_valid(&quick.json());
    let findings = quick.json()["checks"][0]["findings"].clone();
    let bare =
        findings.as_array().unwrap().iter().find(|f| f["id"] == "parity/revenues/not_compared").unwrap();
    assert_eq!((&bare["rows"], &bare["sample"]), (&Value::Null, &Value::Array(vec![])));
    let unknown = on(&url, &["--target", "prod", "check", "--json"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
}

#[tokio::test]
async fn exit_codes_say_what_was_found() {
    let (database, _) = demo_database("hithonix", 1_000).await;
    let url = database.url();
    let mut owner = database.owner().await;
    assert_eq!(on(&url, &["check", "anomalies"]).code, 1);
    assert_eq!(
        on(&url, &["check", "anomalies/unpaired_lunch", "--json"]).json()["checks"][0]["status"],
        "warn"
    );
    assert_eq!(on(&url, &["check", "anomalies/unpaired_lunch"]).code, 1);
    // Unknown weighs more than what was found.
    owner.execute_script("drop table daily_status cascade").await.unwrap();
    let run = on(&url, &["check", "--profile", "hithonix", "anomalies", "--json"]);
    assert_eq!(run.code, 5, "{run:?}");
    assert_valid(&run.json());
    assert!(run.json()["checks"][5]["why"].as_str().unwrap().contains("daily_status"));
    let empty = Database::empty().await;
    // Whoever looks is a superuser: critical, unless the server says that it is no production.
    assert_eq!(on(&empty.url(), &["check"]).code, 1);
    let demo = format!("alter database {} set midwatch.environment = 'demo'", empty.name);
    empty.owner().await.execute_script(&demo).await.unwrap();
    assert_eq!(on(&empty.url(), &["check"]).code, 0);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("p.toml"), "name = \"p\"").unwrap();
    let args = ["check", "--profile", "p.toml"];
    let nothing = common::run(midwatch(home.path()).env("DATABASE_URL", empty.url()).args(args));
    assert!(nothing.code == 2 && nothing.stderr.contains("declares no checks"), "{nothing:?}");
}

#[tokio::test]
async fn an_out_file_holds_what_stdout_said() {
    let (database, _) = demo_database("hithonix", 1_000).await;
    let dir = tempfile::tempdir().unwrap();
    let mut command = midwatch(dir.path());
    command.env("DATABASE_URL", database.url());
    let args = ["check", "anomalies", "--out", "reports/deep/anomalies.json"];
    let text = run(command.args(args));
    assert!(text.code == 1 && text.stdout.contains("anomalies/date_mismatch"), "{text:?}");
    let file = dir.path().join("reports/deep/anomalies.json");
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_valid(&written);
    assert_eq!(written["checks"].as_array().unwrap().len(), 6);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn the_configuration_commands() {
    let home = tempfile::tempdir().unwrap();
    let example = alone(&["config", "example"]);
    assert_eq!(example.code, 0);
    std::fs::write(home.path().join("midwatch.toml"), &example.stdout).unwrap();
    let here = |args: &[&str]| run(midwatch(home.path()).args(args));
    let check = here(&["config", "check"]);
    assert!(check.code == 0 && check.stdout.contains("targets:  hithonix, hospitality"), "{check:?}");
    let profile = here(&["config", "example", "profile"]);
    std::fs::write(home.path().join("shop.toml"), &profile.stdout).unwrap();
    let check = here(&["--profile", "shop.toml", "config", "check"]);
    assert!(check.code == 0 && check.stdout.contains("shop"), "{check:?}");
    let show = here(&["config", "show"]);
    assert!(show.code == 0 && show.stdout.contains("env:HOSPITALITY_URL"), "{show:?}");
    for args in [&["config", "check", "--json"][..], &["config", "show", "--json"]] {
        let run = here(args);
        assert_eq!(run.code, 0);
        assert_valid(&run.json());
    }
    let unset = here(&["check"]);
    assert!(unset.code == 2 && unset.stderr.contains("HOSPITALITY_URL is not set"), "{unset:?}");
    let read_only = here(&["--read-only", "config", "show", "--json"]);
    assert_eq!(read_only.json()["config"]["targets"]["hospitality"]["read_only"], true);
    // A broken profile beside it is found before it is needed.
    let broken = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/config/profile/broken.toml");
    let run = here(&["--profile", broken, "config", "check"]);
    assert!(run.code == 2 && run.stderr.contains("broken.toml:4: writes: sql must be one query"), "{run:?}");
}

#[tokio::test]
async fn the_profile_names_the_mark_of_the_environment() {
    let database = Database::empty().await;
    let sql = format!(
        "create table app (mark varchar); insert into app values ('staging');
         create table t (id int) partition by range (id); create table t1 partition of t for values from (0) to (9);
         alter database {0} set shop.environment = 'development';
         alter database {0} set midwatch.environment = 'demo'",
        database.name
    );
    database.owner().await.execute_script(&sql).await.unwrap();
    let of = |marker: &str| {
        let home = tempfile::tempdir().unwrap();
        let profile = format!("name = \"p\"\npartitioned = [\"t\"]\n{marker}");
        std::fs::write(home.path().join("p.toml"), profile).unwrap();
        let args = ["check", "--json", "--profile", "p.toml"];
        let run = run(midwatch(home.path()).env("DATABASE_URL", database.url()).args(args));
        assert_valid(&run.json());
        run.json()["target"]["environment"].as_str().map(str::to_owned)
    };
    let setting = "setting = \"shop.environment\"";
    for (marker, environment) in [
        (String::new(), "demo"),
        (format!("[environment]\n{setting}"), "development"),
        ("[environment]\nsql = \"select mark from app\"".into(), "staging"),
        (format!("[environment]\n{setting}\nsql = \"select mark from app\""), "staging"),
        (format!("[environment]\n{setting}\nsql = \"select mark from app where false\""), "development"),
        ("[environment]\nsetting = \"shop.nowhere\"".into(), "demo"),
        // What cannot be understood is taken for the worst.
        (format!("[environment]\n{setting}\nsql = \"select 'prd'\""), "production"),
        (format!("[environment]\n{setting}\nsql = \"select mark from nowhere\""), "production"),
        (
            format!("[environment]\n{setting}\nsql = \"select mark from app, generate_series(1, 2)\""),
            "production",
        ),
    ] {
        assert_eq!(of(&marker).as_deref(), Some(environment), "{marker}");
    }
}

#[tokio::test]
async fn the_doctor_says_what_works() {
    let (database, _) = demo_database("hithonix", 1_000).await;
    let well = on(&database.url(), &["doctor", "--json"]);
    assert_valid(&well.json());
    let lines = well.json()["doctor"].as_array().unwrap().clone();
    let status = |name: &str| lines.iter().find(|l| l["name"] == name).map(|l| l["status"].clone());
    assert_eq!(status("postgresql"), Some("ok".into()));
    assert_eq!(status("target (environment)"), Some("ok".into()));
    let target = lines.iter().find(|l| l["name"] == "target (environment)").unwrap();
    assert!(target["message"].as_str().unwrap().starts_with("PostgreSQL "), "{target}");
    // No terminal here.
    assert_eq!((well.code, status("terminal")), (1, Some("warn".into())));
    let ill = on("postgres://u@127.0.0.1:1/d", &["doctor"]);
    assert!(
        ill.code == 5 && ill.stdout.contains("✖ fail") && ill.stdout.contains("nothing listens"),
        "{ill:?}"
    );
}

#[tokio::test]
async fn the_services_of_libpq_are_followed() {
    let database = Database::empty().await;
    let home = tempfile::tempdir().unwrap();
    let socket = common::shared_server().socket_dir().display().to_string();
    let service = format!("[mine]\nhost={socket}\ndbname={}\nuser=keeper\nport=5432\n", database.name);
    std::fs::write(home.path().join(".pg_service.conf"), service).unwrap();
    let by_service =
        run(midwatch(home.path()).env("PGSERVICE", "mine").args(["check", "migrations", "--json"]));
    assert_eq!(
        (by_service.code, &by_service.json()["target"]["database"]),
        (0, &database.name.as_str().into())
    );
    let mut command = midwatch(home.path());
    command
        .env("PGHOST", &socket)
        .env("PGDATABASE", &database.name)
        .env("PGUSER", "keeper")
        .env("PGPORT", "5432");
    let by_environment = run(command.args(["check", "--json"]));
    assert_eq!(by_environment.json()["target"]["database"], database.name.as_str(), "{by_environment:?}");
    std::fs::write(home.path().join("midwatch.toml"), "[targets.a]\nurl = \"service:mine\"\n").unwrap();
    let configured = run(midwatch(home.path()).args(["check", "--json"]));
    assert_eq!(configured.json()["target"]["name"], "a", "{configured:?}");
}
