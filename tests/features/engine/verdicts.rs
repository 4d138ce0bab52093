//! What one feature knows in the plan of another: verdicts, asked for by name, by an operation or by the profile.

use midwatch::engine::Engine;
use midwatch::engine::model::error::Result;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::preflight::{Ready, Risk};
use midwatch::engine::model::profile::{Profile, Write};
use midwatch::engine::model::step::Step;
use midwatch::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx};
use midwatch::engine::plan::request::Request;
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::Fut;

use serde_json::{Value, json};

use crate::common::{Database, engine};
use crate::world::World;

/// An operation that knows nothing of queues but a verdict's name.
struct Purge;

static SPEC: OpSpec = OpSpec {
    verb: "purge",
    about: "empties a table",
    risk: Risk::Irreversible,
    params: &[],
    example: "jobs",
    bootstraps: false,
    many: false,
    asks: &["queue/exhausted"],
};

impl Operation for Purge {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, _: &Profile, _: &dyn Dialect) -> Vec<Offer> {
        vec![Offer {
            verb: SPEC.verb,
            name: "jobs".into(),
            about: SPEC.about.into(),
            mends: None,
            risk: SPEC.risk,
            locks: String::new(),
            disabled: None,
            asks: vec![],
            takes_rows: false,
        }]
    }

    fn declared_write<'p>(&self, profile: &'p Profile, name: &str, _: &Params) -> Option<&'p Write> {
        let queue = profile.queues.iter().find(|q| q.name == name)?;
        queue.changes.as_ref().map(|c| &c.write)
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, _: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(async move {
            let own = cx.ask(&["queue/exhausted"], name, "looking").await.map(|answers| {
                let (question, answer) = &answers[0];
                format!("{question}: {}", answer.text)
            });
            let undeclared = cx.ask(&["migrations/whole"], "main", "looking").await;
            Ok(Draft {
                why: format!("{} · {}", own.unwrap(), undeclared.unwrap_err()),
                undo: "rows are gone".into(),
                steps: vec![Step::new("purge", "empty it", vec!["delete from jobs".into()])],
                count: 1,
                ..Draft::default()
            })
        })
    }
}

const PROFILE: &str = r#"
name = "jobs"
title = "two table queues"
[[queues]]
name = "jobs"
table = "jobs"
key = "id"
state = "state"
created = "created_at"
attempted = "created_at"
[queues.states]
pending = ["waiting"]
processing = ["working"]
done = ["done"]
failed = ["failed"]
[queues.changes.write]
verdicts = ["queue/stuck"]
[[queues]]
name = "mails"
table = "mails"
key = "id"
state = "state"
created = "created_at"
[queues.states]
pending = ["waiting"]
processing = ["working"]
done = ["done"]
failed = ["failed"]
"#;

#[tokio::test]
async fn a_plan_shows_what_another_feature_knows() {
    let database = Database::empty().await;
    let mut owner = database.owner().await;
    owner
        .execute_script(
            "create table jobs (id bigint primary key, state text not null, created_at timestamptz not null);
             create table mails (like jobs);
             insert into jobs select n, 'working', now() - interval '1 day' from generate_series(1, 3) n",
        )
        .await
        .unwrap();
    let mut parts = engine(&database.url(), PROFILE).await.into_parts();
    parts.operations = &[&Purge];
    let engine = Engine::new(parts);
    let request = Request::Operation { verb: "purge".into(), name: None, params: Params::default() };
    let plan = engine.plan(&request, &|_| ()).await.unwrap().plan;
    let lines: Vec<_> = plan.preflight.iter().filter(|p| p.id == "stuck").collect();
    // Of the queue that is planned for, and of no other.
    assert_eq!(lines.len(), 1, "{:#?}", plan.preflight);
    assert_eq!(
        (lines[0].status, lines[0].message.as_str()),
        (Ready::Fail, "jobs: 3 rows in progress for too long")
    );
    // What the operation words itself is not said twice; what it did not declare it does not learn.
    assert_eq!(
        plan.why,
        "queue/exhausted: 0 rows failed with all attempts used · migrations/whole is not declared"
    );
    assert!(!plan.preflight.iter().any(|p| p.id == "exhausted"));
}

/// A column that is computed, a folder of migrations and two queues; what is computed asks for the folder's verdict.
const COMPUTED: &str = r#"
[[migrations]]
name = "main"
folder = "sql"
[[backfills]]
name = "doubled"
[backfills.write]
table = "t"
key = ["id"]
filter = "t.twice is null"
set = { twice = "t.v * 2" }
verdicts = ["migrations/whole"]
[backfills.instead]
strategy = "beside"
[backfills.instead.write]
table = "beside"
key = ["id"]
filter = "not exists (select from beside b where b.id = t.id)"
set = { id = "t.id", twice = "t.v * 2" }
verdicts = ["queue/stuck", "queue/exhausted", "parity/rows"]
[[queues]]
"#;

async fn computed() -> World {
    let database = Database::empty().await;
    let sql = "create table t (id int primary key, v int not null, twice int);
               create table beside (id int primary key, twice int);
               insert into t select n, n from generate_series(1, 3) n;
               create table jobs (id bigint primary key, state text not null, created_at timestamptz not null);
               create table mails (like jobs including all);
               insert into mails select n, 'working', now() - interval '1 day' from generate_series(1, 2) n;
               insert into jobs values (1, 'failed', now());
               create table half (id int primary key)";
    database.owner().await.execute_script(sql).await.unwrap();
    let world = World::on(database, "profile = \"p.toml\"\nenvironment = \"demo\"");
    let queues = PROFILE.replacen("[[queues]]\n", COMPUTED, 1);
    std::fs::write(world.file("p.toml"), queues).unwrap();
    std::fs::create_dir(world.file("sql")).unwrap();
    let half = "CREATE TABLE half (id int PRIMARY KEY);\nCREATE INDEX half_id ON half (id);\n";
    std::fs::write(world.file("sql/1_half.sql"), half).unwrap();
    let init = world.plan("init.json", &["init"]);
    world.applied("init.json", &init);
    world
}

/// Status and text of the lines of a plan that have one of these ids.
fn lines(plan: &Value, ids: &[&str]) -> Vec<(String, String)> {
    let lines = plan["preflight"].as_array().unwrap().iter();
    let lines = lines.filter(|p| ids.iter().any(|id| p["id"] == *id));
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    lines.map(|p| (text(&p["status"]), text(&p["message"]))).collect()
}

fn line(status: &str, message: &str) -> (String, String) {
    (status.into(), message.into())
}

#[tokio::test]
async fn a_migration_applied_in_part_blocks_the_backfill_that_names_its_verdict() {
    let world = computed().await;
    let plan = world.plan("p.json", &["backfill"]);
    assert_eq!(lines(&plan, &["partial"]), [line("fail", "main: applied in part: 1_half.sql")]);
    // The queue and its verdicts are another change's.
    assert_eq!(lines(&plan, &["stuck", "exhausted", "queue", "pending"]), []);
    let (code, refused) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 3, "{refused:#}");
    assert!(refused.to_string().contains("applied in part: 1_half.sql"), "{refused:#}");
    assert_eq!(world.value("select count(*)::text from t where twice is null").await, "3");
    // Applied as a whole it blocks nothing, and is asked for before the undo as well.
    world.sql("create index half_id on half (id)").await;
    let plan = world.plan("p.json", &["backfill"]);
    let whole = [line("ok", "main: 0 files applied in part")];
    assert_eq!(lines(&plan, &["partial"]), whole);
    let run = world.applied("p.json", &plan);
    assert_eq!(world.value("select count(*)::text from t where twice = v * 2").await, "3");
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    assert_eq!(lines(&undo, &["partial"]), whole);
    // Applied in part again, it blocks the next backfill and not the undo of this one.
    world.sql("drop index half_id").await;
    let again = world.plan("p.json", &["backfill"]);
    assert_eq!(lines(&again, &["partial"]), [line("fail", "main: applied in part: 1_half.sql")]);
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    let text = "main: applied in part: 1_half.sql; an undo is not blocked by this";
    assert_eq!(lines(&undo, &["partial"]), [line("warn", text)]);
    world.applied("u.json", &undo);
    assert_eq!(world.value("select count(*)::text from t where twice is null").await, "3");
}

#[tokio::test]
async fn a_verdict_that_came_after_the_run_does_not_block_its_undo() {
    let world = computed().await;
    world.sql("create index half_id on half (id)").await;
    let plan = world.plan("p.json", &["backfill"]);
    let run = world.applied("p.json", &plan);
    let profile = std::fs::read_to_string(world.file("p.toml")).unwrap();
    let later = profile.replace("verdicts = [\"migrations/whole\"]", "verdicts = [\"parity/rows\"]");
    assert_ne!(profile, later);
    std::fs::write(world.file("p.toml"), later).unwrap();
    // Nothing is known of a pair that nobody declares.
    let unknown = "profile jobs declares no parity checks";
    assert_eq!(lines(&world.plan("p.json", &["backfill"]), &["parity"]), [line("unknown", unknown)]);
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    let text = format!("{unknown}; an undo is not blocked by this");
    assert_eq!(lines(&undo, &["parity"]), [line("warn", &text)]);
    world.applied("u.json", &undo);
    assert_eq!(world.value("select count(*)::text from t where twice is null").await, "3");
}

#[tokio::test]
async fn a_verdict_without_answers_has_its_line() {
    let world = computed().await;
    world
        .sql(
            "create table a (id int primary key);
             create table b (id int primary key) partition by range (id);
             create table b_1 partition of b for values from (0) to (10)",
        )
        .await;
    let profile = std::fs::read_to_string(world.file("p.toml")).unwrap();
    let profile = profile.replace("verdicts = [\"queue/stuck\"]", "verdicts = [\"parity/structure\"]");
    let twins = "[[twins]]\nname = \"pair\"\nlegacy = \"a\"\npartitioned = \"b\"\nkey = [\"id\"]\n";
    std::fs::write(world.file("p.toml"), profile + twins).unwrap();
    let planned = || {
        let plan = world.plan("p.json", &["requeue", "jobs", "--set", "ids=1"]);
        lines(&plan, &["structure", "unmirrored"])
    };
    // An answer for each thing that is wrong; no line beside them says that all fits.
    let missing = ["INSERT", "UPDATE", "DELETE"].map(|event| format!("pair: no trigger mirrors {event}"));
    assert_eq!(planned(), missing.each_ref().map(|text| line("fail", text)));
    world
        .sql(
            "create function mirror() returns trigger language plpgsql as $$ begin
               if tg_op <> 'INSERT' then delete from b where id = old.id; end if;
               if tg_op <> 'DELETE' then insert into b values (new.*); end if;
               return null;
             end $$;
             create trigger mirror after insert or update or delete on a for each row execute function mirror()",
        )
        .await;
    assert_eq!(planned(), [line("ok", "pair: columns, partitions, sequences and triggers fit")]);
}

#[tokio::test]
async fn a_change_asks_for_the_verdicts_of_its_own_write() {
    let world = computed().await;
    let plan = world.plan("p.json", &["backfill", "--set", "strategy=beside"]);
    assert_eq!(lines(&plan, &["partial"]), []);
    // Of all queues, since none is called as the backfill; of a pair that nobody declares nothing is known.
    let stuck = [
        line("ok", "jobs: 0 rows in progress for too long"),
        line("fail", "mails: 2 rows in progress for too long"),
    ];
    assert_eq!(lines(&plan, &["stuck"]), stuck);
    assert_eq!(lines(&plan, &["exhausted"]).len(), 2);
    assert_eq!(lines(&plan, &["parity"]), [line("unknown", "profile jobs declares no parity checks")]);
    // Of the queue that is changed, and of no other.
    let plan = world.plan("p.json", &["requeue", "jobs", "--set", "ids=1"]);
    assert_eq!(lines(&plan, &["stuck"]), stuck[..1]);
}

/// Rules: of the first some rows may break it, of the second none.
const RULES: &str = "
[[anomalies]]
name = \"negative\"
title = \"negative value\"
key = [\"id\"]
sql = \"select id, v from t where v < 0\"
[[anomalies]]
name = \"huge\"
title = \"value over a million\"
key = [\"id\"]
sql = \"select id, v from t where v > 1000000\"
";

#[tokio::test]
async fn a_rule_with_rows_blocks_the_backfill_that_names_its_verdict() {
    let world = computed().await;
    world.sql("update t set v = -v where id < 3").await;
    let profile = std::fs::read_to_string(world.file("p.toml")).unwrap();
    let profile = profile.replace("verdicts = [\"migrations/whole\"]", "verdicts = [\"anomalies/rows\"]");
    std::fs::write(world.file("p.toml"), profile + RULES).unwrap();
    // Of every rule, since none is called as the backfill.
    let none = line("ok", "huge: 0 rows break the rule");
    let plan = world.plan("p.json", &["backfill"]);
    assert_eq!(lines(&plan, &["rows"]), [line("fail", "negative: 2 rows break the rule"), none.clone()]);
    let (code, refused) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 3, "{refused:#}");
    assert!(refused.to_string().contains("negative: 2 rows break the rule"), "{refused:#}");
    assert_eq!(world.value("select count(*)::text from t where twice is null").await, "3");
    // Without such rows it is carried out; rows that come afterwards do not block its undo.
    world.sql("update t set v = -v where v < 0").await;
    let plan = world.plan("p.json", &["backfill"]);
    assert_eq!(lines(&plan, &["rows"]), [line("ok", "negative: 0 rows break the rule"), none.clone()]);
    let run = world.applied("p.json", &plan);
    world.sql("insert into t values (4, -4, -8)").await;
    let undo = world.undo("u.json", run["id"].as_str().unwrap());
    let text = "negative: 1 rows break the rule; an undo is not blocked by this";
    assert_eq!(lines(&undo, &["rows"]), [line("warn", text), none]);
    world.applied("u.json", &undo);
    assert_eq!(world.value("select count(*)::text from t where twice is null").await, "3");
}

#[tokio::test]
async fn a_misspelt_verdict_is_refused_when_the_target_is_opened() {
    let world = computed().await;
    let profile = std::fs::read_to_string(world.file("p.toml")).unwrap();
    let misspelt = profile.replace("migrations/whole", "migrations/hole");
    let at = 1 + misspelt.lines().position(|l| l.contains("migrations/hole")).unwrap();
    std::fs::write(world.file("p.toml"), misspelt).unwrap();
    for args in [&["check"][..], &["plan", "backfill"], &["runs"], &["config", "check"]] {
        let (code, answer) = world.json(args);
        assert_eq!((code, &answer["error"]["class"]), (2, &json!("usage")), "{answer:#}");
        let message = answer["error"]["message"].as_str().unwrap();
        let place = format!(
            "p.toml:{at}: doubled: backfills.write asks for the verdict migrations/hole, which no feature has"
        );
        assert!(message.ends_with(&place), "{message}");
        let hint = answer["error"]["hint"].as_str().unwrap();
        assert!(hint.starts_with("verdicts: migrations/whole migrations/applied parity/"), "{hint}");
    }
}
