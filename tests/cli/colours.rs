//! Who wants no colours gets none, and who wants them gets them: `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, `TERM`.

#[cfg(feature = "tui")]
use crate::common::pty::Console;
use crate::common::{Database, Run, midwatch, run};

type Env<'a> = &'a [(&'a str, &'a str)];

/// What is said about colours, and whether a terminal and a pipe get them.
const WISHES: [(Env<'_>, bool, bool); 11] = [
    (&[], true, false),
    (&[("NO_COLOR", "1")], false, false),
    (&[("NO_COLOR", "")], true, false),
    (&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false, false),
    (&[("CLICOLOR_FORCE", "1")], true, true),
    (&[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")], true, true),
    (&[("CLICOLOR_FORCE", "0")], true, false),
    (&[("CLICOLOR", "0")], false, false),
    (&[("CLICOLOR", "1")], true, false),
    (&[("TERM", "dumb")], false, false),
    (&[("TERM", "dumb"), ("CLICOLOR", "1")], false, false),
];

fn piped(args: &[&str], env: Env<'_>) -> Run {
    let home = tempfile::tempdir().unwrap();
    run(midwatch(home.path()).env("TERM", "xterm").envs(env.iter().copied()).args(args))
}

/// Does anything on the screen of a terminal look other than plain?
#[cfg(feature = "tui")]
fn styled(args: &[&str], env: Env<'_>) -> bool {
    let silent = [("CLICOLOR", ""), ("CLICOLOR_FORCE", "")];
    let env: Vec<_> = silent.iter().chain(env).copied().collect();
    let (_, parser) = Console::start(env!("CARGO_BIN_EXE_midwatch"), (100, 60), args, &env).end();
    let screen = parser.screen();
    let cells = (0..60).flat_map(|row| (0..100).filter_map(move |column| screen.cell(row, column)));
    assert!(screen.contents().contains("midwatch"), "{}", screen.contents());
    cells.into_iter().any(|cell| cell.fgcolor() != vt100::Color::Default || cell.bold() || cell.underline())
}

#[test]
fn help_and_usage_have_colours_where_they_are_wanted() {
    for (env, _, pipe) in WISHES {
        assert_eq!(piped(&["--help"], env).stdout.contains('\x1b'), pipe, "{env:?}");
        assert_eq!(piped(&["--nope"], env).stderr.contains('\x1b'), pipe, "{env:?}");
    }
    let forced = [("CLICOLOR_FORCE", "1")];
    assert!(!piped(&["--no-color", "--help"], &forced).stdout.contains('\x1b'));
    assert!(!piped(&["--nope", "--json"], &forced).stdout.contains('\x1b'));
}

#[cfg(feature = "tui")]
#[test]
fn a_terminal_has_colours_where_they_are_wanted() {
    for (env, terminal, _) in WISHES {
        assert_eq!(styled(&["--help"], env), terminal, "{env:?}");
    }
    assert!(!styled(&["--no-color", "--help"], &[]));
}

#[tokio::test]
async fn answers_have_colours_where_they_are_wanted() {
    let database = Database::empty().await;
    for (env, _, pipe) in WISHES {
        let url = database.url();
        let env: Vec<_> = env.iter().copied().chain([("DATABASE_URL", url.as_str())]).collect();
        let text = piped(&["check"], &env).stdout;
        assert!(text.contains("ok"), "{text}");
        assert_eq!(text.contains("\x1b[32m✓ ok     \x1b[0m"), pipe, "{env:?} {text:?}");
        assert_eq!(text.contains('\x1b'), pipe, "{env:?} {text:?}");
        assert!(!piped(&["check", "--json"], &env).stdout.contains('\x1b'), "{env:?}");
    }
}
