//! Runs a case: plan, apply, hurt it, look at everything, resume, look again, undo.

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::case::{Case, Fault, Step};
use crate::common::Run;
use crate::disk::Tiny;
use crate::inject::Held;
use crate::ops::{Way, filled};
use crate::program::Program;
use crate::servers::Rig;
use crate::state::{End, Exact, Found, agrees, guard_state};
use crate::worker::Worker;
use crate::world::{Planned, World};
use crate::{inject, undisturbed};

/// A case under way.
pub(crate) struct Scene {
    pub(crate) case: Case,
    pub(crate) world: World,
    planned: Planned,
    before: Exact,
    guard: String,
    /// The last run before this one.
    last: i64,
    worker: Option<Worker>,
}

/// What came of it, for the table.
pub(crate) async fn case(case: Case, rig: &'static Rig) -> String {
    let world = World::new(rig, case.op.template).await;
    let planned = plan(&world, case.op.args, "plan.json").await;
    let worker = (case.op.name == "requeue jobs").then(|| Worker::start(&world));
    let mut scene = Scene {
        before: Exact::read(&world).await,
        guard: guard_state(&world).await,
        last: world.last_run().await,
        case,
        world,
        planned,
        worker,
    };
    let verdict = match case.fault {
        Fault::MovedBefore => scene.moved_before().await,
        Fault::MovedBetween if case.batch == Some(1) => scene.moved_first().await,
        Fault::MovedBetween => scene.moved_between().await,
        Fault::TwoOperators => scene.two_operators().await,
        Fault::DiskFull => scene.disk_full().await,
        Fault::LockTimeout => scene.lock_timeout().await,
        _ => scene.cut_off().await,
    };
    if let Some(worker) = scene.worker.take() {
        worker.stop().await;
    }
    scene.world.drop().await;
    verdict
}

/// `plan …`, or the undo of the last run.
pub(crate) async fn plan(world: &World, args: &[&str], file: &str) -> Planned {
    if args != ["undo"] {
        return world.plan(args, file).await;
    }
    let run = world.last_run().await.to_string();
    world.plan(&["undo", &run], file).await
}

impl Scene {
    /// The run of this case, as soon as it is in the journal.
    async fn run(&self) -> Option<i64> {
        let last = self.world.last_run().await;
        (last > self.last).then_some(last)
    }

    fn start(&self) -> Program {
        self.world.start(&self.planned.apply())
    }

    /// Held at its step.
    async fn held(&self) -> (Program, Held) {
        inject::hold(&self.world, &self.case, || self.start()).await
    }

    /// Killed, cut off, cancelled.
    async fn cut_off(&mut self) -> String {
        let (program, held) = self.held().await;
        let end = inject::strike(&self.world, &self.case, program, held).await;
        self.afterwards(end.as_ref(), "").await
    }

    /// A lock that is not given.
    async fn lock_timeout(&mut self) -> String {
        let end = inject::contend(&self.world, &self.case, || self.start()).await;
        assert_ne!(end.code, 0, "nothing stood in its way: {end:?}");
        self.afterwards(Some(&end), "").await
    }

    /// A small file system for the before-images; else the server's error.
    async fn disk_full(&mut self) -> String {
        let tiny = match self.case.step {
            Step::Image => Tiny::mount(&self.world, &self.case).await,
            _ => None,
        };
        if tiny.is_none() {
            self.world.arm(self.case.step.gate(), self.case.batch, Some("53100")).await;
        }
        let end = self.world.midwatch(&self.planned.apply()).await;
        assert_ne!(end.code, 0, "there was room: {end:?}");
        assert!(end.stdout.contains("No space left on device"), "{end:?}");
        if tiny.is_some() {
            assert_eq!(
                end.code,
                // Partitions are made before the first row is copied.
                if self.case.batch == Some(1) && self.case.op.name != "copy-missing" { 6 } else { 7 },
                "in the wrong batch: {end:?}"
            );
        }
        self.world.disarm().await;
        let how = if tiny.is_some() { ", real" } else { ", raised" };
        if let Some(tiny) = &tiny {
            tiny.make_room();
        }
        let verdict = self.afterwards(Some(&end), how).await;
        if let Some(tiny) = tiny {
            tiny.leave(&self.world).await;
        }
        verdict
    }

    /// The second is told who is there, and changes nothing.
    async fn two_operators(&mut self) -> String {
        let (mut program, held) = self.held().await;
        let second = self.world.start_second(&self.planned.apply());
        if self.case.step == Step::Lock {
            let mut second = second;
            // Both stand before the lock; one of them gets it.
            let both = format!(
                "select count(*)::text from pg_stat_activity where datname = '{}' and application_name like 'midwatch/lock%' and wait_event = 'PgSleep'",
                self.world.db
            );
            crate::program::until("both stand before the lock", async || {
                assert!(!second.is_over() && !program.is_over());
                self.world.value(&both).await == "2"
            })
            .await;
            held.release(&self.world).await;
            let (first, second) = (program.end().await, second.end().await);
            let (winner, loser) = if first.code == 0 { (first, second) } else { (second, first) };
            refused(&loser);
            return self.afterwards(Some(&winner), "").await;
        }
        let second = second.end().await;
        refused(&second);
        assert!(second.stdout.contains("first@"), "it does not say who: {second:?}");
        if let Some(run) = self.run().await {
            let resumed = self.world.start_second(&["resume", &run.to_string(), "--json"]).end().await;
            assert_eq!(resumed.code, 3, "{resumed:?}");
        }
        held.release(&self.world).await;
        let first = program.end().await;
        assert_eq!(first.code, 0, "{first:?}");
        self.afterwards(Some(&first), "").await
    }

    /// Refused with the difference; planned again it goes through.
    async fn moved_before(&mut self) -> String {
        if self.case.op.is_init() {
            // Somebody else makes the journal.
            self.world.apply_now(&["plan", "init"]).await;
            let late = self.world.midwatch(&self.planned.apply()).await;
            assert_eq!(late.code, 3, "{late:?}");
            assert_eq!(self.world.last_run().await, 1);
            return "✓ 3".into();
        }
        let key = self.planned.plan["diff"][1]["key"].clone();
        self.world.execute(&filled(self.case.op.moves.before, &key)).await;
        self.before = Exact::read(&self.world).await;
        let end = self.world.midwatch(&self.planned.apply()).await;
        assert_eq!(end.code, 4, "{end:?}");
        let run = end.json()["run"].clone();
        assert_eq!(run["outcome"], "stale");
        let moved: Vec<&Value> =
            run["moved"].as_array().unwrap().iter().map(|m| &m["planned"]["key"]).collect();
        assert!(moved.contains(&&key), "the row that moved is not named: {end:?}");
        assert_eq!(self.run().await, None);
        self.agrees(None).await;
        self.planned = plan(&self.world, self.case.op.args, "again.json").await;
        let again = self.world.midwatch(&self.planned.apply()).await;
        assert_eq!(again.code, 0, "{again:?}");
        self.finished().await;
        self.undone().await;
        "✓ 4".into()
    }

    /// After the comparison and before the first batch: nothing is done, and planned again it goes through.
    async fn moved_first(&mut self) -> String {
        let op = self.case.op;
        let first = Case { step: Step::IntentCommit, batch: None, ..self.case };
        let (program, held) = inject::hold(&self.world, &first, || self.start()).await;
        let key = self.planned.plan["diff"][1]["key"].to_string();
        let key = self.world.value(&format!("select '{key}'::jsonb::text")).await;
        let mover = self.mover(&key).await;
        held.release(&self.world).await;
        let end = program.end().await;
        let row = mover.await.unwrap();
        self.before.0.get_mut(op.table).unwrap().insert(key, row);
        let run = self.run().await.unwrap();
        let found = self.agrees(Some(run)).await.unwrap();
        if !op.moves.drifts {
            assert_eq!((end.code, found.applied), (0, self.planned.rows), "{end:?}");
            self.undone().await;
            return "✓ 0".into();
        }
        assert_eq!((end.code, found.applied, found.drifted), (4, 0, 0), "{end:?}");
        assert_eq!(end.json()["run"]["outcome"], "stale", "{end:?}");
        self.nothing_left(run).await;
        self.planned = plan(&self.world, op.args, "again.json").await;
        let again = self.world.midwatch(&self.planned.apply()).await;
        assert_eq!(again.code, 0, "{again:?}");
        self.finished().await;
        self.undone().await;
        "✓ 4".into()
    }

    /// Left alone and listed; the rest is done.
    async fn moved_between(&mut self) -> String {
        let op = self.case.op;
        let first = Case { step: Step::Entry, batch: Some(1), ..self.case };
        let (program, held) = inject::hold(&self.world, &first, || self.start()).await;
        let run = self.run().await.unwrap();
        let at = op.first + 2;
        // By the plan: the journal counts each step's rows by themselves.
        let key = self.planned.plan["diff"][usize::try_from(at).unwrap() - 1]["key"].to_string();
        let key = self.world.value(&format!("select '{key}'::jsonb::text")).await;
        let mover = self.mover(&key).await;
        held.release(&self.world).await;
        let end = program.end().await;
        let row = mover.await.unwrap();
        self.before.0.get_mut(op.table).unwrap().insert(key.clone(), row);
        let shown = end.json()["run"].clone();
        let drifted = u64::from(op.moves.drifts);
        assert_eq!(shown["rows_drifted"], drifted, "{end:?}");
        assert_eq!(end.code, if drifted > 0 { 7 } else { 0 }, "{end:?}");
        let listed =
            self.world.midwatch(&["runs", &run.to_string(), "--json"]).await.json()["runs"][0]["drifted"]
                .clone();
        let listed: Vec<Value> = listed.as_array().unwrap().iter().map(|d| d["key"].clone()).collect();
        let expected: Vec<Value> =
            if op.moves.drifts { vec![serde_json::from_str(&key).unwrap()] } else { vec![] };
        assert_eq!(listed, expected);
        self.agrees(Some(run)).await;
        self.nothing_left(run).await;
        let found = self.agrees(Some(run)).await.unwrap();
        assert_eq!((found.applied, found.drifted), (self.planned.rows - drifted, drifted));
        self.undone().await;
        format!("✓ {}", end.code)
    }

    /// Another session changes a planned row, as soon as it gets at it; the row as it is then.
    async fn mover(&self, key: &str) -> JoinHandle<String> {
        let parsed: Value = serde_json::from_str(key).unwrap();
        let sql = filled(self.case.op.moves.between, &parsed);
        let conditions: Vec<_> = parsed
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| format!("t.{k}::text = '{}'", v.as_str().unwrap()))
            .collect();
        let read = format!("select t::text from {} t where {}", self.case.op.table, conditions.join(" and "));
        inject::beside(&self.world, async move |mut owner| {
            owner.execute_script(&format!("begin; {sql}")).await.unwrap();
            let row = owner.fetch_value(&read, &[]).await.unwrap().expect("the row that was changed");
            owner.execute_script("commit").await.unwrap();
            row
        })
        .await
    }

    /// All that must hold whatever happened; and that what the program said was true.
    async fn afterwards(&mut self, end: Option<&Run>, how: &str) -> String {
        self.world.sessions_end().await;
        let run = self.run().await;
        let found = self.agrees(run).await;
        if let Some(end) = end {
            self.truthful(end, run, found.as_ref());
        }
        let resumed = if let Some(run) = run {
            self.resumed(run).await
        } else {
            // Nothing of it is there: the same plan is still good.
            let again = self.world.midwatch(&self.planned.apply()).await;
            assert_eq!(again.code, 0, "{again:?}");
            "applied again"
        };
        let found = self.finished().await;
        assert_eq!(
            found.sizes.iter().sum::<u64>(),
            if self.case.op.is_init() { 0 } else { self.planned.rows }
        );
        let undisturbed = undisturbed::end(self.world.rig, self.case.op).await;
        undisturbed
            .assert_same(&End::read(&self.world, self.case.op).await, "an undisturbed run, and this one");
        self.undone().await;
        let code = end.map_or_else(|| "killed".to_owned(), |e| e.code.to_string());
        format!("✓ {code}, {resumed}{how}")
    }

    async fn agrees(&self, run: Option<i64>) -> Option<Found> {
        let found = agrees(&self.world, self.case.op, &self.before, run, &self.guard).await;
        if run.is_some() || self.last > 0 {
            let verified = self.world.midwatch(&["journal", "verify", "--json"]).await;
            crate::world::unaltered(&verified);
        }
        found
    }

    /// Exit code and outcome are what the tables say.
    fn truthful(&self, end: &Run, run: Option<i64>, found: Option<&Found>) {
        let said = end.json();
        let (shown, error) = (&said["run"], &said["error"]);
        let outcome = shown["outcome"].as_str().unwrap_or("none");
        if end.code == 8 {
            let cut = matches!(self.case.fault, Fault::RunCut | Fault::ServerKilled);
            assert!(cut && self.case.step.commits(), "what is known is called ambiguous: {end:?}");
            assert_eq!(outcome, "ambiguous");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("look at midwatch runs"), "it does not say where to look: {message}");
            assert_eq!(error["ambiguous"], true);
            return;
        }
        let Some(found) = found else {
            assert!(matches!(end.code, 5 | 6), "nothing has begun: {end:?}");
            assert!(matches!(outcome, "failed" | "refused" | "none"), "{end:?}");
            assert!(error["durable"] == false && error["ambiguous"] == false, "{end:?}");
            return;
        };
        let applied = if self.case.op.is_init() { self.planned.rows } else { found.applied };
        let all = applied == self.planned.rows;
        let recorded = found.outcome == "applied";
        let (code, word) = match (applied, all && recorded) {
            // Partitions that were made stand, whatever became of the rows.
            (0, _) if found.ran == 0 => (6, "failed"),
            (_, true) => (0, "applied"),
            (_, false) => (7, "partial"),
        };
        assert_eq!((end.code, outcome), (code, word), "{found:?}: {end:?}");
        // A run whose intent is all that is there need not be known to its client.
        if shown["id"].is_null() {
            assert_eq!(applied, 0, "{end:?}");
        } else {
            assert_eq!(shown["id"], run.unwrap().to_string(), "{end:?}");
            assert_eq!(shown["rows_applied"], applied, "{end:?}");
            assert_eq!(shown["rows_drifted"], found.drifted, "{end:?}");
        }
        if found.outcome != "running" {
            assert_eq!(found.outcome, outcome, "{end:?}");
        }
    }

    /// The rest, and only the rest; then nothing.
    async fn resumed(&self, run: i64) -> &'static str {
        let resumed = self.world.midwatch(&["resume", &run.to_string(), "--json"]).await;
        assert_eq!(resumed.code, 0, "{resumed:?}");
        assert_eq!(resumed.json()["run"]["outcome"], "applied", "{resumed:?}");
        self.nothing_left(run).await;
        if resumed.stdout.contains("nothing to do") { "nothing left" } else { "resumed" }
    }

    async fn nothing_left(&self, run: i64) {
        let entries = "select count(*)::text from midwatch.events";
        let before = self.world.value(entries).await;
        let again = self.world.midwatch(&["resume", &run.to_string(), "--json"]).await;
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.stdout.contains("nothing to do"), "{again:?}");
        assert_eq!(self.world.value(entries).await, before, "a finished run was gone on with");
        let outcome = self.world.value(&format!("select outcome from midwatch.runs where id = {run}")).await;
        assert_eq!(again.json()["run"]["outcome"], outcome, "{again:?}");
    }

    /// Everything planned is done, once.
    async fn finished(&self) -> Found {
        self.world.sessions_end().await;
        if self.worker.is_some() {
            let waiting = "select count(*)::text from jobs where state = 'waiting'";
            crate::program::until("the worker has taken all", async || {
                self.world.value(waiting).await == "0"
            })
            .await;
        }
        let run = self.run().await.unwrap();
        let found = self.agrees(Some(run)).await.unwrap();
        if !self.case.op.is_init() {
            assert_eq!((found.applied, found.drifted), (self.planned.rows, 0));
        }
        assert_eq!((found.planned, found.outcome.as_str()), (self.planned.rows, "applied"));
        assert_eq!(found.verified, self.case.op.proved);
        found
    }

    /// Back to what it was; or the plan says what not.
    async fn undone(&self) {
        let run = self.run().await.unwrap().to_string();
        let said = self.planned.plan["reversible"].as_str().unwrap();
        match self.case.op.way {
            Way::None => {
                assert_eq!(said, "no");
                let undo = self.world.midwatch(&["undo", &run, "--json"]).await;
                assert_eq!(undo.code, 3, "{undo:?}");
            }
            Way::Lossy => {
                assert_eq!(said, "lossy");
                let planned = self.world.plan(&["undo", &run], "undo.json").await;
                if self.case.op.name == "requeue jobs" {
                    // The worker has taken them all.
                    assert_eq!(planned.rows, 0);
                    return;
                }
                let undo = self.world.midwatch(&planned.apply()).await;
                assert_eq!(undo.code, 0, "{undo:?}");
                let both = "select count(*) filter (where payload ? 'compensates') || ' ' || count(*) filter (where payload ? 'revokes') \
                            from attendance_events where created_by_slack_id = 'system.fix'";
                let applied = self
                    .world
                    .value(&format!("select applied::text from midwatch.runs where id = {run}"))
                    .await;
                assert_eq!(
                    self.world.value(both).await,
                    format!("{applied} {applied}"),
                    "the ledger keeps both"
                );
            }
            Way::Full => {
                assert_eq!(said, "full");
                let planned = self.world.plan(&["undo", &run], "undo.json").await;
                let undo = self.world.midwatch(&planned.apply()).await;
                assert_eq!(undo.code, 0, "{undo:?}");
                self.before.assert_same(&Exact::read(&self.world).await, "before, and after the undo");
            }
        }
        assert_eq!(guard_state(&self.world).await, self.guard);
    }
}

/// Exit 3, and nothing else.
fn refused(end: &Run) {
    assert_eq!(end.code, 3, "{end:?}");
    assert_eq!(end.json()["run"]["outcome"], "refused", "{end:?}");
    assert!(end.stdout.contains("another operator"), "{end:?}");
}
