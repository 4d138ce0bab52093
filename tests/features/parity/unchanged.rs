//! Partitions found equal are read again exactly when something was written there, whoever wrote it and however.

use std::path::Path;

use midwatch::compose;
use midwatch::dialect::postgres::journal::install;
use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::Engine;
use midwatch::engine::check::kind::SILENT;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::report::Report;
use midwatch::engine::plan::request::Request;
use midwatch::features::parity::options::FULL;
use midwatch::profile::{Secret, Selected, TargetConfig};
use midwatch::report::text::{self, Style};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Database, midwatch, run};

const PROFILE: &str =
    "name = \"p\"\n[[twins]]\nname = \"pair\"\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\n";

const TWIN: &str = "
    create table t (id int primary key, d timestamp not null, v text);
    create table p (v text, id int not null, d timestamp not null, primary key (id, d)) partition by range (d);
    do $$ begin for m in 1..6 loop
      execute format('create table p%s partition of p for values from (%L) to (%L)', m,
        make_timestamp(2025, m, 1, 0, 0, 0), make_timestamp(2025, m + 1, 1, 0, 0, 0)); end loop; end $$;
    insert into t select i, make_timestamp(2025, 1 + i % 6, 1 + i % 20, 3, 0, 0), 'v' || i from generate_series(1, 600) i;
    insert into p (id, d, v) select id, d, v from t;
    create function mirror() returns trigger language plpgsql as $$ begin
      if tg_op <> 'INSERT' then delete from p where id = old.id; end if;
      if tg_op <> 'DELETE' then insert into p (id, d, v) values (new.id, new.d, new.v); end if; return null; end $$;
    create trigger mirror after insert or update or delete on t for each row execute function mirror();";

pub(super) struct World {
    pub(super) database: Database,
    state: TempDir,
}

pub(super) async fn open(url: &str, profile: &str, dir: &Path) -> Engine {
    std::fs::write(dir.join("p.toml"), profile).unwrap();
    let selected = Selected {
        name: "test".into(),
        config: TargetConfig { profile: Some("p.toml".into()), ..TargetConfig::default() },
        url: Some(Secret::new(url)),
        base: dir.to_owned(),
        policy: midwatch::engine::model::policy::Policy::default(),
        state_dir: Some(dir.to_owned()),
    };
    compose::connect(selected).await.unwrap()
}

impl World {
    pub(super) async fn new(sql: &str) -> Self {
        let world = Self { database: Database::empty().await, state: tempfile::tempdir().unwrap() };
        world.run(&install::script().unwrap()).await;
        world.run(sql).await;
        world
    }

    pub(super) async fn run(&self, sql: &str) {
        self.database.owner().await.execute_script(sql).await.unwrap();
    }

    pub(super) async fn engine(&self) -> Engine {
        open(&self.database.url(), PROFILE, self.state.path()).await
    }

    pub(super) async fn look(&self) -> Report {
        self.look_as(Params::default()).await
    }

    async fn look_as(&self, params: Params) -> Report {
        let engine = self.engine().await;
        engine.observe_with(&engine.ids()[0], &params, SILENT).await
    }

    /// The statements that `watch` plans, carried out by hand.
    pub(super) async fn watch(&self) {
        let request = Request::Operation { verb: "watch".into(), name: None, params: Params::default() };
        let plan = self.engine().await.plan(&request, &|_| ()).await.unwrap().plan;
        for step in &plan.steps {
            self.run(&step.statements.join(";\n")).await;
        }
    }
}

/// Names of the partitions that were read.
fn open_ones(report: &Report) -> Vec<&str> {
    let partitions = report.facts["partitions"].as_array().unwrap();
    partitions.iter().filter(|p| p["sealed"] == false).map(|p| p["partition"].as_str().unwrap()).collect()
}

/// The years of these partitions are over, which is said as well.
fn differences(report: &Report) -> u64 {
    let classes =
        ["different", "missing_in_partitioned", "missing_in_legacy", "stale", "duplicate", "not_classified"];
    classes.iter().map(|c| report.facts[c].as_u64().unwrap()).sum()
}

fn why(report: &Report) -> &str {
    report.facts["unsealed"].as_str().unwrap_or_default()
}

const ALL: [&str; 6] = ["p1", "p2", "p3", "p4", "p5", "p6"];

/// Watched, and everything found equal.
async fn sealed() -> World {
    let world = World::new(TWIN).await;
    world.watch().await;
    assert_eq!(open_ones(&world.look().await), ALL);
    let report = world.look().await;
    assert_eq!((open_ones(&report), differences(&report)), (vec![], 0), "{report:?}");
    world
}

#[tokio::test]
async fn without_marks_nothing_is_sealed() {
    let world = World::new(TWIN).await;
    for _ in 0..2 {
        let report = world.look().await;
        assert_eq!((open_ones(&report), differences(&report)), (ALL.to_vec(), 0), "{report:?}");
        assert!(why(&report).contains("nothing marks writes"), "{}", why(&report));
    }
}

/// A session that has ended has told what it read.
async fn alone(owner: &mut Owner) {
    let others = "select count(*)::text from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    while owner.fetch_value(others, &[]).await.unwrap().as_deref() != Some("0") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_seal_names_its_proof_and_reads_no_row() {
    let world = sealed().await;
    let reads = "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::text from pg_stat_user_tables where relname ~ '^(t|p[0-9]?)$'";
    let mut owner = world.database.owner().await;
    alone(&mut owner).await;
    let before = owner.fetch_value(reads, &[]).await.unwrap();
    let report = world.look().await;
    alone(&mut owner).await;
    assert_eq!(owner.fetch_value(reads, &[]).await.unwrap(), before);
    let first = &report.facts["partitions"][0];
    assert!(first["proved_at"].is_string() && first["proof_snapshot"].is_string(), "{first}");
    assert_ne!(first["proof_snapshot"], report.facts["snapshot"]);
    assert_eq!((&report.facts["legacy_rows"], &report.facts["sealed"]), (&Value::from(600), &Value::from(6)));
    let plain = Style { colour: false };
    let text = text::checks(&world.engine().await.target(), std::slice::from_ref(&report), plain);
    let proof = format!("snapshot {}", first["proof_snapshot"].as_str().unwrap());
    assert!(
        text.contains("6 of 6 partitions sealed, oldest proof ")
            && text.contains(" s ago, snapshot ")
            && text.contains(&proof),
        "{text}"
    );
    let full = world.look_as(Params::yes(&FULL)).await;
    assert_eq!(open_ones(&full), ALL);
    assert!(why(&full).contains("--full"));
    let text = text::checks(&world.engine().await.target(), &[full], plain);
    assert!(!text.contains("sealed, oldest"), "{text}");
}

#[tokio::test]
async fn a_flag_of_the_command_line_and_its_key_ask_for_the_same() {
    let world = sealed().await;
    let url = world.database.url();
    let config = format!(
        "state_dir = \".\"\n[targets.main]\nurl = \"{url}\"\nprofile = \"p.toml\"\nenvironment = \"demo\"\n"
    );
    std::fs::write(world.state.path().join("midwatch.toml"), config).unwrap();
    let looked = |args: &[&str]| {
        let ran = run(midwatch(world.state.path()).arg("check").args(args).arg("--json"));
        let check = ran.json()["checks"][0].clone();
        let mut facts = check["facts"].clone();
        let read = facts["partitions"].as_array().unwrap().iter().filter(|p| p["sealed"] == false).count();
        // Times and snapshots are of one look.
        for partition in facts["partitions"].as_array_mut().unwrap() {
            partition
                .as_object_mut()
                .unwrap()
                .retain(|k, _| !["proof_snapshot", "proved_at"].contains(&k.as_str()));
        }
        facts["snapshot"] = Value::Null;
        (read, facts["unsealed"].as_str().map(str::to_owned), facts, check["findings"].clone())
    };
    assert_eq!(looked(&["parity"]).0, 0);
    let full = looked(&["parity", "--full"]);
    assert_eq!((full.0, full.1.as_deref()), (6, Some("everything was asked to be read again (--full)")));
    assert_eq!(looked(&["parity", "--set", "full=yes"]), full);
    assert_eq!(looked(&["parity", "--set", "full=no"]).0, 0);
}

#[tokio::test]
async fn a_write_opens_just_its_partitions() {
    for (sql, opened) in [
        ("update t set v = 'new' where id = 6", vec!["p1"]),
        ("insert into t values (1000, '2025-03-05', 'x')", vec!["p3"]),
        ("update t set d = '2025-05-05' where id = 7", vec!["p2", "p5"]),
        ("set datestyle = 'German, DMY'; delete from t where id = 9", vec!["p4"]),
        ("begin; savepoint a; delete from t where id = 10; rollback to a; commit", vec![]),
    ] {
        let world = sealed().await;
        world.run(sql).await;
        let report = world.look().await;
        assert_eq!((open_ones(&report), differences(&report)), (opened, 0), "{sql}: {report:?}");
        assert_eq!(open_ones(&world.look().await), Vec::<&str>::new(), "{sql}");
    }
}

#[tokio::test]
async fn writes_that_are_not_mirrored_are_found_though_both_sides_were_sealed() {
    for (sql, class, opened) in [
        ("set session_replication_role = replica; update t set v = 'x' where id = 6", "different", "p1"),
        (
            "set session_replication_role = replica; delete from p2 where id = 7",
            "missing_in_partitioned",
            "p2",
        ),
        (
            "alter table t disable trigger mirror; insert into t values (1000, '2025-06-05', 'x')",
            "missing_in_partitioned",
            "p6",
        ),
        ("insert into p (id, d) values (1000, '2025-04-04')", "missing_in_legacy", "p4"),
        ("update p5 set v = null where id = 10", "different", "p5"),
    ] {
        let world = sealed().await;
        world.run(sql).await;
        for _ in 0..2 {
            let report = world.look().await;
            assert_eq!(open_ones(&report), [opened], "{sql}");
            assert_eq!(report.facts[class], 1, "{sql}: {report:?}");
        }
    }
}

#[tokio::test]
async fn what_takes_the_evidence_away_takes_the_seals() {
    for (sql, says) in [
        (
            "alter table t disable trigger midwatch_mark; alter table t enable always trigger midwatch_mark",
            "t is not as it was",
        ),
        ("alter table t enable trigger midwatch_mark", "changes of rows of t are not marked"),
        ("alter table p3 disable trigger midwatch_mark", "changes of rows of p3 are not marked"),
        ("drop trigger midwatch_mark_truncate on p2", "TRUNCATE of p2 is not marked"),
        ("truncate p4", ""),
        ("truncate t", ""),
        (
            "alter table p detach partition p6; alter table p attach partition p6 for values from ('2025-06-01') to ('2025-07-01')",
            "",
        ),
        ("create table p7 partition of p for values from ('2025-07-01') to ('2025-08-01')", "p7"),
        ("alter table t add column extra int", "t is not as it was"),
        ("vacuum full p1", "p1 is not as it was"),
        ("create table child () inherits (t)", "a table that others inherit from"),
        (
            "do $$ declare f text; begin select proname into f from pg_proc where proname like 'mark_legacy%'; \
          execute format('create or replace function midwatch.%I() returns trigger language plpgsql security definer as $f$begin return null; end$f$', f); end $$",
            "is not as watch made it",
        ),
        ("alter table midwatch.marks disable trigger marks_append_only", "midwatch.marks"),
    ] {
        let world = sealed().await;
        world.run(sql).await;
        let report = world.look().await;
        let partitions = report.facts["partitions"].as_array().unwrap();
        assert!(partitions.iter().all(|p| p["sealed"] == false), "{sql}: {report:?}");
        assert!(why(&report).contains(says) && !why(&report).is_empty(), "{sql}: {}", why(&report));
    }
}

/// Renaming a label writes no row, and the rows that have it are other rows to whoever reads them.
#[tokio::test]
async fn a_label_of_an_enum_that_gets_another_name_takes_the_seals() {
    let mood = "create type mood as enum ('low', 'high'); alter table t add m mood default 'low'; alter table p add m mood default 'low'";
    let world = World::new(&format!("{TWIN} {mood}")).await;
    world.watch().await;
    world.look().await;
    assert!(open_ones(&world.look().await).is_empty());
    world.run("alter type mood rename value 'low' to 'down'").await;
    let report = world.look().await;
    assert_eq!((open_ones(&report), differences(&report)), (ALL.to_vec(), 0), "{report:?}");
    assert!(why(&report).contains("is not as it was"), "{}", why(&report));
}

/// Dropped and made again by the very same plan: what was written meanwhile nobody marked.
#[tokio::test]
async fn marks_that_were_off_for_a_while_begin_anew() {
    let world = sealed().await;
    let off = Request::Operation {
        verb: "watch".into(),
        name: None,
        params: Params([("off".to_owned(), "yes".to_owned())].into()),
    };
    let plan = world.engine().await.plan(&off, &|_| ()).await.unwrap().plan;
    for step in &plan.steps {
        world.run(&step.statements.join(";\n")).await;
    }
    world.run("alter table t disable trigger mirror; update t set v = 'lost' where id = 6").await;
    for step in plan.steps.iter().rev() {
        world.run(&step.back.join(";\n")).await;
    }
    let report = world.look().await;
    assert_eq!(
        (open_ones(&report), &report.facts["different"]),
        (ALL.to_vec(), &Value::from(1)),
        "{report:?}"
    );
    let again = Request::Operation { verb: "watch".into(), name: None, params: Params::default() };
    let error = world.engine().await.plan(&again, &|_| ()).await.err().unwrap();
    assert!(error.message.contains("nothing to do"), "{error}");
}

/// A transaction that wrote before the proof and commits after it is not in the proof.
#[tokio::test]
async fn a_transaction_under_way_at_the_proof_is_seen_later() {
    let world = World::new(TWIN).await;
    world.watch().await;
    let mut writer = world.database.owner().await;
    writer.execute_script("begin").await.unwrap();
    writer
        .execute_script("set local session_replication_role = replica; update t set v = 'late' where id = 6")
        .await
        .unwrap();
    assert_eq!(world.look().await.facts["different"], 0);
    assert_eq!(open_ones(&world.look().await), Vec::<&str>::new());
    writer.execute_script("commit").await.unwrap();
    let report = world.look().await;
    assert_eq!((open_ones(&report), &report.facts["different"]), (vec!["p1"], &Value::from(1)), "{report:?}");
}

#[tokio::test]
async fn a_renamed_table_stays_sealed() {
    let world = sealed().await;
    world.run("alter table p2 rename to another").await;
    let report = world.look().await;
    assert_eq!(report.facts["sealed"], 6, "{}", why(&report));
}
