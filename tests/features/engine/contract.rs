//! A plan is a contract: what was shown is done, or it is refused with the difference.

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::common::shared_server;
use crate::world::World;

type Edit = fn(&mut Value);

fn edit(world: &World, name: &str, change: impl FnOnce(&mut Value)) {
    let path = world.file(name);
    let mut envelope: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut envelope["plan"]);
    std::fs::write(&path, envelope.to_string()).unwrap();
}

/// As somebody would who knows how the digest is made.
fn seal(plan: &mut Value) {
    let mut typed: midwatch::engine::model::plan::Plan = serde_json::from_value(plan.clone()).unwrap();
    typed.seal();
    *plan = serde_json::to_value(typed).unwrap();
}

fn phrase(world: &World, name: &str) -> String {
    let text = std::fs::read_to_string(world.file(name)).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["plan"]["phrase"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_phrase_is_compared_byte_for_byte_and_says_where_it_differs() {
    let world = World::hithonix().await;
    let before = world.snapshot().await;
    let plan = world.plan("p.json", &["backfill"]);
    let phrase = plan["phrase"].as_str().unwrap();
    assert!(phrase.starts_with(&format!("backfill main {} ", plan["rows"])), "{phrase}");
    let again = world.plan("q.json", &["backfill"]);
    assert_ne!(again["phrase"], plan["phrase"], "a phrase fits one plan only");
    for wrong in [
        "",
        "y",
        "yes",
        &phrase.to_uppercase(),
        &format!("{phrase} "),
        &format!(" {phrase}"),
        again["phrase"].as_str().unwrap(),
    ] {
        let (code, value) = world.apply("p.json", wrong);
        assert_eq!((code, value["run"]["outcome"].as_str()), (3, Some("refused")), "{wrong:?}");
        let said = value["error"]["message"].as_str().unwrap();
        assert!(said.contains("phrase"), "{said}");
        assert!(
            !said.contains(phrase) && !value["error"]["hint"].as_str().unwrap_or("").contains(phrase),
            "{said}"
        );
    }
    assert_eq!(world.snapshot().await, before);
}

#[tokio::test]
async fn all_rows_are_in_the_file_beside_the_plan() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill"]);
    let bytes = std::fs::read(world.file("p.json.rows")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(bytes.as_slice()), &mut text)
        .unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(plan["diff_total"].as_u64().unwrap(), lines.len() as u64);
    assert_eq!(plan["diff"][0], lines[0]);
    assert_eq!(plan["rows_sha256"], hex::encode(sha2::Sha256::digest(text.as_bytes())));
    let totals: u64 = plan["totals"].as_array().unwrap().iter().map(|t| t["rows"].as_u64().unwrap()).sum();
    assert_eq!(totals, lines.len() as u64);
}

#[tokio::test]
async fn an_edited_plan_is_refused() {
    let world = World::hithonix().await;
    let before = world.snapshot().await;
    let edits: [(&str, Edit); 6] = [
        ("rows", |p| p["rows"] = json!(1)),
        ("statement", |p| p["steps"][0]["action"]["before_batch"][0] = json!("drop table audit_logs")),
        ("columns", |p| {
            p["steps"][0]["action"]["audit"] =
                json!("insert into audit_logs(actor_slack_id, action) select 'x', 'y' from batch");
        }),
        ("expiry", |p| p["expires_at"] = json!("2099-01-01T00:00:00Z")),
        ("verify", |p| p["verify"] = json!([])),
        ("unit", |p| p["undo"] = json!("nothing can happen")),
    ];
    for (what, change) in edits {
        world.plan("p.json", &["backfill"]);
        edit(&world, "p.json", change);
        let (code, value) = world.apply("p.json", &phrase(&world, "p.json"));
        assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{what}: {value:#}");
        // And with a digest that fits the edit.
        edit(&world, "p.json", seal);
        let (code, value) = world.apply("p.json", &phrase(&world, "p.json"));
        assert_eq!(
            (code, value["run"]["outcome"].as_str()),
            (4, Some("stale")),
            "{what} with its digest: {value:#}"
        );
    }
    assert_eq!(world.snapshot().await, before);
    assert_eq!(world.value("select count(*)::text from midwatch.runs").await, "0");
}

#[tokio::test]
async fn edited_rows_are_refused() {
    let world = World::hithonix().await;
    world.plan("p.json", &["backfill"]);
    world.plan("q.json", &["backfill", "--set", "limit=3"]);
    std::fs::copy(world.file("q.json.rows"), world.file("p.json.rows")).unwrap();
    let (code, value) = world.apply("p.json", &phrase(&world, "p.json"));
    assert_eq!(code, 4, "{value:#}");
    std::fs::remove_file(world.file("p.json.rows")).unwrap();
    let (code, _) = world.json(&["apply", world.file("p.json").to_str().unwrap(), "--confirm", "x"]);
    assert_eq!(code, 4);
}

#[tokio::test]
async fn an_expired_plan_is_refused() {
    let world = World::hithonix().await;
    world.configure(&format!(
        "[policy]\nplan_ttl_min = 0\n[targets.main]\nurl = \"{}\"\nprofile = \"hithonix\"\nenvironment = \"demo\"\n",
        world.database.url()
    ));
    world.plan("p.json", &["backfill"]);
    let (code, value) = world.apply("p.json", &phrase(&world, "p.json"));
    assert_eq!(code, 4, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("expired"));
}

#[tokio::test]
async fn a_plan_is_good_for_one_run() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill"]);
    let run = world.applied("p.json", &plan);
    let inverse = world.undo("u.json", run["id"].as_str().unwrap());
    world.applied("u.json", &inverse);
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!(code, 4, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("applied before"), "{value:#}");
}

#[tokio::test]
async fn what_is_shown_and_dated_cannot_be_edited_either() {
    let world = World::hithonix().await;
    let edits: [Edit; 3] = [
        |p| p["diff"] = json!([]),
        |p| p["preflight"] = json!([]),
        |p| {
            p["created_at"] = json!("2030-01-01T00:00:00Z");
            p["expires_at"] = json!("2030-01-01T00:10:00Z");
        },
    ];
    for change in edits {
        world.plan("p.json", &["backfill"]);
        edit(&world, "p.json", |p| {
            change(p);
            seal(p);
        });
        let (code, value) = world.apply("p.json", &phrase(&world, "p.json"));
        assert_eq!(code, 4, "{value:#}");
    }
}

#[tokio::test]
async fn what_does_not_become_as_planned_is_taken_back() {
    let world = World::hithonix().await;
    world
        .sql(
            "create function contrary() returns trigger language plpgsql as
             $$ begin new.business_date_ist := new.business_date_ist + 3; return new; end $$;
             create trigger zz_contrary before update on attendance_events for each row execute function contrary()",
        )
        .await;
    let before = world.snapshot().await;
    let plan = world.plan("p.json", &["backfill"]);
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (6, Some("failed")), "{value:#}");
    assert!(
        value["error"]["message"].as_str().unwrap().contains("did not become what was planned"),
        "{value:#}"
    );
    assert_eq!(world.snapshot().await, before);
}

#[tokio::test]
async fn a_plan_for_one_server_is_refused_on_another() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill"]);
    // A copy of the same database on the same server: everything is equal but its identity.
    let copy = crate::common::Database::from_template(Some(&world.database.name)).await;
    let owner = shared_server().owner("postgres").await;
    let marker = format!("ALTER DATABASE {} SET midwatch.environment = 'demo'", copy.name);
    owner.unwrap().execute_script(&marker).await.unwrap();
    world.configure(&format!(
        "[targets.main]\nurl = \"{}\"\nprofile = \"hithonix\"\nenvironment = \"demo\"\n",
        copy.url()
    ));
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("another server"), "{value:#}");
}

#[tokio::test]
async fn rows_that_moved_are_named_with_what_they_were_and_are() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["backfill"]);
    let (gone, changed) =
        (plan["diff"][0]["key"]["id"].as_str().unwrap(), plan["diff"][1]["key"]["id"].as_str().unwrap());
    let right = "(event_timestamp_utc at time zone 'Asia/Kolkata')::date";
    world
        .sql(&format!(
            "alter table attendance_events disable trigger user;
             update attendance_events set business_date_ist = {right} where id = '{gone}';
             update attendance_events set business_date_ist = {right} + 40 where id = '{changed}';
             update attendance_events set business_date_ist = {right} + 50
             where id = (select id from attendance_events where business_date_ist = {right} order by id limit 1);
             alter table attendance_events enable trigger user"
        ))
        .await;
    let before = world.snapshot().await;
    let (code, value) = world.apply("p.json", plan["phrase"].as_str().unwrap());
    assert_eq!((code, value["run"]["outcome"].as_str()), (4, Some("stale")), "{value:#}");
    assert_eq!(value["run"]["moved_total"], 3, "{value:#}");
    let moved = value["run"]["moved"].as_array().unwrap();
    let find = |what: &str| moved.iter().find(|m| m["what"] == what).unwrap();
    assert_eq!(find("gone")["planned"]["key"]["id"], gone);
    let row = find("changed");
    assert_eq!(row["planned"]["key"]["id"], changed);
    assert_ne!(row["planned"]["before"], row["now"]["before"]);
    assert!(find("new")["now"]["after"].is_object());
    assert_eq!(world.snapshot().await, before);
}

#[tokio::test]
async fn a_frozen_selection_does_not_grow() {
    let world = World::hithonix().await;
    let plan = world.plan("p.json", &["resolve", "--set", "finding=exhausted", "--set", "reason=gone"]);
    assert_eq!(plan["frozen"], true);
    // One more row comes to match after the plan was made.
    world
        .sql("update attendance_events set sync_status = 'FAILED', attempt_count = 5 where id = (select id from attendance_events where sync_status = 'SUCCESS' order by id limit 1)")
        .await;
    let done = world.applied("p.json", &plan);
    assert_eq!(done["rows_applied"], plan["rows"]);
}

#[tokio::test]
async fn unknown_parameters_are_refused() {
    let world = World::hithonix().await;
    for args in [
        vec!["plan", "backfill", "--set", "limits=3"],
        vec!["plan", "backfill", "--set", "limit=many"],
        vec!["plan", "backfill", "--set", "strategy=magic"],
        vec!["plan", "backfill", "--set", "limit=1", "--set", "limit=2"],
        vec!["plan", "backfill", "nothing"],
        vec!["plan", "conjure"],
        vec!["plan", "resolve", "--set", "finding=exhausted"],
        vec!["plan", "resolve", "--set", "reason=x"],
        vec!["plan", "resolve", "--set", "reason=x", "--set", "finding=exhausted", "--set", "to=SUCCESS"],
    ] {
        let (code, value) = world.json(&args);
        assert_eq!(code, 2, "{args:?}: {value:#}");
    }
    let success =
        world.value("select id::text from attendance_events where sync_status = 'SUCCESS' limit 1").await;
    let ids = format!("ids={success}");
    let (code, value) = world.json(&["plan", "resolve", "--set", "reason=x", "--set", &ids]);
    assert_eq!(code, 3, "what has succeeded is not resolved: {value:#}");
    let (code, value) = world.json(&["plan", "requeue"]);
    assert_eq!(code, 3, "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("needs the queue (step 6)"));
}

#[tokio::test]
async fn a_value_that_can_select_nothing_is_named() {
    let world = World::hithonix().await;
    let queue = ["resolve", "--set", "reason=x"];
    let operations: [&[&str]; 4] =
        [&["backfill"], &["backfill", "--set", "strategy=repairs"], &["fix", "duplicate_clock_in"], &queue];
    for operation in operations {
        for (set, said) in [
            ("ids=zzz", "ids: invalid input syntax for type uuid: \"zzz\""),
            ("limit=0", "limit=0: no row would be planned"),
        ] {
            let finding: &[&str] =
                if operation == queue && set == "limit=0" { &["--set", "finding=exhausted"] } else { &[] };
            let (code, value) = world.json(&[&["plan"], operation, &["--set", set], finding].concat());
            assert_eq!(
                (code, value["error"]["message"].as_str()),
                (2, Some(said)),
                "{operation:?}: {value:#}"
            );
        }
    }
    let (_, value) = world.json(&["plan", "backfill", "--set", "limit=1", "--set", "limit=2"]);
    assert_eq!(value["error"]["message"], "--set limit is given twice: 1 and 2");
    // As the server writes it, however it was given.
    let plan = world.plan("p.json", &["backfill", "--set", "limit=1"]);
    let id = plan["diff"][0]["key"]["id"].as_str().unwrap().to_uppercase();
    assert_eq!(world.plan("q.json", &["backfill", "--set", &format!("ids={id}")])["rows"], 1);
}
