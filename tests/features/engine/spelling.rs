//! Profiles of earlier versions: what is written stands beside the other fields, not in `write`. The plans are the same.

use serde_json::Value;

use crate::common::Database;
use crate::world::World;

const TABLES: &str = "create table t (id int primary key, v int, day date not null default '2026-01-01');
    insert into t (id) select generate_series(1, 7);
    create table days (day date primary key, n int); insert into days values ('2026-01-01', 7);
    create table fixes (id int primary key, v int); create table credits (id int primary key, amount int);
    create table jobs (id int primary key, state text not null, at timestamptz not null);
    insert into jobs select n, 'failed', now() from generate_series(1, 3) n;
    create table log (id int, reason text)";

const OLDER: &str = r#"
name = "p"
[[queues]]
name = "q"
table = "jobs"
key = "id"
state = "state"
created = "at"
[queues.states]
pending = ["waiting"]
done = ["done"]
failed = ["failed"]
permanent = ["dead"]
[queues.changes]
audit = "insert into log select b.id, run.reason from batch b cross join run"
[[anomalies]]
name = "a"
title = "rows without a credit"
key = ["id"]
sql = "select t.id, t.day from t"
[anomalies.fix]
title = "credit them"
table = "credits"
key = ["id"]
join = "left join fixes f on f.id = r.id"
set = { id = "r.id", amount = "coalesce(f.v, 1)" }
show = { day = "r.day" }
audit = "insert into log select b.id, run.reason from batch b cross join run"
[[anomalies.fix.verify]]
title = "every credit has its row"
sql = "select i.key from run_rows i where not exists (select from t where t.id = (i.key->>'id')::int)"
[[backfills]]
name = "b"
table = "t"
key = ["id"]
filter = "t.v is null"
set = { v = "t.id * 2" }
order = "t.day"
show = { day = "t.day" }
audit = "insert into log select b.id, run.reason from batch b cross join run"
after_batch = "select count(*) from batch b"
[[backfills.derived]]
table = "days"
key = ["day"]
rows = "select t.day from batch b join t on t.id = b.id"
[[backfills.verify]]
title = "none is empty"
sql = "select t.id from t where t.v is null"
[backfills.instead]
strategy = "beside"
table = "fixes"
key = ["id"]
join = "left join fixes x on x.id = t.id"
filter = "x.id is null"
set = { id = "t.id", v = "t.id * 2" }
audit = "insert into log select b.id, run.reason from batch b cross join run"
"#;

/// The same with tables `write`.
fn newer() -> String {
    [
        ("[queues.changes]\n", "[queues.changes.write]\n"),
        ("title = \"credit them\"\n", "title = \"credit them\"\n[anomalies.fix.write]\n"),
        ("[[anomalies.fix.verify]]", "[[anomalies.fix.write.verify]]"),
        ("name = \"b\"\n", "name = \"b\"\norder = \"t.day\"\n[backfills.write]\n"),
        ("set = { v = \"t.id * 2\" }\norder = \"t.day\"\n", "set = { v = \"t.id * 2\" }\n"),
        ("[[backfills.derived]]", "[[backfills.write.derived]]"),
        ("[[backfills.verify]]", "[[backfills.write.verify]]"),
        ("strategy = \"beside\"\n", "strategy = \"beside\"\n[backfills.instead.write]\n"),
    ]
    .into_iter()
    .fold(OLDER.to_owned(), |text, (older, newer)| {
        assert_eq!(text.matches(older).count(), 1, "{older}");
        text.replace(older, newer)
    })
}

/// A plan without its name, its times and what is computed from them.
fn text(mut plan: Value) -> String {
    for own in ["id", "created_at", "expires_at", "digest", "phrase", "signature", "preflight"] {
        assert!(plan.as_object_mut().unwrap().remove(own).is_some(), "{own}");
    }
    for lock in plan["steps"][0]["locks"].as_array_mut().unwrap() {
        lock.as_object_mut().unwrap().remove("held_ms");
    }
    serde_json::to_string_pretty(&plan).unwrap()
}

#[tokio::test]
async fn a_profile_of_either_spelling_gives_the_same_plans_and_applies_them() {
    let world = World::on(Database::empty().await, "profile = \"p.toml\"\nenvironment = \"demo\"");
    world.sql(TABLES).await;
    let plans = |profile: &str| {
        std::fs::write(world.file("p.toml"), profile).unwrap();
        let all: [&[&str]; 4] = [
            &["backfill", "b"],
            &["backfill", "b", "--set", "strategy=beside"],
            &["fix", "a"],
            &["resolve", "q", "--set", "finding=state/failed", "--set", "reason=given up"],
        ];
        all.map(|args| {
            let plan = world.plan("p.json", args);
            assert!(plan["rows"].as_u64().unwrap() >= 3, "{plan:#}");
            text(plan)
        })
    };
    for (older, newer) in plans(OLDER).into_iter().zip(plans(&newer())) {
        assert_eq!(older, newer);
    }

    // One that was planned under one spelling is not stale under the other.
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    std::fs::write(world.file("p.toml"), OLDER).unwrap();
    let plan = world.plan("p.json", &["backfill", "b"]);
    std::fs::write(world.file("p.toml"), newer()).unwrap();
    world.applied("p.json", &plan);
    assert_eq!(world.value("select count(*)::text from t where v = id * 2").await, "7");
    assert_eq!(world.value("select count(*)::text from log").await, "7");
}
