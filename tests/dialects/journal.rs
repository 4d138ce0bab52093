//! The journal: made on an empty database, in every state, its runs, entries, plans as stored, and what was altered.

use midwatch::engine::gate::guard::TypedPhrase;
use midwatch::engine::journal::{overtaken, runs, state};
use midwatch::engine::model::journal_state::JournalState;
use midwatch::engine::model::name_change::{NameChange, NamedObject};
use midwatch::engine::model::param::Params;
use midwatch::engine::model::plan::Plan;
use midwatch::engine::model::preflight::Ready;
use midwatch::engine::model::progress::Control;
use midwatch::engine::model::query::Sql;
use midwatch::engine::model::record::Outcome;
use midwatch::engine::plan::request::Request;
use midwatch::engine::port::journal_sql::{EventFilter, RunFilter, SameRequest};
use midwatch::engine::port::name_changes::NameChanges;
use midwatch::engine::port::reader::{ReadOptions, ReadTx, Reader};
use serde_json::{Value, json};

use crate::on_each_server;
use crate::postgres::{Alteration, Planted, Side};

on_each_server! {
    it_is_made_step_by_step,
    it_is_newer_damaged_denied_or_unknown,
    a_run_is_read_as_it_was_written,
    what_is_altered_is_found,
    interrupted_runs_are_overtaken_by_changes_of_names,
}

async fn begin(facts: &dyn Reader) -> Box<dyn ReadTx> {
    facts.begin(ReadOptions::default()).await.unwrap()
}

async fn pending(facts: &dyn Reader) -> Vec<String> {
    match state::state(facts).await {
        JournalState::Missing { pending } => pending,
        other => panic!("{other:?}"),
    }
}

/// All of it, as the steps have it.
async fn installed(side: &Side) {
    let reader = side.reader();
    let install = reader.dialect().install(&pending(&reader).await, &[]).unwrap();
    side.run(&install.statements()).await;
}

async fn it_is_made_step_by_step(side: &Side) {
    let reader = side.reader();
    let sql = reader.dialect();
    let files = pending(&reader).await;
    let (role, _) = side.stranger().await;
    let roles = [role.clone(), "nobody_here".to_owned()];
    assert_eq!(sql.unknown_grantees(&mut *begin(&reader).await, &roles).await.unwrap(), ["nobody_here"]);
    let may = sql.may_install(&mut *begin(&reader).await, "us", &files).await.unwrap();
    assert_eq!(may.status, Ready::Ok, "{may:?}");
    let install = sql.install(&files, &[role]).unwrap();
    let titles: Vec<_> = install.steps.iter().map(|s| s.title.as_str()).collect();
    assert_eq!(titles[..files.len()], files, "a step for each file");
    assert_eq!(titles.len(), files.len() + 1, "and one for the roles");
    for step in &install.steps {
        let probe = Sql::new(step.probe.sql.as_str());
        // Before the first step there is not even a table to ask.
        let before = begin(&reader).await.texts(&probe).await;
        assert!(before.as_ref().is_err() || before.is_ok_and(|rows| !rows.is_empty()), "{}", step.title);
        side.run(&step.statements).await;
        assert_eq!(begin(&reader).await.texts(&probe).await.unwrap(), Vec::<Option<String>>::new());
    }
    assert_eq!(state::state(&reader).await, JournalState::Ready);
    for question in &install.verify {
        let wrong = begin(&reader).await.texts(&Sql::new(question.sql.as_str())).await.unwrap();
        assert!(wrong.is_empty(), "{}: {wrong:?}", question.title);
    }
}

async fn it_is_newer_damaged_denied_or_unknown(side: &Side) {
    installed(side).await;
    let (role, stranger) = side.stranger().await;
    match state::state(&stranger).await {
        JournalState::Denied { role: told, lacks, readable: false } => {
            assert_eq!(told, role);
            assert!(!lacks.is_empty());
        }
        other => panic!("{other:?}"),
    }
    let may = stranger.dialect().may_install(&mut *begin(&stranger).await, &role, &[]).await.unwrap();
    assert_eq!(may.status, Ready::Fail, "only the owner admits roles");
    let grants = stranger.dialect().install(&[], &[role]).unwrap();
    side.run(&grants.statements()).await;
    assert_eq!(state::state(&stranger).await, JournalState::Ready);
    assert!(grants.revoke.is_some());
    assert!(matches!(state::state(&side.nowhere()).await, JournalState::Unknown { .. }));
    side.alter(Alteration::TableDropped).await;
    let damaged = state::state(&side.reader()).await;
    assert!(
        matches!(&damaged, JournalState::Damaged { missing } if missing[0].starts_with("table ")),
        "{damaged:?}"
    );
    side.alter(Alteration::NewerFile).await;
    let newer = JournalState::Newer { files: vec!["099_later.sql".into()] };
    assert_eq!(state::state(&side.reader()).await, newer);
}

/// `init`, planned, confirmed and run by the engine: the journal's first run.
async fn first_run(side: &Side) -> Plan {
    let engine = side.engine().await;
    let request = Request::Operation { verb: "init".into(), name: None, params: Params::default() };
    let planned = engine.plan(&request, &|_| ()).await.unwrap();
    let plan = planned.plan.clone();
    let gate = engine.review(planned, true).await.unwrap();
    let at = engine.server_time().await.unwrap();
    let approved =
        gate.confirm(&TypedPhrase { phrase: &plan.phrase, database: None, at }).map_err(|d| d.why).unwrap();
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    assert_eq!((done.outcome, done.failure, done.run.as_deref()), (Outcome::Applied, None, Some("1")));
    plan
}

async fn a_run_is_read_as_it_was_written(side: &Side) {
    let plan = first_run(side).await;
    let reader = side.reader();
    let sql = reader.dialect();
    let mut tx = begin(&reader).await;
    let stored = sql.plan_text(&mut *tx, "1").await.unwrap().unwrap();
    assert_eq!(stored, serde_json::to_string(&plan).unwrap(), "to the byte");
    assert_eq!(runs::plan_of(&reader, "1").await.unwrap(), plan);
    assert_eq!(sql.plan_text(&mut *tx, "2").await.unwrap(), None);
    assert_eq!(sql.plan_texts(&mut *tx, &[2, 1]).await.unwrap(), [(1, stored)]);
    for filter in [
        RunFilter::Latest { before: None, limit: 5 },
        RunFilter::Latest { before: Some(2), limit: 5 },
        RunFilter::Id(1),
        RunFilter::Digest(plan.digest.clone()),
        RunFilter::Plan(plan.id.clone()),
        RunFilter::Of { verbs: vec!["init".into()], limit: 5 },
        RunFilter::Standing { verb: "init".into() },
    ] {
        let found = sql.runs(&mut *tx, &filter).await.unwrap();
        let told: Vec<_> = found.iter().map(|r| (r.id.as_str(), r.outcome, r.resumable, r.live)).collect();
        assert_eq!(told, [("1", Outcome::Applied, false, false)], "{filter:?}");
    }
    for filter in [
        RunFilter::Latest { before: Some(1), limit: 5 },
        RunFilter::Id(2),
        RunFilter::Live,
        RunFilter::Interrupted { before: None, limit: 5 },
        RunFilter::Renaming { after: 0, verbs: vec!["fix".into()] },
    ] {
        assert_eq!(sql.runs(&mut *tx, &filter).await.unwrap(), [], "{filter:?}");
    }
    assert_eq!(sql.count(&mut *tx, 1).await.unwrap(), (1, 0));
    assert_eq!(sql.step(&mut *tx, "1").await.unwrap(), Some(1), "past its only step");
    assert_eq!(sql.drifted(&mut *tx, "1", 5).await.unwrap(), []);
    let same = SameRequest { operation: "init".into(), name: plan.name.clone(), params: "{}".into() };
    assert_eq!(sql.measured(&mut *tx, &same).await.unwrap().map(|m| (m.run, m.ms)), Some(("1".into(), None)));
    entries(&reader, &mut *tx).await;
}

async fn entries(reader: &dyn Reader, tx: &mut dyn ReadTx) {
    let sql = reader.dialect();
    let all = sql.events(tx, &EventFilter::default()).await.unwrap();
    let kinds: Vec<_> = all.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"intent"), Some(&"outcome")));
    for (at, event) in all.iter().enumerate() {
        assert_eq!((event.seq, event.run.as_deref()), (i64::try_from(at).unwrap() + 1, Some("1")));
        assert_eq!(event.hash, event.computed_hash());
    }
    let last = all.last().unwrap();
    assert_eq!(sql.head(tx).await.unwrap(), Some((last.seq, last.hash.clone())));
    let filter = EventFilter { after: 1, limit: Some(1), ..EventFilter::default() };
    assert_eq!(sql.events(tx, &filter).await.unwrap(), all[1..2]);
    let filter =
        EventFilter { run: Some("1".into()), kind: Some("outcome".into()), ..EventFilter::default() };
    assert_eq!(sql.events(tx, &filter).await.unwrap(), std::slice::from_ref(last));
    let filter = EventFilter { run: Some("2".into()), ..EventFilter::default() };
    assert_eq!(sql.events(tx, &filter).await.unwrap(), []);
}

async fn what_is_altered_is_found(side: &Side) {
    first_run(side).await;
    let engine = side.engine().await;
    let sql = engine.facts().dialect();
    let mut tx = begin(engine.facts()).await;
    assert_eq!(sql.altered(&mut *tx, None).await.unwrap(), []);
    assert_eq!(sql.altered_rows(&mut *tx, None).await.unwrap().images, []);
    assert_eq!(engine.verify_journal().await.unwrap().findings, Vec::<String>::new());
    side.alter(Alteration::RowOfRun).await;
    let altered = sql.altered(&mut *tx, Some("1")).await.unwrap();
    assert_eq!(altered.iter().map(|a| a.what.as_str()).collect::<Vec<_>>(), ["rows changed"]);
    assert_eq!(sql.altered(&mut *tx, Some("2")).await.unwrap(), []);
    side.alter(Alteration::PlanOfRun).await;
    let found = engine.verify_journal().await.unwrap().findings;
    assert!(found.iter().any(|f| f.contains("the plan of run 1 is not the one of its intent")), "{found:?}");
}

/// A feature whose older plans tell by a step's title what they rename.
struct Renames;

impl NameChanges for Renames {
    fn verbs(&self) -> Vec<String> {
        vec!["move".into()]
    }

    fn in_plan(&self, plan: &Plan) -> Vec<NameChange> {
        if !plan.renames.is_empty() {
            return plan.renames.clone();
        }
        let titles = plan.steps.iter().filter_map(|s| s.title.strip_prefix("rename "));
        titles.map(|from| NameChange { object: NamedObject::Relation, from: from.into(), to: None }).collect()
    }
}

async fn interrupted_runs_are_overtaken_by_changes_of_names(side: &Side) {
    let made = serde_json::to_value(first_run(side).await).unwrap();
    let reader = side.reader();
    let step = |title: &str, table: &str| {
        json!({ "id": "s", "title": title, "statements": ["x"], "locks": [{ "object": table, "mode": "m", "held_ms": null,
                "measured_on": null }], "in_transaction": true, "back": ["y"], "action": { "do": "statements" } })
    };
    let of = |steps: Value, renames: Option<Value>| {
        let mut plan = made.clone();
        plan["steps"] = steps;
        if let Some(renames) = renames {
            plan["renames"] = renames;
        }
        plan
    };
    let bound = |table: &str| of(json!([step("one", table)]), None);
    let (t, other) = (bound("t"), bound("other"));
    let cut_off = |plan| Planted {
        operation: "change",
        plan,
        outcome: "partial",
        resumable: true,
        applied: 1,
        undoes: None,
    };
    let first = side.plant(&cut_off(&t)).await;
    let second = side.plant(&cut_off(&other)).await;
    let interrupted = async || {
        let found = runs::interrupted(&reader, &Renames).await.unwrap();
        found.into_iter().map(|r| r.id).collect::<Vec<_>>()
    };
    assert_eq!(interrupted().await, [second.clone(), first.clone()]);
    // It says so itself, whatever its verb.
    let declared = of(json!([]), Some(json!([{ "object": "relation", "from": "t", "to": "t_old" }])));
    let done = |operation, plan| Planted {
        operation,
        plan,
        outcome: "applied",
        resumable: false,
        applied: 1,
        undoes: None,
    };
    let renamed = side.plant(&done("anything", &declared)).await;
    assert_eq!(interrupted().await, std::slice::from_ref(&second));
    let record = runs::run(&reader, &Renames, &first).await.unwrap();
    assert_eq!((record.resumable, record.overtaken_by), (false, Some(renamed.clone())));
    // An older plan does not: its feature knows.
    let older = of(json!([step("rename other", "z")]), None);
    side.plant(&done("change", &older)).await;
    assert_eq!(interrupted().await, std::slice::from_ref(&second), "another operation's");
    let moved = side.plant(&done("move", &older)).await;
    assert_eq!(interrupted().await, Vec::<String>::new());
    let back = their_inverses_change_names_too(side, [&moved, &renamed], &second, &older).await;
    one_is_found_behind_many(side, [&bound("kept"), &other, &older], [&renamed, &moved, &back]).await;
}

/// What undoes a run that changes names changes them as well, and what undoes that. Gives the first of these runs.
async fn their_inverses_change_names_too(
    side: &Side,
    [moved, renamed]: [&String; 2],
    cut_off: &str,
    older: &Value,
) -> String {
    let reader = side.reader();
    let undo = |undoes| Planted {
        operation: "undo",
        plan: older,
        outcome: "applied",
        resumable: false,
        applied: 1,
        undoes: Some(undoes),
    };
    let back = side.plant(&undo(moved)).await;
    let again = side.plant(&undo(&back)).await;
    let listed = runs::runs(&reader, &Renames, 10, None).await.unwrap();
    assert_eq!(listed.runs.iter().find(|r| r.id == cut_off).unwrap().overtaken_by.as_ref(), Some(&again));
    let later = overtaken::later(&reader, &Renames, cut_off).await.unwrap();
    let ids: Vec<&String> = later.iter().map(|l| &l.record.id).collect();
    assert_eq!(ids, [&again, &back, moved, renamed]);
    // One that claims to undo itself ends the search, and is none of them.
    let forged = side.plant(&undo(&again)).await;
    side.run(&[format!("update midwatch.runs set undoes = id where id = {forged}")]).await;
    let with_it = overtaken::later(&reader, &Renames, cut_off).await.unwrap();
    assert_eq!(with_it.iter().map(|l| &l.record.id).collect::<Vec<_>>(), ids);
    let concerned =
        |table: &str| later[0].concerns(&[table.to_owned()], &|name| reader.dialect().parse(name));
    assert_eq!((concerned("public.other"), concerned("t")), (Some("public.other".into()), None));
    back
}

/// One that can be resumed is found behind any number of others, and names in the order in which they were changed, what
/// undid them included.
async fn one_is_found_behind_many(side: &Side, [alone, other, older]: [&Value; 3], changed: [&str; 3]) {
    let cut_off = Planted {
        operation: "change",
        plan: alone,
        outcome: "partial",
        resumable: true,
        applied: 1,
        undoes: None,
    };
    let kept = side.plant(&cut_off).await;
    for _ in 0..60 {
        side.plant(&Planted { plan: other, ..cut_off }).await;
    }
    let reader = side.reader();
    let interrupted = async || {
        let found = runs::interrupted(&reader, &Renames).await.unwrap();
        found.into_iter().map(|r| r.id).collect::<Vec<_>>()
    };
    assert_eq!(interrupted().await.len(), 20, "no more are listed");
    let moved = Planted { operation: "move", plan: older, outcome: "applied", resumable: false, ..cut_off };
    side.plant(&moved).await;
    assert_eq!(interrupted().await, [kept]);
    let mut tx = begin(&reader).await;
    let names = overtaken::changed_names(reader.dialect(), &mut *tx, &Renames).await.unwrap();
    assert_eq!(names.unclear, Vec::<String>::new());
    let told: Vec<_> = names.names.iter().map(|n| (n.run.as_str(), n.change.from.as_str())).collect();
    let [first, second, third] = changed;
    assert_eq!(told[..3], [(first, "t"), (second, "other"), (third, "other")]);
    drop(tx);
    let strange = side.plant(&Planted { plan: &json!({ "made": "by another" }), ..moved }).await;
    let mut tx = begin(&reader).await;
    let with_it = overtaken::changed_names(reader.dialect(), &mut *tx, &Renames).await.unwrap();
    assert_eq!(
        (with_it.names, with_it.unclear),
        (names.names, vec![strange]),
        "what is not understood is told"
    );
}
