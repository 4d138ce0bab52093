//! The journal is data, not orders: whoever can write schema midwatch tries to have something done by who resumes.

use midwatch::engine::model::digest::digest_of;
use midwatch::engine::model::event::Event;
use midwatch::engine::model::plan::Plan;
use serde_json::{Value, json};

use crate::desk::Desk;

/// A plan that was made here, with another step.
fn forged(plan: &Value, alter: impl FnOnce(&mut Value)) -> Value {
    let mut plan = plan.clone();
    alter(&mut plan);
    let mut plan: Plan = serde_json::from_value(plan).unwrap();
    plan.seal();
    let plan = serde_json::to_value(plan).unwrap();
    assert_eq!(plan["digest"], digest_of(plan.clone()));
    plan
}

/// A run of that plan which looks interrupted, its intent chained as it must be; its number.
async fn planted(desk: &Desk, plan: &Value) -> String {
    let digest = plan["digest"].as_str().unwrap();
    let quoted = format!("$plan${plan}$plan$");
    let insert = format!(
        "insert into midwatch.runs (operation, name, target, plan, plan_text, digest, operator, fence, planned, outcome, resumable)
         values ('{}', '{}', 'main', {quoted}, {quoted}, '{digest}', 'dana@here', nextval('midwatch.fences'), {}, 'failed', true)
         returning id::text",
        plan["operation"].as_str().unwrap(),
        plan["name"].as_str().unwrap(),
        plan["rows"]
    );
    let run = desk.value(&insert).await;
    let began = desk.value(&format!("select started_at::text from midwatch.runs where id = {run}")).await;
    let body = json!({ "operation": plan["operation"], "name": plan["name"], "target": "main", "digest": digest,
        "plan": plan["id"], "rows": plan["rows"], "undoes": null, "by": "dana@here", "began": began, "planned": "0:" });
    let outcome = json!({ "outcome": "failed", "resumable": true, "verified": null, "message": null });
    for (kind, body) in [("intent", body), ("outcome", outcome)] {
        chained(desk, &run, kind, &body).await;
    }
    run
}

async fn chained(desk: &Desk, run: &str, kind: &str, body: &Value) {
    let head = desk.value("select seq || ' ' || hash from midwatch.head").await;
    let (seq, prev) = head.split_once(' ').unwrap();
    let mut event = Event {
        seq: seq.parse::<i64>().unwrap() + 1,
        at: "2026-11-30T00:00:00.000000Z".into(),
        run: Some(run.into()),
        kind: kind.into(),
        body: body.to_string(),
        prev: prev.into(),
        hash: String::new(),
        signed: None,
    };
    event.hash = event.computed_hash();
    desk.sql(&format!(
        "insert into midwatch.events (seq, at, run, kind, body, prev, hash)
         values ({}, '{}', {run}, '{kind}', $body${}$body$, '{}', '{}');
         update midwatch.head set seq = {}, hash = '{}'",
        event.seq, event.at, event.body, event.prev, event.hash, event.seq, event.hash
    ))
    .await;
}

/// At 4eabe32 `resume` ran the command of a run that a role had inserted into schema midwatch, without a phrase: the file
/// was there, and `journal verify` said *nothing altered*.
#[tokio::test]
async fn a_planted_command_is_not_run() {
    let desk = Desk::new().await;
    let trace = desk.file("ran");
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=1"]);
    let real = desk.plan("real.json", &["plan", "backfill", "--set", "limit=8"]);
    let plan = forged(&real, |plan| {
        let mut step = plan["steps"][0].clone();
        let command = format!("touch {}", trace.display());
        step["action"] = json!({ "do": "hook", "command": command, "timeout_s": 60 });
        step["statements"] = json!([]);
        plan["steps"] = json!([step]);
        for empty in ["verify", "preflight"] {
            plan[empty] = json!([]);
        }
        plan["unit"] = json!("statements");
        plan["rows"] = json!(0);
    });
    let run = planted(&desk, &plan).await;
    for args in [vec!["resume", &run], vec!["resume", &run, "--confirm", plan["phrase"].as_str().unwrap()]] {
        let (code, value) = desk.json(&args);
        assert!(!trace.exists(), "the command was run: {value:#}");
        assert_eq!(code, 3, "{value:#}");
    }
    assert_eq!(desk.value(&format!("select outcome from midwatch.runs where id = {run}")).await, "failed");
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 1, "{value:#}");
}

/// At 4eabe32 `resume` executed planted statements in the same way.
#[tokio::test]
async fn planted_statements_are_shown_and_not_run() {
    let desk = Desk::new().await;
    let real = desk.plan("real.json", &["plan", "backfill", "--set", "limit=8"]);
    let plan = forged(&real, |plan| {
        let mut step = plan["steps"][0].clone();
        step["action"] = json!({ "do": "statements" });
        step["statements"] = json!(["create table planted (a int)"]);
        plan["steps"] = json!([step]);
        for empty in ["verify", "preflight"] {
            plan[empty] = json!([]);
        }
        plan["unit"] = json!("statements");
        plan["rows"] = json!(1);
    });
    let run = planted(&desk, &plan).await;
    let shown = desk.run(&["resume", &run]);
    assert_eq!(shown.code, 3, "{shown:?}");
    assert_eq!(desk.value("select to_regclass('planted')::text").await, "");
    assert!(
        shown.stdout.contains("create table planted"),
        "what would be confirmed was not shown: {shown:?}"
    );
    // A signature of a plan that was made here is no signature over this run.
    let run = planted(&desk, &real).await;
    let (code, value) = desk.json(&["resume", &run]);
    assert_eq!(code, 3, "{value:#}");
    let before = desk.value("select count(*)::text from midwatch.image_blocks").await;
    assert_eq!(before, "0", "rows were changed");
}

/// At 4eabe32 any installation went on with the run of any other, without a phrase.
#[tokio::test]
async fn another_installation_confirms_what_it_goes_on_with() {
    let desk = Desk::new().await;
    let (run, plan) = desk.interrupted("plan.json").await;
    let changed = format!("select applied::text from midwatch.runs where id = {run}");
    assert_eq!(desk.value(&changed).await, "8");
    let other = desk.another();
    let (code, value) = other.json(&["resume", &run]);
    assert_eq!((code, desk.value(&changed).await.as_str()), (3, "8"), "{value:#}");
    assert_eq!(value["plan"]["digest"], plan["digest"], "the plan is shown: {value:#}");
    let why = value["error"]["message"].as_str().unwrap();
    assert!(why.contains("not confirmed here"), "{why}");
    let (_, exported) = desk.json(&["key", "export"]);
    let key = exported["keys"][0]["fingerprint"].as_str().unwrap();
    let (code, value) = other.json(&["key", "trust", key]);
    assert_eq!((code, value["keys"][0]["standing"].as_str()), (0, Some("trusted")), "{value:#}");
    let (code, value) = other.json(&["resume", &run]);
    let why = value["error"]["message"].as_str().unwrap();
    assert!(code == 3 && why.contains(&format!("that of installation {key} (dana@")), "{value:#}");
    let (code, value) = other.json(&["resume", &run, "--confirm", "another phrase"]);
    assert_eq!((code, desk.value(&changed).await.as_str()), (3, "8"), "{value:#}");
    let (code, value) = other.json(&["resume", &run, "--confirm", plan["phrase"].as_str().unwrap()]);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
    assert_eq!(desk.value(&changed).await, "24");
    // The first is told whose entries it cannot judge, until it trusts them.
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!((code, &value["journal"]["findings"]), (5, &json!([])), "{value:#}");
    let (_, exported) = other.json(&["key", "export"]);
    desk.json(&["key", "trust", exported["keys"][0]["fingerprint"].as_str().unwrap()]);
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 0, "{value:#}");
}

/// The run that this installation began goes on as before, also with a new key that the old one has signed.
#[tokio::test]
async fn ones_own_run_goes_on_with_a_rotated_key() {
    let desk = Desk::new().await;
    let (run, _) = desk.interrupted("plan.json").await;
    let (code, value) = desk.json(&["key", "rotate"]);
    assert_eq!(code, 0, "{value:#}");
    let (code, value) = desk.json(&["resume", &run]);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!((code, value["journal"]["writers"].as_array().unwrap().len()), (0, 2), "{value:#}");
}

/// At 4eabe32 planning the undo of a planted run had the server plan its statements, which calls what it takes for constant:
/// the function had run before anybody saw the plan.
#[tokio::test]
async fn an_undo_calls_nothing_of_a_planted_plan() {
    let desk = Desk::new().await;
    let (run, plan) = desk.interrupted("plan.json").await;
    desk.sql(
        "create function public.trap() returns text immutable language plpgsql as $$
         begin raise exception 'the trap was called'; end $$",
    )
    .await;
    let alter = |plan: &mut Value| {
        let action = &mut plan["steps"][0]["action"];
        action["audit"] = json!("insert into public.trapped select public.trap() from batch");
    };
    desk.sql("create table public.trapped (t text)").await;
    let forged = forged(&plan, alter);
    desk.sql(&format!(
        "set session_replication_role = replica;
         update midwatch.runs set plan = $p${forged}$p$, plan_text = $p${forged}$p$, digest = '{0}' where id = {run};
         update midwatch.events set body = replace(body, '{1}', '{0}') where run = {run}",
        forged["digest"].as_str().unwrap(),
        plan["digest"].as_str().unwrap()
    ))
    .await;
    let undo = desk.run(&["undo", &run]);
    assert!(!format!("{undo:?}").contains("the trap was called"), "{undo:?}");
    assert!(undo.stdout.contains("the journal does not say what was written"), "{undo:?}");
    assert!(undo.stdout.contains("public.trap()"), "what would run is not shown: {undo:?}");
}
