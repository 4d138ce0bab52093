//! Secrets: a password is shown by no argument, error, log or panic, and stands in no child's arguments or environment.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use clap::Arg;
use midwatch::dialect::postgres::Connection;
use midwatch::engine::port::copies::{Copies as _, CopyRequest, Rows};
use midwatch::sandbox::{Binaries, Options, SandboxCopies, Server};

use crate::common::{Database, engine, midwatch, observe, run, this_test};

/// In every spelling below.
const CANARY: &str = "c4nary7word";

/// Every command by its words, with its own arguments; those of all commands come with the first.
fn commands() -> Vec<(Vec<String>, Vec<Arg>)> {
    fn collect(command: &mut clap::Command, words: &[String], out: &mut Vec<(Vec<String>, Vec<Arg>)>) {
        command.build();
        let all = words.is_empty();
        let own = command.get_arguments().filter(|a| all || !a.is_global_set()).cloned().collect();
        out.push((words.to_vec(), own));
        for sub in command.get_subcommands_mut() {
            let words = [words, &[sub.get_name().to_owned()]].concat();
            collect(sub, &words, out);
        }
    }
    let mut out = Vec::new();
    collect(&mut midwatch::cli::grammar(), &[], &mut out);
    out
}

/// How an argument may hold a password, as words of the command line.
fn spellings(arg: &Arg) -> Vec<Vec<String>> {
    let values = [
        format!("postgres://u:{CANARY}@h/d"),
        format!("postgres://u@h/d?password={CANARY}&sslmode=require"),
        format!("host=h user=u password={CANARY}"),
        format!("key=postgres://u:{CANARY} x@h/d"),
    ];
    let name = arg.get_long().map(|l| format!("--{l}")).or_else(|| arg.get_short().map(|s| format!("-{s}")));
    let spelled = |value: String| match &name {
        Some(name) => vec![vec![name.clone(), value.clone()], vec![format!("{name}={value}")]],
        None => vec![vec![value]],
    };
    values.into_iter().flat_map(spelled).collect()
}

/// All that is below a directory, names and contents.
fn all_of(dir: &Path) -> String {
    let mut out = String::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let _ = writeln!(out, "{}", entry.path().display());
        if entry.file_type().unwrap().is_dir() {
            out += &all_of(&entry.path());
        } else {
            out += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
        }
    }
    out
}

/// At 4eabe32 a url pasted as `--target`, `--config`, `--profile`, `--set`, `--out` or as a word of its own was quoted with
/// its password in the error, in JSON, in the log, and in what the argument parser said.
#[test]
fn no_argument_of_any_command_shows_a_password() {
    let mut cases = Vec::new();
    for (words, arguments) in commands() {
        // A flag is given a value as well: that is wrong, and said.
        for arg in arguments {
            for (n, spelling) in spellings(&arg).into_iter().enumerate() {
                let format = [&["-vv"][..], &["--json", "-vv", "--log-file", "log"]][n % 2];
                let format = format.iter().map(ToString::to_string).collect();
                cases.push([words.clone(), spelling, format].concat());
            }
        }
    }
    assert!(cases.len() > 200, "{}", cases.len());
    let half = cases.len().div_ceil(2);
    std::thread::scope(|scope| {
        for part in cases.chunks(half) {
            scope.spawn(move || {
                let home = tempfile::tempdir().unwrap();
                for args in part {
                    let mut command = midwatch(home.path());
                    let run = run(command.args(args).env("DATABASE_URL", "postgres://u@127.0.0.1:1/d"));
                    let seen = format!("{run:?}{}", all_of(home.path()));
                    assert!(run.code == 2 && !seen.contains(CANARY), "{args:?}: {seen}");
                }
            });
        }
    });
}

/// At 4eabe32, and in part until now: what was meant for a password, and was written as libpq does not read it, was taken for
/// a host and looked up, or quoted.
#[test]
fn no_piece_of_a_password_is_shown_however_it_is_written() {
    for (name, value) in [
        ("DATABASE_URL", format!("postgres://u:se@{CANARY}@h/d")),
        ("DATABASE_URL", format!("postgres://u:12/{CANARY}@h")),
        ("DATABASE_URL", format!("postgres://u:p/w?{CANARY}=1@h")),
        ("DATABASE_URL", format!("user=u password='x {CANARY}' host=://h")),
        ("DATABASE_URL", format!("user=u password={CANARY}://x host=127.0.0.1 port=1")),
        ("PGDATABASE", format!("postgres://u:{CANARY}@h/d")),
        ("PGHOST", format!("host=h password={CANARY}")),
        ("PGSERVICE", format!("postgres://u:{CANARY}@h/d")),
    ] {
        for args in [&["check"][..], &["config", "show"], &["doctor"], &["config", "show", "--json"]] {
            let home = tempfile::tempdir().unwrap();
            let mut command = midwatch(home.path());
            let run = run(command.args(args).arg("-vv").env(name, &value));
            assert!(!format!("{run:?}").contains(CANARY), "{name}={value} {args:?}: {run:?}");
        }
    }
    for word in [
        format!("host=h password= {CANARY}"),
        format!("host=h password = {CANARY}"),
        format!("postgres://u:${CANARY}-x@h/d"),
        format!("password='$a {CANARY}'"),
    ] {
        for args in [&["check", "--target", &word][..], &["runs", &word], &["--profile", &word, "check"]] {
            let home = tempfile::tempdir().unwrap();
            let run = run(midwatch(home.path()).args(args).env("DATABASE_URL", "postgres://u@127.0.0.1:1/d"));
            assert!(run.code == 2 && !format!("{run:?}").contains(CANARY), "{args:?}: {run:?}");
        }
    }
}

/// At 4eabe32 the message of a panic went to the terminal as it was.
#[cfg(feature = "tui")]
#[test]
fn a_panic_shows_no_password_and_no_sequence() {
    let message = format!("\u{1b}]0;owned\u{7} postgres://u:{CANARY}@h/d");
    let env = [("DATABASE_URL", "postgres://u@127.0.0.1:1/x"), ("MIDWATCH_TEST_PANIC", message.as_str())];
    let console = crate::common::pty::Console::start(env!("CARGO_BIN_EXE_midwatch"), (160, 24), &[], &env);
    console.shows("postgres://u:***@h/d");
    let raw = console.raw();
    assert!(!raw.contains(CANARY) && !raw.contains("\u{1b}]0;"), "{raw}");
}

/// Run by the test below, with the programs of a directory that records how they are called.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process of its own"]
async fn copies_with_recorded_programs() {
    let url = std::env::var("TARGET").unwrap();
    let version = std::env::var("VERSION").unwrap();
    let copies = SandboxCopies::new(
        Connection::new(Some(&url)).unwrap(),
        None,
        version,
        vec!["public".into()],
        vec![],
    );
    let request =
        CopyRequest { relations: vec!["public.t".into()], rows: Rows::Sample(10), ..CopyRequest::default() };
    let copy = copies.open(&request).await.unwrap();
    assert!(copy.summary().contains("rows: 1 of "), "{}", copy.summary());
}

/// In `programs` one for each of `real`, which records in `seen` how it is called.
fn record(real: &Path, programs: &Path, seen: &Path) {
    for entry in std::fs::read_dir(real).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let script = format!(
            "#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ > {seen}/{name}.$$\n\
             [ -z \"$PGPASSFILE\" ] || {{ stat -c 'mode %a' \"$PGPASSFILE\"; echo \"file $PGPASSFILE\"; }} > {seen}/pass.{name}.$$\n\
             exec {real}/{name} \"$@\"\n",
            seen = seen.display(),
            real = real.display()
        );
        let path = programs.join(&name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// At 4eabe32 `PGPASSWORD` stood in the environment of `pg_dump` and `psql`, which hand it on to whatever they start; it now
/// stands in a file of 0600 that is gone when the program has ended. Until now that file offered the first host's password to
/// every host.
#[test]
fn no_child_has_the_password_in_arguments_or_environment() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let hba = dir.path().join("pg_hba.conf");
    std::fs::write(&hba, "local all keeper trust\nlocal all all scram-sha-256\n").unwrap();
    let settings = vec![("hba_file".to_owned(), hba.display().to_string())];
    let server = Server::start_blocking(Options { memory: true, settings, ..Options::default() }).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut owner = server.owner("postgres").await.unwrap();
        let sql = format!(
            "create role app superuser login password '{CANARY}'; create table t (id int primary key); insert into t values (1)"
        );
        owner.execute_script(&sql).await.unwrap();
    });

    let (real, seen) = (Binaries::find().unwrap(), dir.path().join("seen"));
    let programs = dir.path().join("bin");
    std::fs::create_dir_all(&programs).unwrap();
    std::fs::create_dir(&seen).unwrap();
    std::fs::set_permissions(&seen, std::fs::Permissions::from_mode(0o777)).unwrap();
    let real = real.command("psql").get_program().to_owned();
    record(Path::new(&real).parent().unwrap(), &programs, &seen);
    let url = server.url("postgres").replacen("keeper@", &format!("app:{CANARY}@"), 1);
    // Two hosts, with a password each: that of the first is not for the second.
    let (passes, socket_dir) = (dir.path().join("passes"), server.socket_dir());
    let socket_dir = socket_dir.display();
    std::fs::write(&passes, format!("127.0.0.1:1:*:*:of-the-first\n{socket_dir}:5432:*:*:{CANARY}\n"))
        .unwrap();
    std::fs::set_permissions(&passes, std::fs::Permissions::from_mode(0o600)).unwrap();
    let two = format!(
        "host=127.0.0.1,{socket_dir} port=1,5432 user=app dbname=postgres passfile={}",
        passes.display()
    );
    for target in [url, two] {
        let mut copying: Command = this_test("secrets::copies_with_recorded_programs");
        copying.env("TARGET", target).env("VERSION", server.version().to_string());
        let output = copying.env("MIDWATCH_PG_BIN", &programs).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    let mut files = 0;
    for entry in std::fs::read_dir(&seen).unwrap().map(Result::unwrap) {
        let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
        let name = entry.file_name().to_string_lossy().into_owned();
        // The test itself names the target in its environment; its children get a clean one.
        assert!(!text.contains(CANARY), "{name}: {text}");
        if let Some(file) = text.lines().find_map(|l| l.strip_prefix("file ")) {
            files += 1;
            assert!(text.contains("mode 600"), "{name}: {text}");
            assert!(!Path::new(file).exists(), "{file} is still there");
        }
    }
    assert!(files >= 1, "{files} programs were given a file");
}

/// At 4eabe32 `check parity` showed the values of `secret_columns` in its findings' samples: rows that differ in one, and all
/// others of such a row.
#[tokio::test(flavor = "multi_thread")]
async fn parity_shows_that_a_secret_differs_and_not_its_value() {
    let database = Database::empty().await;
    let sql = format!(
        "create table t (id int primary key, pin text, note text);
         create table p (id int primary key, pin text, note text) partition by range (id);
         create table p1 partition of p for values from (0) to (100);
         insert into t values (1, '{CANARY}-a', 'same'), (2, '{CANARY}-c', 'x'), (3, null, 'n');
         insert into p values (1, '{CANARY}-b', 'same'), (3, '{CANARY}-d', 'n')"
    );
    database.owner().await.execute_script(&sql).await.unwrap();
    let profile = "name = \"p\"\nsecret_columns = [\"t.pin\"]\n[[twins]]\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\n";
    let engine = engine(&database.url(), profile).await;
    let report = observe(&engine, "parity/t").await;
    let text = serde_json::to_string(&report.findings).unwrap() + &format!("{report:?}");
    assert!(!text.contains(CANARY), "{text}");
    assert!(text.contains("\"pin\":\"(secret)\"") && text.contains("same"), "{text}");
    assert_eq!(report.facts["different"], 2, "{text}");
    // By page, as the console and exports read them.
    for finding in &report.findings {
        if let Some(source) = engine.rows(&report.id, &finding.id) {
            let rows = crate::common::all_rows(&engine, source).await;
            assert!(!format!("{rows:?}").contains(CANARY), "{rows:?}");
        }
    }
}
