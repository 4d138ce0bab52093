//! Every kind of migration history, made by its tool or from its documented table, in every state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::model::report::{Report, Severity};
use sha2::{Digest, Sha256};
use sqlx::Connection as _;

use crate::common::{Database, observe, open};

const A: &str = "CREATE TABLE a (id int PRIMARY KEY);\n";
const B: &str = "CREATE TABLE b (id int PRIMARY KEY);\nCREATE INDEX b_id ON b (id);\n";
const C: &str = "ALTER TABLE a ADD COLUMN note text;\n";
const D: &str = "CREATE FUNCTION d() RETURNS int LANGUAGE sql AS $$SELECT 1$$;\n";

/// A database, a folder of files, and the kind of history between them.
struct Case {
    database: Database,
    dir: tempfile::TempDir,
    kind: &'static str,
}

impl Case {
    async fn new(kind: &'static str, files: &[(&str, &str)]) -> Self {
        let case = Self { database: Database::empty().await, dir: tempfile::tempdir().unwrap(), kind };
        std::fs::create_dir(case.folder()).unwrap();
        for (name, text) in files {
            case.write(name, text);
        }
        case
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("files")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder().join(name), text).unwrap();
    }

    async fn run(&self, sql: &str) {
        self.database.owner().await.execute_script(sql).await.unwrap();
    }

    async fn look(&self) -> Look {
        self.look_with("").await
    }

    async fn look_with(&self, more: &str) -> Look {
        let profile = format!(
            "name = \"p\"\n[[migrations]]\nname = \"app\"\nfolder = \"files\"\nhistory = \"{}\"\n{more}",
            self.kind
        );
        std::fs::write(self.dir.path().join("p.toml"), profile).unwrap();
        let engine = open(&self.database.url(), Some("p.toml"), self.dir.path()).await.unwrap();
        Look(observe(&engine, "migrations/app").await)
    }

    /// The files as sqlx's own migrator applies them.
    async fn migrate_with_sqlx(&self) -> Result<(), sqlx::migrate::MigrateError> {
        let mut connection = sqlx::PgConnection::connect(&self.database.url()).await.unwrap();
        sqlx::migrate::Migrator::new(self.folder()).await?.run(&mut connection).await
    }
}

struct Look(Report);

impl Look {
    fn states(&self) -> BTreeMap<String, String> {
        let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
        self.0.facts["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (text(&f["file"]), text(&f["state"])))
            .collect()
    }

    fn assert_states(&self, expected: &[(&str, &str)]) {
        let expected: BTreeMap<_, _> =
            expected.iter().map(|(f, s)| ((*f).to_owned(), (*s).to_owned())).collect();
        assert_eq!(self.states(), expected, "{:?}", self.0);
    }

    /// Exactly these findings.
    fn assert_finds(&self, expected: &[&str]) {
        let found: BTreeSet<_> =
            self.0.findings.iter().map(midwatch::engine::model::report::Finding::what).collect();
        assert_eq!(found, expected.iter().copied().collect(), "{:?}", self.0);
    }

    fn message(&self, what: &str) -> &str {
        &self.0.findings.iter().find(|f| f.what() == what).unwrap().message
    }

    fn assert_counts(&self, applied: u64, pending: u64) {
        assert_eq!((&self.0.facts["applied"], &self.0.facts["pending"]), (&applied.into(), &pending.into()));
    }

    fn status(&self) -> &'static str {
        self.0.status.word()
    }
}

#[tokio::test]
async fn without_a_history_the_catalog_is_asked() {
    let data = "UPDATE a SET id = id;\n";
    let files = [("1_a.sql", A), ("2_b.sql", B), ("3_c.sql", C), ("4_d.sql", D), ("5_data.sql", data)];
    let case = Case::new("none", &files).await;
    let look = case.look().await;
    look.assert_states(&[
        ("1_a.sql", "pending"),
        ("2_b.sql", "pending"),
        ("3_c.sql", "pending"),
        ("4_d.sql", "pending"),
        ("5_data.sql", "unknown"),
    ]);
    // A file that leaves no trace cannot be told, and unknown is not ok.
    assert_eq!(look.status(), "unknown");
    assert!(look.0.status.why().unwrap().contains("5_data.sql"));

    case.run(&format!("{A}CREATE TABLE b (id int PRIMARY KEY);{C}")).await;
    let look = case
        .look_with("[migrations.probes]\n5 = \"select not exists (select from a where id is null)\"\n")
        .await;
    look.assert_states(&[
        ("1_a.sql", "applied"),
        ("2_b.sql", "partial"),
        ("3_c.sql", "applied"),
        ("4_d.sql", "pending"),
        ("5_data.sql", "applied"),
    ]);
    look.assert_counts(3, 1);
    look.assert_finds(&["partial", "pending"]);
    assert!(look.message("partial").contains("lacks relation b_id"), "{:?}", look.0);
    assert_eq!(look.0.facts["cannot_tell"].as_array().unwrap().len(), 2);
    case.run("CREATE INDEX b_id ON b (id); CREATE FUNCTION d() RETURNS int LANGUAGE sql AS 'SELECT 2'").await;
    // Another body is not this file's work.
    case.look().await.assert_finds(&["pending"]);
}

#[tokio::test]
async fn what_a_later_file_drops_is_not_missed() {
    let files = [("1_a.sql", A), ("2_b.sql", B), ("3_drop.sql", "DROP TABLE b;\nCREATE TABLE c ();\n")];
    let case = Case::new("none", &files).await;
    case.run(&format!("{A}{B}DROP TABLE b; CREATE TABLE c ();")).await;
    let look = case.look().await;
    // Nothing of the second file can be left: it cannot be told, not taken for pending.
    look.assert_states(&[("1_a.sql", "applied"), ("2_b.sql", "unknown"), ("3_drop.sql", "applied")]);
    look.assert_finds(&[]);
}

#[tokio::test]
async fn numbers_and_copies() {
    let files = [
        ("001_a.sql", A),
        ("002_b.sql", B),
        ("002_c.sql", C),
        ("005_a_again.sql", "-- the same\ncreate table A(id int primary key);"),
    ];
    let case = Case::new("none", &files).await;
    case.run(&format!("{A}{B}{C}")).await;
    let look = case.look().await;
    look.assert_finds(&["duplicate_number", "gap", "duplicate_copy"]);
    assert!(look.message("duplicate_number").starts_with("002_b.sql and 002_c.sql"));
    assert!(look.message("gap").starts_with("between 002_c.sql and 005_a_again.sql"));
    assert!(look.message("duplicate_copy").starts_with("005_a_again.sql of 001_a.sql"));
    for kind in ["duplicate_number", "gap", "duplicate_copy"] {
        assert_eq!(look.0.facts[kind], 1);
    }
}

#[tokio::test]
async fn numbers_that_are_times_have_no_gaps() {
    let case = Case::new("none", &[("20250101120000_a.sql", A), ("20250301120000_b.sql", B)]).await;
    case.run(&format!("{A}{B}")).await;
    case.look().await.assert_finds(&[]);
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[tokio::test]
async fn our_own_history_tells_everything() {
    let case = Case::new("midwatch", &[("1_a.sql", A), ("2_b.sql", B), ("3_c.sql", C), ("4_d.sql", D)]).await;
    case.run(include_str!("../../../migrations/midwatch/postgres/001_migrations.sql")).await;
    let look = case.look().await;
    look.assert_counts(0, 4);
    look.assert_finds(&["pending"]);
    assert_eq!(look.status(), "warn");

    case.run(&format!("{A}{B}{C}{D}")).await;
    for (file, text) in [("1_a.sql", A), ("2_b.sql", B), ("4_d.sql", D), ("0_gone.sql", "SELECT 1")] {
        let sql = format!(
            "INSERT INTO midwatch.migrations (folder, file, checksum, normalised) VALUES ('app', '{file}', '{0}', '{0}'),
             ('elsewhere', '{file}', 'x', 'x')",
            sha256(text)
        );
        case.run(&sql).await;
    }
    let look = case.look().await;
    look.assert_states(&[
        ("0_gone.sql", "missing"),
        ("1_a.sql", "applied"),
        ("2_b.sql", "applied"),
        ("3_c.sql", "pending"),
        ("4_d.sql", "applied"),
    ]);
    look.assert_finds(&["missing_file", "pending", "present_but_unrecorded"]);

    case.run("DROP TABLE b; ALTER TABLE a DROP COLUMN note").await;
    case.write("1_a.sql", &A.replace('\n', "\r\n"));
    case.write("4_d.sql", &D.replace("SELECT 1", "SELECT 10"));
    let look = case.look().await;
    look.assert_states(&[
        ("0_gone.sql", "missing"),
        ("1_a.sql", "cosmetic"),
        ("2_b.sql", "applied"),
        ("3_c.sql", "pending"),
        ("4_d.sql", "edited"),
    ]);
    look.assert_finds(&[
        "missing_file",
        "pending",
        "out_of_order",
        "cosmetic",
        "edited",
        "recorded_but_absent",
    ]);
    assert!(look.message("recorded_but_absent").contains("2_b.sql"));
    assert_eq!(look.0.findings.iter().find(|f| f.what() == "cosmetic").unwrap().severity, Severity::Info);
    let applied =
        look.0.facts["files"].as_array().unwrap().iter().filter(|f| !f["applied_at"].is_null()).count();
    assert_eq!(applied, 4);
}

#[tokio::test]
async fn sqlx_as_its_migrator_leaves_it() {
    let case = Case::new("sqlx", &[("1_a.sql", A), ("2_b.sql", B)]).await;
    let look = case.look().await;
    assert_eq!(look.status(), "unknown");
    assert!(look.0.status.why().unwrap().contains("no history table _sqlx_migrations"));
    let there = "SELECT count(*)::text FROM pg_class WHERE relname = '_sqlx_migrations'";
    assert_eq!(value(&mut case.database.owner().await, there).await, "0");

    case.migrate_with_sqlx().await.unwrap();
    let look = case.look().await;
    assert_eq!(look.status(), "ok", "{:?}", look.0);
    look.assert_counts(2, 0);
    assert!(look.0.facts["files"][0]["applied_at"].is_string());

    case.write("1_a.sql", "-- explained\nCREATE TABLE a (id int PRIMARY KEY);\n\n");
    case.write("2_b.sql", &format!("{B}\n"));
    case.write("3_c.sql", C);
    let look = case.look().await;
    // sqlx keeps a digest of the bytes: added comments cannot be told from other edits, blanks can.
    look.assert_states(&[("1_a.sql", "edited"), ("2_b.sql", "cosmetic"), ("3_c.sql", "pending")]);
    look.assert_finds(&["edited", "cosmetic", "pending"]);

    std::fs::remove_file(case.folder().join("2_b.sql")).unwrap();
    case.look().await.assert_finds(&["edited", "missing_file", "gap", "pending"]);
}

#[tokio::test]
async fn sqlx_that_failed_half_way() {
    let broken = "-- no-transaction\nCREATE TABLE half ();\nSELECT 1 / 0;\n";
    let case = Case::new("sqlx", &[("1_a.sql", A), ("2_half.sql", broken)]).await;
    case.migrate_with_sqlx().await.unwrap_err();
    let look = case.look().await;
    assert_ne!(look.states()["2_half.sql"], "applied", "{:?}", look.0);
    assert_eq!(look.states()["1_a.sql"], "applied");
    assert_ne!(look.status(), "ok");
    // What sqlx writes of a migration without a transaction while it runs.
    case.run(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
              VALUES (2, 'half', false, '\\x00', -1) ON CONFLICT (version) DO UPDATE SET success = false",
    )
    .await;
    let look = case.look().await;
    look.assert_states(&[("1_a.sql", "applied"), ("2_half.sql", "failed")]);
    assert_eq!(look.status(), "fail");
}

async fn value(owner: &mut Owner, sql: &str) -> String {
    owner.fetch_value(sql, &[]).await.unwrap().unwrap_or_default()
}

/// The folder that drizzle-orm itself migrated; see the note in the history file.
async fn drizzle() -> Case {
    let case = Case::new("drizzle", &[]).await;
    let fixture = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/migrations/drizzle"));
    std::fs::create_dir(case.folder().join("meta")).unwrap();
    let files = ["0000_people.sql", "0001_orders.sql", "0002_index.sql", "meta/_journal.json"];
    for file in files {
        std::fs::copy(fixture.join(file), case.folder().join(file)).unwrap();
    }
    for file in &files[..3] {
        case.run(&std::fs::read_to_string(fixture.join(file)).unwrap()).await;
    }
    case.run(include_str!("../../fixtures/migrations/drizzle.history.sql")).await;
    case
}

#[tokio::test]
async fn drizzle_as_drizzle_leaves_it() {
    let case = drizzle().await;
    let look = case.look().await;
    assert_eq!(look.status(), "ok", "{:?}", look.0);
    look.assert_counts(3, 0);
    assert_eq!(look.0.facts["files"][1]["applied_at"], "2025-02-01 00:00:00+00");

    // A branch merged late: its time is older than the newest applied, and drizzle will never run it.
    let journal = case.folder().join("meta/_journal.json");
    let late =
        r#"{ "idx": 3, "version": "7", "when": 1738400000000, "tag": "0003_late", "breakpoints": true } ]"#;
    let text = std::fs::read_to_string(&journal).unwrap();
    let (entries, rest) = text.rsplit_once(']').unwrap();
    std::fs::write(&journal, format!("{}, {late}{}", entries.trim_end(), rest)).unwrap();
    case.write("0003_late.sql", "CREATE TABLE late ();\n");
    case.write(
        "0002_index.sql",
        "CREATE INDEX \"orders_person\" ON \"orders\" USING hash (\"person_id\");\n",
    );
    let look = case.look().await;
    look.assert_finds(&["pending", "out_of_order", "edited"]);
    assert!(look.message("out_of_order").contains("drizzle will skip it"));

    std::fs::remove_file(case.folder().join("0001_orders.sql")).unwrap();
    let look = case.look().await;
    assert_eq!(look.states()["0001_orders.sql"], "missing");

    std::fs::write(&journal, "{").unwrap();
    let look = case.look().await;
    assert_eq!(look.status(), "unknown");
    assert!(look.0.status.why().unwrap().contains("_journal.json"), "{:?}", look.0.status);
}

#[tokio::test]
async fn names_in_schema_migrations() {
    let files = [("001_a.sql", A), ("002_b.sql", B), ("003_c.sql", C), ("004_d.sql", D)];
    let case = Case::new("versions", &files).await;
    assert_eq!(case.look().await.status(), "unknown");
    case.run(&format!(
        "{A}{C}{D}
        CREATE TABLE schema_migrations (version text PRIMARY KEY);
        INSERT INTO schema_migrations VALUES ('001_a'), ('2'), ('004_d.sql'), ('009_gone')"
    ))
    .await;
    let look = case.look().await;
    look.assert_states(&[
        ("001_a.sql", "applied"),
        ("002_b.sql", "applied"),
        ("003_c.sql", "pending"),
        ("004_d.sql", "applied"),
        ("009_gone", "missing"),
    ]);
    look.assert_finds(&["recorded_but_absent", "pending", "present_but_unrecorded", "missing_file"]);
    assert_eq!(look.0.facts["cannot_tell"][0], "whether a file was edited since");
}

#[tokio::test]
async fn golang_migrate_keeps_one_number() {
    let files = [("1_a.up.sql", A), ("1_a.down.sql", "DROP TABLE a;"), ("2_b.up.sql", B), ("3_c.up.sql", C)];
    let case = Case::new("versions", &files).await;
    case.run(&format!(
        "{A}{B}
        CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
        INSERT INTO schema_migrations VALUES (2, false)"
    ))
    .await;
    let look = case.look().await;
    look.assert_states(&[("1_a.up.sql", "applied"), ("2_b.up.sql", "applied"), ("3_c.up.sql", "pending")]);
    look.assert_finds(&["pending"]);

    case.run("UPDATE schema_migrations SET version = 3, dirty = true").await;
    let look = case.look().await;
    look.assert_states(&[("1_a.up.sql", "applied"), ("2_b.up.sql", "applied"), ("3_c.up.sql", "failed")]);
    assert_eq!(look.status(), "fail");

    case.run("DELETE FROM schema_migrations").await;
    case.look().await.assert_counts(0, 3);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_unknown() {
    let case = Case::new("versions", &[]).await;
    case.run("CREATE TABLE schema_migrations (version text); INSERT INTO schema_migrations VALUES ('1_a')")
        .await;
    std::fs::remove_dir(case.folder()).unwrap();
    let look = case.look().await;
    assert_eq!(look.status(), "unknown");
    assert!(look.0.status.why().unwrap().contains("failed to read the migration folder"));
    look.assert_finds(&[]);
}

#[tokio::test]
async fn a_file_that_is_no_sql_is_unknown() {
    let case = Case::new("none", &[("1_a.sql", A), ("2_open.sql", "CREATE TABLE 'never closed")]).await;
    std::fs::write(case.folder().join("3_latin.sql"), b"-- caf\xe9\nCREATE TABLE x ();").unwrap();
    case.run(A).await;
    let look = case.look().await;
    look.assert_states(&[("1_a.sql", "applied"), ("2_open.sql", "unknown"), ("3_latin.sql", "unknown")]);
    assert_eq!(look.status(), "unknown");
}

#[tokio::test]
async fn an_index_that_is_invalid_is_found() {
    let case = Case::new("none", &[("1_i.sql", "CREATE UNIQUE INDEX CONCURRENTLY once ON t (x);\n")]).await;
    case.run("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (1)").await;
    let error =
        case.database.owner().await.execute("CREATE UNIQUE INDEX CONCURRENTLY once ON t (x)", &[]).await;
    assert_eq!(error.unwrap_err().code.as_deref(), Some("23505"));
    let look = case.look().await;
    let finding = look.0.findings.iter().find(|f| f.id == "migrations/app/invalid_index/once").unwrap();
    assert_eq!(finding.severity, Severity::Critical);
    assert!(finding.message.contains("index once on t is INVALID"), "{}", finding.message);
    assert_eq!(look.status(), "fail");
    case.run("DROP INDEX once; DELETE FROM t; CREATE UNIQUE INDEX once ON t (x)").await;
    assert_eq!(case.look().await.status(), "ok");
}
