//! What is not UTF-8 is named: file, line and byte, argument, variable.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::process::Command;

use crate::common::{Database, midwatch, run};

/// A valid file of each kind and the command that reads it. `FILE` is its name.
fn readers(home: &Path, url: &str) -> Vec<(&'static str, Vec<u8>, Command)> {
    let mut plan = midwatch(home);
    assert_eq!(run(plan.env("DATABASE_URL", url).args(["plan", "init", "--out", "plan.json"])).code, 0);
    let plan = std::fs::read(home.join("plan.json")).unwrap();
    let command = |args: &[&str]| {
        let mut command = midwatch(home);
        command.args(args);
        command
    };
    let with_url = |args: &[&str]| {
        let mut command = command(args);
        command.env("DATABASE_URL", url);
        command
    };
    let mut service = command(&["check"]);
    service.env("PGSERVICEFILE", home.join("service.conf")).env("PGSERVICE", "main");
    vec![
        (
            "midwatch.conf.toml",
            midwatch::profile::EXAMPLE.into(),
            command(&["config", "check", "--config", "midwatch.conf.toml"]),
        ),
        (
            "profile.toml",
            midwatch::profile::EXAMPLE_PROFILE.into(),
            with_url(&["check", "--profile", "profile.toml"]),
        ),
        ("plan.json", plan, with_url(&["apply", "plan.json"])),
        ("service.conf", b"# services\n[main]\nhost=localhost\n\nport=1\n".into(), service),
    ]
}

/// At 4eabe32 the error named the file alone (`stream did not contain valid UTF-8`), and a service file that was not UTF-8 was
/// taken for one without the service.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_names_its_line_and_byte() {
    let database = Database::empty().await;
    let home = tempfile::tempdir().unwrap();
    for (name, valid, mut command) in readers(home.path(), &database.url()) {
        for at in [0, valid.len() / 3, valid.len() / 2, valid.len() - 1] {
            let mut bytes = valid.clone();
            bytes.insert(at, 0xff);
            // Within a character of several bytes the character is what is wrong.
            let at = std::str::from_utf8(&bytes).unwrap_err().valid_up_to();
            let line = bytes[..at].split(|b| *b == b'\n').count();
            std::fs::write(home.path().join(name), &bytes).unwrap();
            let run = run(&mut command);
            let said = format!("line {line} is not UTF-8: byte {}", at + 1);
            assert!(
                run.code == 2 && run.stderr.contains(&said) && run.stderr.contains(name),
                "{said}: {run:?}"
            );
        }
        std::fs::write(home.path().join(name), valid).unwrap();
    }
}

/// At 4eabe32 a variable that was not UTF-8 counted as absent, so that another target was taken, and an argument was not
/// named.
#[test]
fn arguments_and_variables_are_named() {
    let home = tempfile::tempdir().unwrap();
    let broken = || OsString::from_vec(b"ab\xffc".to_vec());
    for json in [false, true] {
        for (args, place) in [
            (vec!["check".into(), broken()], "argument 2 is not UTF-8: byte 3"),
            (vec!["--target".into(), broken(), "check".into()], "argument 2 (--target) is not UTF-8: byte 3"),
            (
                vec!["plan".into(), "init".into(), "--set".into(), broken()],
                "argument 4 (--set) is not UTF-8: byte 3",
            ),
        ] {
            let mut command = midwatch(home.path());
            command.args(args).args(json.then_some("--json"));
            let run = run(&mut command);
            assert!(run.code == 2 && format!("{run:?}").contains(place), "{place}: {run:?}");
        }
        for name in ["DATABASE_URL", "PGHOST", "PGSERVICE", "PGPASSWORD"] {
            let mut command = midwatch(home.path());
            command.env("PGUSER", "u").env(name, broken()).arg("check").args(json.then_some("--json"));
            let run = run(&mut command);
            let said = format!("the environment variable {name} is not UTF-8: byte 3");
            assert!(run.code == 2 && format!("{run:?}").contains(&said), "{said}: {run:?}");
        }
    }
}
