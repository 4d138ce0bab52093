//! Keys that were stolen, replaced, or take another's name; and what another installation may go on with.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use midwatch::engine::model::progress::Control;
use midwatch::engine::model::record::Outcome;
use serde_json::{Value, json};

use crate::common::demo_database;
use crate::desk::Desk;
use crate::forged_entries::images_of;
use crate::intruder::{Intruder, Key};

fn own_key(desk: &Desk) -> String {
    let (_, exported) = desk.json(&["key", "export"]);
    exported["keys"][0]["fingerprint"].as_str().unwrap().to_owned()
}

fn findings(desk: &Desk) -> String {
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 1, "{value:#}");
    value["journal"]["findings"].to_string()
}

/// At ec6755a `key rotate` revoked nothing: entries of the old key were ours for ever, also after entries of the new one, and
/// were written into our own copy. (4eabe32 had no keys.)
#[tokio::test]
async fn a_key_that_was_replaced_signs_nothing_any_more() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let (run, plan) = desk.interrupted("plan.json").await;
    let stolen = Key::stolen(&desk.state().join("installation.key"));
    assert_eq!(desk.json(&["key", "rotate"]).0, 0);
    desk.applied("new.json", &["plan", "init", "--set", &format!("operators={}", intruder.role())]);
    let images = images_of(&run);
    let before = desk.value(&images).await;
    assert_ne!(before, "0");
    intruder.writes(&stolen, Some(&run), "note", &json!({ "text": "of the thief" })).await;
    let phrase = plan["phrase"].as_str().unwrap();
    for args in [vec!["resume", &run], vec!["resume", &run, "--confirm", phrase]] {
        let (code, value) = desk.json(&args);
        assert_eq!((code, desk.value(&images).await), (3, before.clone()), "{value:#}");
    }
    let found = findings(&desk);
    assert!(found.contains("was replaced by"), "{found}");
    desk.applied("more.json", &["plan", "init", "--set", &format!("operators={}", intruder.role())]);
    let copy = std::fs::read_to_string(desk.copy()).unwrap();
    assert!(!copy.contains("of the thief"), "the thief's entry is in our copy");
    // A key that the stolen one has signed is not ours either.
    let next = Key::new();
    intruder.list(&next, "dana@laptop", Some(&stolen)).await;
    intruder.writes(&next, Some(&run), "note", &json!({})).await;
    let (_, listed) = desk.json(&["key", "list"]);
    let of = |key: &Value| (key["fingerprint"] == next.fingerprint.as_str()).then(|| key["standing"].clone());
    let standing: Vec<_> = listed["keys"].as_array().unwrap().iter().filter_map(of).collect();
    assert!(standing.iter().all(|s| s == "unconfirmed"), "{listed:#}");
    let found = findings(&desk);
    assert!(found.contains("the old key was used after that"), "{found}");
}

/// At 03c73d6 a console that was open while a shell replaced the key signed on with the old one, after entries of the new:
/// `journal verify` ended with 1 for ever, for everybody. (4eabe32 had no keys.)
#[tokio::test]
async fn a_console_that_was_open_before_signs_with_the_new_key() {
    let desk = Desk::new().await;
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=8"]);
    let console = desk.engine().await;
    let signer = &console.adapters().signer;
    let before = signer.own().unwrap().unwrap().fingerprint;
    let (run, _) = desk.interrupted("plan.json").await;
    assert_eq!(desk.json(&["key", "rotate"]).0, 0);
    Intruder::admitted(&desk).await;
    assert_ne!(own_key(&desk), before);
    let approved = console.review_resume(&run).await.unwrap().unwrap();
    let done = console.run(approved, &Control::default(), &|_| ()).await;
    assert_eq!(done.outcome, Outcome::Applied, "{done:?}");
    let signers = "select count(distinct installation)::text from midwatch.events where seq >
                   (select min(seq) from midwatch.events where installation = (select installation from midwatch.events order by seq desc limit 1))";
    assert_eq!(desk.value(signers).await, "1", "the old key has signed after the new one");
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 0, "{value:#}");
}

/// At 03c73d6 a key that was replaced before its installation came to a database was an accusation there: "says that it
/// replaces …, which has not signed that" for who never saw the old key, and "has another key than …, which is trusted under
/// that name" for who trusted it, both for ever. (4eabe32 had no keys.)
#[tokio::test]
async fn a_key_that_was_replaced_elsewhere_accuses_nobody() {
    let desk = Desk::new().await;
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=8"]);
    let (elsewhere, _) = demo_database("hithonix", 4_000).await;
    let there = || {
        let mut other = desk.another();
        (other.database, other.url) = (elsewhere.name.clone(), elsewhere.url());
        other.configure("");
        other
    };
    let (knows, stranger) = (there(), there());
    assert_eq!(knows.json(&["key", "trust", &own_key(&desk)]).0, 0);
    for _ in 0..2 {
        assert_eq!(desk.json(&["key", "rotate"]).0, 0);
    }
    let config = desk.file("midwatch.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&desk.url, &elsewhere.url())).unwrap();
    desk.applied("second.json", &["plan", "backfill", "--set", "limit=8"]);
    for (desk, wanted) in [(&desk, 0), (&knows, 0), (&stranger, 5)] {
        let (code, value) = desk.json(&["journal", "verify"]);
        assert_eq!((code, &value["journal"]["findings"]), (wanted, &json!([])), "{value:#}");
    }
}

/// At ec6755a there was no way back from `key trust`.
#[tokio::test]
async fn a_key_is_untrusted_again() {
    let desk = Desk::new().await;
    let (run, plan) = desk.interrupted("plan.json").await;
    let other = desk.another();
    let (key, applied) =
        (own_key(&desk), format!("select applied::text from midwatch.runs where id = {run}"));
    let confirmed = ["resume", &run, "--confirm", plan["phrase"].as_str().unwrap()];
    // At ec6755a the phrase was enough: the key needed nobody's word.
    let (code, value) = other.json(&confirmed);
    assert_eq!((code, desk.value(&applied).await.as_str()), (3, "8"), "{value:#}");
    assert_eq!(other.json(&["key", "trust", &key]).0, 0);
    assert_eq!(other.json(&["key", "untrust", &key]).0, 0);
    let (code, value) = other.json(&confirmed);
    assert_eq!((code, desk.value(&applied).await.as_str()), (3, "8"), "{value:#}");
    assert!(value["error"]["message"].as_str().unwrap().contains("not confirmed here"), "{value:#}");
    // Not by another key's signature, and not one's own.
    assert_eq!(desk.json(&["key", "rotate"]).0, 0);
    assert_eq!(other.json(&["key", "untrust", &own_key(&other)]).0, 2);
    assert_eq!(other.json(&["key", "trust", &key]).0, 0);
    let (code, value) = other.json(&confirmed);
    assert_eq!((code, desk.value(&applied).await.as_str()), (0, "24"), "{value:#}");
}

/// At ec6755a another installation went on with irreversible work on production by the phrase alone, where `apply` is
/// refused without a console, and without the database's name. At 4eabe32 it needed no phrase.
#[tokio::test]
async fn a_run_of_another_is_confirmed_as_a_new_plan_is() {
    let desk = Desk::new().await;
    let policy = "headless_irreversible = true\n";
    desk.configure_as("production", policy);
    let fix = desk.applied("fix.json", &["plan", "fix", "duplicate_clock_in"]);
    let plan = desk.plan("undo.json", &["undo", fix["id"].as_str().unwrap()]);
    assert_eq!(plan["reversible"], "no", "{plan:#}");
    let database = desk.value("select current_database()").await;
    // What the rows that it writes refer to.
    let hold = "select from employees for update";
    let run = desk.stopped_by(hold, "undo.json", &plan, &["--confirm-target", &database]).await;
    let applied = format!("select applied::text from midwatch.runs where id = {run}");
    let other = desk.another();
    assert_eq!(other.json(&["key", "trust", &own_key(&desk)]).0, 0);
    let confirmed = ["resume", &run, "--confirm", plan["phrase"].as_str().unwrap()];
    let refused = async |why: &str, args: &[&str]| {
        let (code, value) = other.json(args);
        assert_eq!((code, desk.value(&applied).await.as_str()), (3, "0"), "{value:#}");
        assert!(value.to_string().contains(why), "{why}: {value:#}");
    };
    other.configure_as("production", "");
    refused("not done without the console", &confirmed).await;
    other.configure_as("production", policy);
    refused("the database's name is asked for", &confirmed).await;
    let (code, value) = other.json(&[&confirmed[..], &["--confirm-target", &database]].concat());
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
}

/// At ec6755a a key took the name of one that was trusted before it was seen, or said that it came after any other, and
/// `journal verify` found nothing.
#[tokio::test]
async fn a_key_under_the_name_of_a_trusted_one_is_found() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let other = desk.another();
    let name = desk.value("select name from midwatch.installations limit 1").await;
    assert_eq!(other.json(&["key", "trust", &own_key(&desk)]).0, 0);
    let (code, value) = other.json(&["journal", "verify"]);
    assert_eq!(code, 0, "{value:#}");
    let (first, second) = (Key::new(), Key::new());
    // Each says that it came after the other, which has signed that.
    intruder.list(&first, &name, Some(&second)).await;
    intruder.list(&second, &name, Some(&first)).await;
    for key in [&first, &second] {
        intruder.writes(key, None, "note", &json!({})).await;
    }
    let found = findings(&other);
    for key in [&first, &second] {
        let finding = format!("installation {} ({name}) has another key than", key.fingerprint);
        assert!(found.contains(&finding), "{found}");
    }
}

/// At ec6755a a key file of another user was used, and its mode looked at after it had been read.
#[tokio::test]
async fn a_key_file_that_others_may_read_or_own_is_refused() {
    let desk = Desk::new().await;
    desk.applied("plan.json", &["plan", "backfill", "--set", "limit=8"]);
    let key = desk.state().join("installation.key");
    let set = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
    let runs = "select count(*)::text from midwatch.runs";
    let before = desk.value(runs).await;
    let refused = async |why: &str| {
        let (code, value) = desk.json(&["plan", "backfill", "--set", "limit=8"]);
        assert!(code != 0 && value.to_string().contains(why), "{why}: {code} {value:#}");
        assert_eq!(desk.value(runs).await, before);
    };
    set(0o640);
    refused("can be read by others").await;
    set(0o600);
    if std::fs::metadata(&key).unwrap().uid() == 0
        && std::os::unix::fs::chown(&key, Some(65534), None).is_ok()
    {
        refused("belongs to another user").await;
    }
}
