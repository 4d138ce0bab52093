//! Configuration and profile files: each broken one with its line and a hint.

use std::path::{Path, PathBuf};

use crate::common::{Database, Run, midwatch, run};

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config").join(kind);
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(files.len() >= 3);
    files
}

fn config(file: &Path, args: &[&str]) -> Run {
    let home = tempfile::tempdir().unwrap();
    run(midwatch(home.path()).arg("--config").arg(file).args(args))
}

#[test]
fn valid_configurations_are_taken() {
    for file in fixtures("valid") {
        let run = config(&file, &["config", "check"]);
        assert_eq!(run.code, 0, "{}: {run:?}", file.display());
        assert_eq!(config(&file, &["config", "show", "--json"]).code, 0);
    }
}

/// Each says what is expected in its first line: `# expect: LINE: message | hint`.
#[test]
fn invalid_configurations_are_refused_with_their_line() {
    for file in fixtures("invalid") {
        let text = std::fs::read_to_string(&file).unwrap();
        let expected = text.lines().next().unwrap().strip_prefix("# expect: ").unwrap();
        let (message, hint) = expected.split_once(" | ").unwrap_or((expected, ""));
        let run = config(&file, &["config", "check"]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}: {run:?}", file.display());
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(run.stderr.contains(&format!("{name}:{message}")), "{name}: {run:?}");
        assert!(hint.is_empty() || run.stderr.contains(&format!("hint: {hint}")), "{name}: {run:?}");
        let json = config(&file, &["config", "check", "--json"]);
        assert_eq!((json.code, &json.json()["error"]["class"]), (2, &"usage".into()));
    }
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir(path("folder.toml")).unwrap();
    std::fs::write(path("latin.toml"), b"default_target = \"caf\xe9\"").unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling.toml")).unwrap();
    for name in ["folder.toml", "latin.toml", "dangling.toml", "absent.toml"] {
        let run = config(&path(name), &["config", "show"]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains(&format!("failed to read {}", path(name).display())), "{run:?}");
        let run = config(&path(name), &["check"]);
        assert_eq!(run.code, 2, "{run:?}");
    }
    let log = path("folder.toml").display().to_string();
    let run = run(midwatch(dir.path()).args(["config", "example", "--log-file", &log]));
    assert!(run.code == 2 && run.stderr.contains("failed to open the log file"), "{run:?}");
}

#[tokio::test]
async fn a_migration_file_that_cannot_be_read_is_unknown() {
    let database = Database::empty().await;
    database.owner().await.execute_script("create table schema_migrations (version text)").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("m")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("m/1_a.sql")).unwrap();
    std::fs::write(
        dir.path().join("p.toml"),
        "name = \"p\"\n[[migrations]]\nname = \"m\"\nfolder = \"m\"\nhistory = \"versions\"\n",
    )
    .unwrap();
    let mut command = midwatch(dir.path());
    let run =
        run(command.env("DATABASE_URL", database.url()).args(["check", "--profile", "p.toml", "--json"]));
    assert_eq!(run.code, 5, "{run:?}");
    let why = run.json()["checks"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("1_a.sql"), "{why}");
}

#[tokio::test]
async fn an_output_that_cannot_be_written() {
    let database = Database::empty().await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let mut command = midwatch(dir.path());
    let run = run(command.env("DATABASE_URL", database.url()).args(["check", "--out", "file/out.json"]));
    assert!(run.code == 2 && run.stderr.contains("failed to write file/out.json"), "{run:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
