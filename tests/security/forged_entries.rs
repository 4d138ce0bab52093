//! Entries that others add to runs: whoever may write into the journal, with a key of its own, tries to have something
//! done once more.

use hmac::{Hmac, KeyInit as _, Mac as _};
use midwatch::engine::model::event::Event;
use midwatch::engine::model::progress::Control;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::desk::Desk;
use crate::intruder::{Intruder, Key};

/// A row of a finished run that holds again what it held before: going on with the run would write it.
struct Reverted {
    select: String,
    value: String,
}

impl Reverted {
    async fn first(desk: &Desk, plan: &Value) -> Self {
        let (table, row) = (plan["steps"][0]["action"]["table"].as_str().unwrap(), &plan["diff"][0]);
        let id = row["key"]["id"].as_str().unwrap();
        let (column, before) = row["before"].as_object().unwrap().iter().next().unwrap();
        let value = before.as_str().unwrap().to_owned();
        desk.sql(&format!(
            "set session_replication_role = replica; update {table} set {column} = '{value}' where id = '{id}'"
        ))
        .await;
        Self { select: format!("select {column}::text from {table} where id = '{id}'"), value }
    }

    async fn is_untouched(&self, desk: &Desk) {
        assert_eq!(desk.value(&self.select).await, self.value, "the row was written again");
    }
}

/// How many blocks of before-images a run has: one more with each batch.
pub(crate) fn images_of(run: &str) -> String {
    format!("select count(*)::text from midwatch.image_blocks where run = {run}")
}

/// A finished run, and a row of it that would be written if it went on.
async fn finished(desk: &Desk) -> (String, Value, Reverted) {
    let plan = desk.plan("plan.json", &["plan", "backfill", "--set", "limit=1"]);
    let (code, value) = desk.apply("plan.json", &plan);
    assert_eq!(code, 0, "{value:#}");
    let reverted = Reverted::first(desk, &plan).await;
    (value["run"]["id"].as_str().unwrap().to_owned(), plan, reverted)
}

/// At ec6755a two entries of any key did it: with one own entry all of a run was taken for our own, and `resume` wrote a row
/// of a finished run once more, without a phrase. (4eabe32 signed nothing and believed every entry.)
#[tokio::test]
async fn a_finished_run_is_not_reopened() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let (run, plan, reverted) = finished(&desk).await;
    let key = Key::new();
    intruder.list(&key, "dana@laptop", None).await;
    intruder.reopens(&key, &run).await;
    let (_, shown) = desk.json(&["runs", &run]);
    assert_eq!(shown["runs"][0]["resumable"], true, "{shown:#}");
    let phrase = plan["phrase"].as_str().unwrap();
    let attempts = || [vec!["resume", &run], vec!["resume", &run, "--confirm", phrase]];
    for args in attempts() {
        let (code, value) = desk.json(&args);
        reverted.is_untouched(&desk).await;
        assert_eq!(code, 3, "{value:#}");
    }
    // Nor by a key that is trusted: what this installation has ended stays so.
    assert_eq!(desk.json(&["key", "trust", &key.fingerprint]).0, 0);
    for args in attempts() {
        let (code, value) = desk.json(&args);
        reverted.is_untouched(&desk).await;
        assert_eq!(code, 3, "{value:#}");
    }
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 1, "{value:#}");
    let findings = value["journal"]["findings"].to_string();
    assert!(findings.contains("which ended with entry"), "{findings}");
    // Nothing else keeps the run from its rows.
    assert!(!findings.contains("images of run") && !findings.contains("planned rows"), "{findings}");
}

/// The same of a run that was interrupted: an entry of another makes it a run that is looked at first.
#[tokio::test]
async fn an_interrupted_run_with_an_entry_of_another_is_not_ones_own() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let (run, plan) = desk.interrupted("plan.json").await;
    let images = images_of(&run);
    let before = desk.value(&images).await;
    assert_ne!(before, "0");
    let key = Key::new();
    intruder.list(&key, "erin@laptop", None).await;
    intruder.writes(&key, Some(&run), "note", &json!({ "text": "hello" })).await;
    let confirmed = ["resume", &run, "--confirm", plan["phrase"].as_str().unwrap()];
    for args in [&confirmed[..2], &confirmed] {
        let (code, value) = desk.json(args);
        assert_eq!((code, desk.value(&images).await), (3, before.clone()), "{value:#}");
        assert_eq!(value["plan"]["digest"], plan["digest"], "the plan is shown: {value:#}");
        let hint = value["error"]["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("key trust {}", key.fingerprint)), "{value:#}");
    }
    assert_eq!(desk.json(&["key", "trust", &key.fingerprint]).0, 0);
    let (code, value) = desk.json(&confirmed[..2]);
    assert_eq!((code, desk.value(&images).await), (3, before), "{value:#}");
    let (code, value) = desk.json(&confirmed);
    assert_eq!((code, value["run"]["outcome"].as_str()), (0, Some("applied")), "{value:#}");
}

/// At ec6755a the entries were judged on one session, and the run was taken over on another, which believed any entry.
#[tokio::test]
async fn an_entry_that_comes_after_the_judgement_is_noticed() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let (run, _) = desk.interrupted("plan.json").await;
    let images = images_of(&run);
    let before = desk.value(&images).await;
    assert_ne!(before, "0");
    let engine = desk.engine().await;
    let approved = engine.review_resume(&run).await.unwrap().unwrap();
    let key = Key::new();
    intruder.list(&key, "erin@laptop", None).await;
    intruder.writes(&key, Some(&run), "note", &json!({ "text": "hello" })).await;
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    assert_eq!(desk.value(&images).await, before, "{done:?}");
    assert!(done.failure.unwrap().message.contains("were added or altered"));
}

/// At ec6755a `journal verify` panicked on the first journal (exit 101), and `apply` on the others.
#[tokio::test]
async fn numbers_at_the_end_of_their_range_end_no_program() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let (key, rows) = (Key::new(), desk.value(ROWS).await);
    intruder.list(&key, "erin@laptop", None).await;
    for counter in [i64::MAX, i64::MIN] {
        intruder.entry((&key, &key.fingerprint, counter), None, "note", &json!({})).await;
    }
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 1, "{value:#}");
    assert!(value["journal"]["findings"].to_string().contains("which has no next"), "{value:#}");
    let plan = desk.plan("plan.json", &["plan", "backfill", "--set", "limit=8"]);
    let (_, exported) = desk.json(&["key", "export"]);
    let ours = exported["keys"][0]["fingerprint"].as_str().unwrap();
    intruder.entry((&key, ours, i64::MAX), None, "note", &json!({})).await;
    let (code, value) = desk.apply("plan.json", &plan);
    let message = value["error"]["message"].as_str().unwrap_or_default();
    assert!(code != 101 && message.contains(&i64::MAX.to_string()), "{code} {value:#}");
    intruder.sql(&format!("update midwatch.head set seq = {}", i64::MAX)).await;
    let (code, value) = desk.apply("plan.json", &plan);
    let message = value["error"]["message"].as_str().unwrap_or_default();
    assert!(code != 101 && message.contains("the journal's head has number"), "{code} {value:#}");
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 1, "{value:#}");
    assert_eq!(desk.value(ROWS).await, rows, "rows were changed");
}

/// What an earlier version signed a plan with: `plan.key`, as it is in the state directory.
fn signed_by_an_earlier_version(desk: &Desk, digest: &str) -> String {
    let key = [7_u8; 32];
    let path = desk.state().join("plan.key");
    std::fs::write(&path, key).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(digest.as_bytes());
    format!("{:.8}:{}", hex::encode(Sha256::digest(key)), hex::encode(mac.finalize().into_bytes()))
}

/// A run with the plan of another, unsigned and chained as an earlier version would have written it; its number.
async fn replayed(desk: &Desk, run: &str, plan: &Value) -> String {
    let text = format!("$plan${plan}$plan$");
    let again = desk
        .value(&format!(
            "insert into midwatch.runs (operation, name, target, plan, plan_text, digest, operator, fence, planned, outcome, resumable)
             select operation, name, target, {text}, {text}, digest, operator, nextval('midwatch.fences'), planned, 'failed', true
             from midwatch.runs where id = {run} returning id::text"
        ))
        .await;
    desk.sql(&format!(
        "insert into midwatch.planned_rows (run, step, seq, unit, key, before, after)
         select {again}, b.step, u.seq, b.unit, u.key::jsonb, u.before::jsonb, u.after::jsonb from midwatch.planned_blocks b
         cross join lateral rows from (generate_series(b.first, b.last), unnest(b.keys), unnest(b.before), unnest(b.after))
           u(seq, key, before, after) where b.run = {run}"
    ))
    .await;
    let planned = desk
        .value(&format!(
            "select count(*) || ':' || coalesce(sum(hashint8extended(seq, step) + jsonb_hash_extended(key, 2)::numeric
             + jsonb_hash_extended(coalesce(before, 'null'), 0) + jsonb_hash_extended(coalesce(after, 'null'), 1))::text, '')
             from midwatch.planned_rows where run = {again}"
        ))
        .await;
    assert!(planned.starts_with("1:"), "{planned}");
    let intent = format!("select body from midwatch.events where run = {run} and kind = 'intent'");
    let mut intent: Value = serde_json::from_str(&desk.value(&intent).await).unwrap();
    for new in ["fence", "lock_pid", "backends", "undone_fence", "text_sha256"] {
        intent.as_object_mut().unwrap().remove(new);
    }
    let began = format!("select started_at::text from midwatch.runs where id = {again}");
    (intent["planned"], intent["began"]) = (json!(planned), json!(desk.value(&began).await));
    let outcome = json!({ "outcome": "failed", "resumable": true, "verified": null, "message": null });
    for (kind, body) in [("intent", intent), ("outcome", outcome)] {
        let head = desk.value("select seq || ' ' || hash from midwatch.head").await;
        let (seq, prev) = head.split_once(' ').unwrap();
        let (seq, run) = (seq.parse::<i64>().unwrap() + 1, Some(again.clone()));
        let (at, prev) = ("2026-11-30T00:00:00.000000Z".to_owned(), prev.to_owned());
        let body = body.to_string();
        let mut event =
            Event { seq, at, run, kind: kind.into(), body, prev, hash: String::new(), signed: None };
        event.hash = event.computed_hash();
        desk.sql(&format!(
            "insert into midwatch.events (seq, at, run, kind, body, prev, hash)
             values ({seq}, '{}', {again}, '{kind}', $body${}$body$, '{}', '{hash}');
             update midwatch.head set seq = {seq}, hash = '{hash}'",
            event.at,
            event.body,
            event.prev,
            hash = event.hash
        ))
        .await;
    }
    again
}

/// At 4eabe32 any plan in the journal was carried out; at ec6755a that of a finished run of an earlier version, whose own
/// signature stands in it, once more, after its owner had removed all signatures from the journal: `resume` wrote, exit 0.
#[tokio::test]
async fn a_plan_of_an_earlier_version_is_not_carried_out_twice() {
    let desk = Desk::new().await;
    let (run, plan, reverted) = finished(&desk).await;
    let text = desk.value(&format!("select plan_text from midwatch.runs where id = {run}")).await;
    let mut old: Value = serde_json::from_str(&text).unwrap();
    old["signature"] = json!(signed_by_an_earlier_version(&desk, plan["digest"].as_str().unwrap()));
    desk.sql(
        "set session_replication_role = replica; delete from midwatch.installations;
         update midwatch.events set installation = null, signed_for = null, counter = null, signature = null",
    )
    .await;
    let again = replayed(&desk, &run, &old).await;
    let phrase = plan["phrase"].as_str().unwrap();
    for args in [vec!["resume", &again], vec!["resume", &again, "--confirm", phrase]] {
        let (code, value) = desk.json(&args);
        reverted.is_untouched(&desk).await;
        assert_eq!(code, 3, "{value:#}");
    }
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 1, "{value:#}");
    assert!(value["journal"]["findings"].to_string().contains("is not signed any more"), "{value:#}");
    // Where nobody can tell that entries were signed, the plan's run is still not one that was begun here.
    for file in std::fs::read_dir(desk.state().join("journal")).unwrap().map(|f| f.unwrap().path()) {
        if file.to_str().unwrap().ends_with("mark.json") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let (code, value) = desk.json(&["resume", &again]);
    reverted.is_untouched(&desk).await;
    assert_eq!((code, &value["plan"]["digest"]), (3, &plan["digest"]), "{value:#}");
    // Nor are before-images restored that an entry tells of which nobody signed (`golden` undoes what is in the copy).
    for desk in [&desk, &desk.another()] {
        let inverse = desk.plan("undo.json", &["undo", &run]);
        let images = preflight(&inverse, "images");
        let message = images["message"].as_str().unwrap();
        assert!(images["status"] == "fail" && message.contains("not in this machine's copy"), "{inverse:#}");
    }
}

/// Before-images of a batch that follows the last one of a run: they would put other values into its first row.
fn planted_images(run: &str, batch: u64) -> String {
    format!(
        "insert into midwatch.image_blocks (run, step, batch, relation, seqs, keys, before, after)
         select run, step, {batch}, relation, seqs[1:1], keys[1:1], after[2:2], after[1:1]
         from midwatch.image_blocks where run = {run} and seqs is not null order by batch limit 1"
    )
}

/// Their digest, as the entry of their batch has it.
async fn digest_of_images(desk: &Desk, run: &str, batch: u64) -> String {
    desk.value(&format!(
        "select sum(cardinality(b.keys)) || ':blocks:sha256:' || encode(sha256(string_agg(
         sha256(record_send(row(b.run, b.step, b.batch, b.relation, b.seqs, b.keys, b.before, b.after))), '' order by b.keys)), 'hex')
         from midwatch.image_blocks b where b.run = {run} and b.batch = {batch}"
    ))
    .await
}

/// The rows that runs of these tests write.
const ROWS: &str = "select md5(string_agg(e::text, '' order by e.id)) from attendance_events e";

fn preflight<'p>(plan: &'p Value, id: &str) -> &'p Value {
    plan["preflight"].as_array().unwrap().iter().find(|p| p["id"] == id).unwrap_or(&Value::Null)
}

/// At 03c73d6 the server took an entry of any number of whoever may add entries.
#[tokio::test]
async fn entries_are_numbered_from_one() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    for seq in [0, -1, i64::MIN] {
        let refused = intruder
            .refused(&format!(
                "insert into midwatch.events (seq, at, kind, body, prev, hash) values ({seq}, '', 'note', '{{}}', '', '')"
            ))
            .await;
        assert!(refused.contains("events_seq_check"), "{seq}: {refused}");
    }
}

/// At 03c73d6 `journal verify` read entries from number 1 on, and the statements that compare rows with entries read all of
/// them: it ended with 0, `undo` wrote the values of the planted images, the run had another operator, and our entries
/// were those of a key that had been replaced before it wrote the first.
#[tokio::test]
async fn entries_before_the_first_are_found_and_not_believed() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let run = desk.applied("run.json", &["plan", "backfill", "--set", "limit=8"]);
    let run = run["id"].as_str().unwrap();
    assert_eq!(desk.json(&["key", "rotate"]).0, 0);
    desk.applied("new.json", &["plan", "init", "--set", &format!("operators={}", intruder.role())]);
    desk.sql("alter table midwatch.events drop constraint if exists events_seq_check").await;
    let (after, ours) = (desk.value(ROWS).await, desk.json(&["key", "export"]).1);
    let ours = ours["keys"][0]["fingerprint"].as_str().unwrap();
    intruder.sql(&planted_images(run, 2)).await;
    let images = digest_of_images(&desk, run, 2).await;
    let batch = json!({ "step": 0, "batch": 2, "from": 1, "to": 1, "applied": 0, "drifted": 0, "images": images, "ms": 1 });
    intruder
        .sql(&format!(
            "insert into midwatch.events (seq, at, run, kind, body, prev, hash)
             select -1, '', {run}, 'batch', '{batch}', '', '' union all
             select -2, '', {run}, 'intent', replace(body, '\"dana@', '\"eve@'), '', '' from midwatch.events where run = {run} and kind = 'intent';
             insert into midwatch.events (seq, at, kind, body, prev, hash, installation, counter)
             values ({}, '', 'note', '{{}}', '', '', '{ours}', 9999);
             update midwatch.runs set batch = batch + 1, operator = replace(operator, 'dana@', 'eve@') where id = {run}",
            i64::MIN
        ))
        .await;
    let (code, value) = desk.json(&["journal", "verify"]);
    let findings = value["journal"]["findings"].to_string();
    assert_eq!(code, 1, "{value:#}");
    for found in [
        "entry -1 ",
        "entry -2 ",
        "entry -9223372036854775808 ",
        "images of run",
        "operator of run",
        "batches of run",
    ] {
        assert!(findings.contains(found), "{found}: {value:#}");
    }
    assert!(!findings.contains("was replaced by"), "{value:#}");
    let inverse = desk.plan("undo.json", &["undo", run]);
    assert_eq!(preflight(&inverse, "images")["status"], "fail", "{inverse:#}");
    let (code, value) = desk.apply("undo.json", &inverse);
    assert_eq!((code, desk.value(ROWS).await), (3, after), "{value:#}");
}

/// At 03c73d6 before-images that were there before their batch was committed were counted among it, and the sum over both
/// was signed: `journal verify` found nothing, and an undo wrote their values.
#[tokio::test]
async fn images_that_are_there_before_their_batch_are_not_signed_with_it() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let (run, _) = desk.interrupted("plan.json").await;
    let before = desk.value(ROWS).await;
    intruder.sql(&planted_images(&run, 2)).await;
    let (code, value) = desk.json(&["resume", &run]);
    assert_eq!(
        (desk.value(ROWS).await, value["run"]["rows_applied"].as_u64()),
        (before, Some(8)),
        "{value:#}"
    );
    assert_eq!(code, 7, "{value:#}");
    let message = value["error"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("before-images of run {run} batch 2 were there before")), "{value:#}");
    let signed = format!("select count(*)::text from midwatch.events where run = {run} and kind = 'batch'");
    assert_eq!(desk.value(&signed).await, "1");
    let (code, value) = desk.json(&["journal", "verify"]);
    assert_eq!(code, 1, "{value:#}");
}

/// At 03c73d6 the hint of `resume` was to undo such a run, and the undo wrote what the entry of any key told of: the
/// intruder's own values, with the operator's rights, and a warning.
#[tokio::test]
async fn images_that_an_unknown_key_tells_of_are_not_written_by_an_undo() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let (run, _) = desk.interrupted("plan.json").await;
    let (before, key) = (desk.value(ROWS).await, Key::new());
    intruder.list(&key, "erin@laptop", None).await;
    intruder.sql(&planted_images(&run, 2)).await;
    let images = digest_of_images(&desk, &run, 2).await;
    let body = json!({ "step": 0, "batch": 2, "from": 9, "to": 9, "applied": 1, "drifted": 0, "images": images, "ms": 1 });
    intruder.writes(&key, Some(&run), "batch", &body).await;
    let entry = desk.value("select max(seq)::text from midwatch.events").await;
    let inverse = desk.plan("undo.json", &["undo", &run]);
    let (code, value) = desk.apply("undo.json", &inverse);
    assert_eq!((code, desk.value(ROWS).await), (3, before), "{value:#}");
    let images = preflight(&inverse, "images");
    let message = images["message"].as_str().unwrap();
    assert!(
        images["status"] == "fail"
            && message.contains(&format!("entry {entry} (batch)"))
            && message.contains(&key.fingerprint),
        "{images:#}"
    );
    let (code, value) = desk.json(&["resume", &run]);
    let hint = value["error"]["hint"].as_str().unwrap();
    assert!(code == 3 && hint.contains("an undo restores nothing"), "{value:#}");
    assert_eq!(desk.json(&["key", "trust", &key.fingerprint]).0, 0);
    let inverse = desk.plan("trusted.json", &["undo", &run]);
    assert_eq!(preflight(&inverse, "images"), &Value::Null, "{inverse:#}");
}

/// At 4eabe32 whoever may write the journal put rows beside a plan's, before its run began (numbers of runs are known in
/// advance) or while it was under way: they were changed with the rest, and the server's digest over them was signed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_added_to_the_planned_rows_of_a_run() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let (run, _) = desk.interrupted("p.json").await;
    let next = run.parse::<i64>().unwrap() + 1;
    for (target, seq) in [(next, 1), (next, 5_000), (run.parse().unwrap(), 5_000), (run.parse().unwrap(), 3)]
    {
        let blocks = format!(
            "insert into midwatch.planned_blocks (run, step, first, last, keys, before, after)
             select {target}, step, {seq}, {seq}, keys[1:1], before[1:1], after[1:1] from midwatch.planned_blocks where run = {run} limit 1"
        );
        for insert in [
            // At 03c73d6 that was enough: the run's row was then of the transaction that added them.
            format!("begin; update midwatch.runs set beat_at = beat_at where id = {target}; {blocks}; commit"),
            blocks,
            format!(
                "insert into midwatch.planned_rows (run, step, seq, key, before, after)
                 select {target}, step, {seq}, keys[1]::jsonb, before[1]::jsonb, after[1]::jsonb from midwatch.planned_blocks where run = {run} limit 1"
            ),
        ] {
            let refused = intruder.refused(&insert).await;
            assert!(
                refused.contains("are written when it begins") || refused.contains("permission denied"),
                "{insert}: {refused}"
            );
        }
    }
    let (code, value) = desk.json(&["resume", &run]);
    assert_eq!((code, value["run"]["rows_applied"].as_u64()), (0, Some(24)), "{value:#}");
}

/// At 03c73d6 a run of another's own lent its number: it was begun with a number in advance, with rows, and got another
/// one. The run that had the number next carried those rows out with its own, and signed them.
#[tokio::test]
async fn rows_that_are_there_before_their_run_are_not_signed_with_it() {
    let desk = Desk::new().await;
    let intruder = Intruder::admitted(&desk).await;
    let run = desk.applied("first.json", &["plan", "backfill", "--set", "limit=8"]);
    let run: i64 = run["id"].as_str().unwrap().parse().unwrap();
    let plan = desk.plan("plan.json", &["plan", "backfill", "--set", "limit=8"]);
    let next = run + 2;
    intruder
        .sql(&format!(
            "begin;
             insert into midwatch.runs (id, operation, name, target, plan, plan_text, digest, operator, fence, planned)
             overriding system value select {next}, operation, name, target, plan, plan_text, digest, operator, fence, planned from midwatch.runs where id = {run};
             insert into midwatch.planned_blocks (run, step, first, last, keys, before, after)
             select {next}, step, 9, 9, keys[1:1], after[1:1], before[1:1] from midwatch.planned_blocks where run = {run};
             update midwatch.runs set id = default where id = {next};
             commit"
        ))
        .await;
    let before = desk.value(ROWS).await;
    let (code, value) = desk.apply("plan.json", &plan);
    assert_eq!((code, desk.value(ROWS).await), (3, before), "{value:#}");
    let message = value["error"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("planned rows of run {next} were there before")), "{value:#}");
}
