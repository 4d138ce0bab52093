//! A run that another operator began and nobody went on with for hours: whoever has trusted the key reads the plan, types its
//! phrase, and goes on, by the command or in the console.

use midwatch::engine::model::digest::digest_of;
use midwatch::engine::model::event::Event;
use midwatch::engine::model::plan::Plan;
use serde_json::Value;

use crate::desk::Desk;
use crate::intruder::Key;

fn own_key(desk: &Desk) -> String {
    let (_, exported) = desk.json(&["key", "export"]);
    exported["keys"][0]["fingerprint"].as_str().unwrap().to_owned()
}

async fn column(desk: &Desk, seq: i64, name: &str) -> String {
    desk.value(&format!("select {name}::text from midwatch.events where seq = {seq}")).await
}

/// The same run, as if its plan had been made, and had expired, hours ago: signed and chained by the same installation.
async fn hours_ago(desk: &Desk, run: &str) -> Value {
    let text = desk.value(&format!("select plan_text from midwatch.runs where id = {run}")).await;
    let mut plan: Plan = serde_json::from_str(&text).unwrap();
    let (was, created) = (plan.digest.clone(), plan.created_at);
    let long_ago = chrono::TimeDelta::hours(3);
    (plan.created_at, plan.expires_at) = (created - long_ago, plan.expires_at - long_ago);
    plan.seal();
    let plan = serde_json::to_value(plan).unwrap();
    assert_eq!(plan["digest"], digest_of(plan.clone()));
    let digest = plan["digest"].as_str().unwrap();
    desk.sql(&format!(
        "set session_replication_role = replica;
         update midwatch.runs set plan = $p${plan}$p$, plan_text = $p${plan}$p$, digest = '{digest}' where id = {run};
         update midwatch.events set body = (replace(body, '{was}', '{digest}')::jsonb - 'text_sha256')::text where run = {run}"
    ))
    .await;
    let key = Key::stolen(&desk.state().join("installation.key"));
    let last: i64 = desk.value("select seq::text from midwatch.head").await.parse().unwrap();
    let first = desk.value(&format!("select min(seq)::text from midwatch.events where run = {run}")).await;
    let first: i64 = first.parse().unwrap();
    let mut prev = column(desk, first - 1, "hash").await;
    for seq in first..=last {
        let mut event = Event {
            seq,
            at: column(desk, seq, "at").await,
            run: Some(run.to_owned()),
            kind: column(desk, seq, "kind").await,
            body: column(desk, seq, "body").await,
            prev,
            hash: String::new(),
            signed: None,
        };
        event.hash = event.computed_hash();
        let signed = key.entry(
            &column(desk, seq, "signed_for").await,
            column(desk, seq, "counter").await.parse().unwrap(),
            &event.hash,
        );
        desk.sql(&format!(
            "set session_replication_role = replica;
             update midwatch.events set prev = '{}', hash = '{}', signature = '{signed}' where seq = {seq};
             update midwatch.head set hash = '{}'",
            event.prev, event.hash, event.hash
        ))
        .await;
        prev = event.hash;
    }
    plan
}

/// A run of `desk` that cannot be undone, interrupted hours ago on production, and a colleague who trusts its key.
#[cfg(feature = "tui")]
async fn irreversible(desk: &Desk, other: &Desk, policy: &str) -> (String, Value) {
    desk.configure_as("production", "headless_irreversible = true\n");
    let fix = desk.applied("fix.json", &["plan", "fix", "duplicate_clock_in"]);
    let plan = desk.plan("undo.json", &["undo", fix["id"].as_str().unwrap()]);
    assert_eq!(plan["reversible"], "no", "{plan:#}");
    let hold = "select from employees for update";
    let run = desk.stopped_by(hold, "undo.json", &plan, &["--confirm-target", &desk.database]).await;
    let plan = hours_ago(desk, &run).await;
    other.configure_as("production", policy);
    assert_eq!(other.json(&["key", "trust", &own_key(desk)]).0, 0);
    (run, plan)
}

/// At 03c73d6 it was refused for ever: "the plan has expired 165 min ago; plan again", also for a switchover that was half
/// done. (At 4eabe32 any installation went on with it, without a phrase.)
#[tokio::test]
async fn a_colleague_goes_on_with_a_run_hours_later() {
    let desk = Desk::new().await;
    let (run, _) = desk.interrupted("plan.json").await;
    let plan = hours_ago(&desk, &run).await;
    let other = desk.another();
    assert_eq!(other.json(&["key", "trust", &own_key(&desk)]).0, 0);
    let applied = format!("select applied::text from midwatch.runs where id = {run}");
    let (code, value) = other.json(&["resume", &run]);
    assert_eq!((code, desk.value(&applied).await.as_str()), (3, "8"), "{value:#}");
    let command = format!("midwatch resume {run} --confirm \"{}\"", plan["phrase"].as_str().unwrap());
    assert!(value["error"]["hint"].as_str().unwrap().contains(&command), "{value:#}");
    let (code, value) = other.json(&["resume", &run, "--confirm", plan["phrase"].as_str().unwrap()]);
    assert_eq!((code, desk.value(&applied).await.as_str()), (0, "24"), "{value:#}");
}

/// At 03c73d6 the command of irreversible work on production said "open the console", and the console named the command.
#[cfg(feature = "tui")]
#[tokio::test(flavor = "multi_thread")]
async fn the_console_asks_for_the_phrase_of_an_irreversible_run_of_another() {
    use crate::common::pty::Console;
    let desk = Desk::new().await;
    let other = desk.another();
    let (run, plan) = irreversible(&desk, &other, "reading_delay_s = 0\n").await;
    let outcome = format!("select outcome from midwatch.runs where id = {run}");
    let before = desk.value(&outcome).await;
    let (code, value) = other.json(&["resume", &run, "--confirm", plan["phrase"].as_str().unwrap()]);
    assert_eq!((code, desk.value(&outcome).await), (3, before.clone()), "{value:#}");
    assert!(value["error"]["hint"].as_str().unwrap().contains("open the console"), "{value:#}");
    let (home, config) = (other.home.path().to_str().unwrap(), other.file("midwatch.toml"));
    let state = other.file(".local/state");
    let env = [("HOME", home), ("XDG_STATE_HOME", state.to_str().unwrap()), ("USER", "erin")];
    let args = ["--config", config.to_str().unwrap()];
    let mut console = Console::start(env!("CARGO_BIN_EXE_midwatch"), (120, 45), &args, &env);
    console.shows("A run broke off");
    console.press("\u{1b}[B\r");
    console.shows(&format!("type   resume {run}"));
    console.types(&format!("resume {run}"));
    console.enter();
    // The plan is shown, and both words are asked for.
    console.shows("c opens the line");
    assert_eq!(desk.value(&outcome).await, before, "it went on without its phrase");
    console.press("c");
    console.types("another phrase");
    console.enter();
    console.shows("differs");
    console.press("\u{15}");
    console.types(plan["phrase"].as_str().unwrap());
    console.enter();
    console.shows(&format!("{}   › ", plan["phrase"].as_str().unwrap()));
    assert_eq!(desk.value(&outcome).await, before, "it went on without the database's name");
    console.types(&desk.database);
    console.enter();
    console.shows("applied and proved");
    assert_eq!(desk.value(&outcome).await, "applied");
}
