//! Runs a case of a switchover: plan, apply, hurt it while an application writes, look at everything, go on or back.

use crate::application::Application;
use crate::common::Run;
use crate::inject::{BLOCKED, Held, SLEEPS, no_answer};
use crate::program::{Program, until};
use crate::servers::Rig;
use crate::switch::{Case, Fault, Op, Place};
use crate::table_roles::{Standing, definitions, reverse_triggers};
use crate::world::{POLICY, Planned, World};

/// The operator's command right before the switch: known to the journal, so that it can be held there.
pub(crate) const BEFORE: &str = ": before";
const AFTER: &str = ": after";

struct Scene {
    case: Case,
    world: World,
    planned: Planned,
    application: Application,
    from: Standing,
    definitions: String,
    last: i64,
}

/// What came of it, for the table.
pub(crate) async fn case(case: Case, rig: &'static Rig) -> String {
    let world = World::new(rig, case.op.template()).await;
    // On a busy machine the application, which never rests, has its turn with a table several times in a row.
    world.policy(&POLICY.replace("lock_attempts = 3", "lock_attempts = 40"));
    let settings = settings(case);
    let mut args = vec!["plan", case.op.title()];
    for setting in &settings {
        args.extend(["--set", setting]);
    }
    let planned = world.plan(&args, "plan.json").await;
    let scene = Scene {
        from: Standing::read(&world).await,
        definitions: definitions(&world).await,
        last: world.last_run().await,
        application: Application::start(&world),
        case,
        world,
        planned,
    };
    scene.from.mirrors_one_way(&scene.world).await;
    scene.application.goes_on().await;
    let end = scene.hurt().await;
    let verdict = scene.afterwards(end.as_ref()).await;
    let now = Standing::read(&scene.world).await;
    let names = now.names("revenues");
    scene.application.judge(&scene.world, [&names[0], &names[1]]).await;
    now.is_equal(&scene.world).await;
    scene.world.drop().await;
    verdict
}

/// Nothing is asked for that the case is not about.
fn settings(case: Case) -> Vec<String> {
    let mut out = vec![format!("before={BEFORE}"), format!("after={AFTER}")];
    let mut set = |text: &str| out.push(text.to_owned());
    if case.op == Op::Switchover {
        set(if case.place == Place::Backup { "backup=unverified" } else { "backup=skip" });
    }
    set(if case.place == Place::Monitor && case.fault == Fault::RowDiffers {
        "monitor=1s"
    } else {
        "monitor=0"
    });
    // Whoever is held inside the locks holds them.
    set(if case.fault == Fault::OverBudget { "budget=1" } else { "budget=600000" });
    match (case.fault, case.place) {
        (Fault::LockKept | Fault::OverBudget, _) => set("attempts=2"),
        (Fault::RowDiffers, Place::Locked) => set("lock_timeout=10000"),
        _ => {}
    }
    out
}

impl Scene {
    /// The run of this case.
    async fn run(&self) -> i64 {
        let run = self.world.last_run().await;
        assert!(run > self.last, "it is not in the journal");
        run
    }

    /// Starts it; it stands at the place.
    async fn held_at(&self, place: Place) -> (Program, Held) {
        let world = &self.world;
        world.arm(&place.gate(self.case.op), None, None).await;
        let mut program = world.start(&self.planned.apply());
        let pid = world.held(&mut program, "midwatch/run", SLEEPS).await;
        if place != Place::Committed {
            return (program, Held { pid, locker: None, unanswered: false });
        }
        no_answer(world).await;
        world.disarm().await;
        let pid = world.held(&mut program, "midwatch/run", "wait_event = 'SyncRep'").await;
        (program, Held { pid, locker: None, unanswered: true })
    }

    /// What it said at the end, where it could.
    async fn hurt(&self) -> Option<Run> {
        match self.case.fault {
            Fault::LockKept => return Some(self.lock_kept().await),
            Fault::LockFreed => return Some(self.lock_freed().await),
            Fault::LongTransaction => return Some(self.long_transaction().await),
            Fault::RowDiffers => return Some(self.row_differs().await),
            Fault::MarkerDropped | Fault::MarkerPassedBy => return Some(self.marker().await),
            Fault::OverBudget => {
                let end = self.world.midwatch(&self.planned.apply()).await;
                self.not_switched(&end, &["the budget is 1 ms", "postponed after 2 attempts"]).await;
                return Some(end);
            }
            _ => {}
        }
        let world = &self.world;
        let (mut program, held) = self.held_at(self.case.place).await;
        match self.case.fault {
            Fault::ClientKilled => {
                program.kill9();
                if !held.unanswered {
                    // The server notices by itself that nobody is there any more.
                    world.sessions_end().await;
                }
                held.release(world).await;
                return None;
            }
            Fault::ServerKilled => {
                assert!(world.rig.mortal);
                world.rig.server.kill9().unwrap();
                let end = program.end().await;
                world.rig.server.restart().await.unwrap();
                held.release(world).await;
                return Some(end);
            }
            Fault::RunCut => world.terminate(&world.waiting("midwatch/run", "true").await).await,
            Fault::LockCut => world.terminate(&world.waiting("midwatch/lock", "true").await).await,
            Fault::Cancelled => world.cancel(&held.pid).await,
            Fault::Interrupted => program.interrupt(),
            Fault::SecondOperator => self.second_operator().await,
            other => panic!("{other:?} cuts nothing off"),
        }
        held.release(world).await;
        Some(program.end().await)
    }

    /// The second is told who is there.
    async fn second_operator(&self) {
        let run = self.run().await.to_string();
        for args in [&self.planned.apply()[..], &["resume", &run, "--json"]] {
            let second = self.world.start_second(args).end().await;
            assert_eq!(second.code, 3, "{second:?}");
            assert!(second.stdout.contains("first@"), "it does not say who: {second:?}");
        }
    }

    /// In a transaction that no session shows.
    async fn prepare(&self, sql: &str) -> String {
        let name = format!("kept_{}", self.world.db);
        self.world.execute(&format!("begin; {sql}; prepare transaction '{name}'")).await;
        name
    }

    /// Stands between comparison and switch; others get a lock that the switch needs, and which nobody sees beforehand: it
    /// is on no table.
    async fn lock_taken(&self) -> (Program, String) {
        let (program, held) = self.held_at(Place::Between).await;
        let name = self.prepare("alter function midwatch_reverse_expenses() cost 101").await;
        held.release(&self.world).await;
        (program, name)
    }

    async fn lock_kept(&self) -> Run {
        let (program, name) = self.lock_taken().await;
        let end = program.end().await;
        self.not_switched(&end, &["lock timeout", "postponed after 2 attempts"]).await;
        self.world.execute(&format!("rollback prepared '{name}'")).await;
        end
    }

    async fn lock_freed(&self) -> Run {
        let (mut program, name) = self.lock_taken().await;
        self.says(&mut program, "attempt 2 of 12: %lock timeout%").await;
        self.application.goes_on().await;
        self.world.execute(&format!("rollback prepared '{name}'")).await;
        let end = program.end().await;
        assert_eq!(end.code, 0, "{end:?}");
        end
    }

    /// Nobody queues up behind the switch, however long it takes.
    async fn long_transaction(&self) -> Run {
        let (mut program, held) = self.held_at(Place::Between).await;
        let mut other = self.world.owner().await;
        let begin = "set application_name = 'books'; begin; lock table expenses in row exclusive mode";
        other.execute_script(begin).await.unwrap();
        let pid = other.fetch_value("select pg_backend_pid()::text", &[]).await.unwrap().unwrap();
        let old = format!(
            "select (clock_timestamp() - xact_start > interval '600 ms')::text from pg_stat_activity where pid = {pid}"
        );
        until("the transaction is an old one", async || self.world.value(&old).await == "true").await;
        held.release(&self.world).await;
        self.says(&mut program, &format!("not tried yet: pid {pid} %expenses%")).await;
        self.application.goes_on().await;
        assert_eq!(self.world.waiting("midwatch/run", BLOCKED).await, "", "it stands in line");
        other.execute_script("commit").await.unwrap();
        let end = program.end().await;
        assert_eq!(end.code, 0, "{end:?}");
        end
    }

    /// What others see of it in the journal.
    async fn says(&self, program: &mut Program, like: &str) {
        let sql = "select coalesce(message, '') from midwatch.runs order by id desc limit 1";
        let sql = format!("select (({sql}) like '{like}')::text");
        until(&format!("the run says {like}"), async || {
            assert!(!program.is_over(), "it ended: {}", program.said());
            self.world.value(&sql).await == "true"
        })
        .await;
    }

    /// A row is written on the other side only, and again as it was.
    fn apart(standing: Standing) -> [String; 2] {
        let [front, back] = standing.names("revenues");
        let sql = |change: &str| {
            format!(
                "set local session_replication_role = replica; \
                 update {back} set amount_cents = amount_cents {change} where id = (select min(id) from {front} where org_id <> 9009)"
            )
        };
        [sql("+ 1"), sql("- 1")]
    }

    async fn row_differs(&self) -> Run {
        let world = &self.world;
        if self.case.place == Place::Monitor {
            world.arm(AFTER, None, None).await;
            let mut program = world.start(&self.planned.apply());
            world.held(&mut program, "midwatch/run", SLEEPS).await;
            let [write, mend] = Self::apart(self.from.other());
            world.execute(&format!("begin; {write}; commit")).await;
            world.disarm().await;
            let end = program.end().await;
            assert_eq!(end.code, 7, "{end:?}");
            assert!(end.stdout.contains("1 rows of revenues differ"), "{end:?}");
            world.execute(&format!("begin; {mend}; commit")).await;
            return end;
        }
        let [write, mend] = Self::apart(self.from);
        let (mut program, held) = self.held_at(Place::Between).await;
        if self.case.place == Place::Between {
            world.execute(&format!("begin; {write}; commit")).await;
            held.release(world).await;
            let end = program.end().await;
            self.not_switched(&end, &["1 rows of revenues differ"]).await;
            assert!(!end.stdout.contains("inside the locks"), "{end:?}");
            world.execute(&format!("begin; {mend}; commit")).await;
            return end;
        }
        // Committed when the last comparison before the locks has not seen it.
        let name = self.prepare(&write).await;
        held.release(world).await;
        world.held(&mut program, "midwatch/run", BLOCKED).await;
        world.execute(&format!("commit prepared '{name}'")).await;
        let end = program.end().await;
        self.not_switched(&end, &["1 rows of revenues differ, compared inside the locks"]).await;
        world.execute(&format!("begin; {mend}; commit")).await;
        end
    }

    /// Resuming without the marker, or with a row that was written unmarked, is refused as well.
    async fn marker(&self) -> Run {
        let world = &self.world;
        let (program, held) = self.held_at(Place::Between).await;
        let [write, mend] = Self::apart(self.from);
        let [_, back] = self.from.names("revenues");
        let (sql, said) = match self.case.fault {
            Fault::MarkerDropped => (
                format!("drop trigger midwatch_mark on {back}"),
                "the write marker of revenues is not complete",
            ),
            _ => (
                format!(
                    "begin; alter table {back} disable trigger midwatch_mark; {write}; \
                     alter table {back} enable always trigger midwatch_mark; commit"
                ),
                "a write marker was changed since both sides were compared",
            ),
        };
        world.execute(&sql).await;
        held.release(world).await;
        let end = program.end().await;
        self.not_switched(&end, &[said]).await;
        let run = self.run().await.to_string();
        let again = world.midwatch(&["resume", &run, "--json"]).await;
        if self.case.fault == Fault::MarkerDropped {
            self.not_switched(&again, &[said, "midwatch plan watch revenues"]).await;
            world.apply_now(&["plan", "watch", "revenues"]).await;
        } else {
            self.not_switched(&again, &["1 rows of revenues differ"]).await;
            world.execute(&format!("begin; {mend}; commit")).await;
        }
        end
    }

    /// Stopped before the switch, and says why.
    async fn not_switched(&self, end: &Run, why: &[&str]) {
        let code = if self.case.op == Op::Switchover { 7 } else { 6 };
        assert_eq!(end.code, code, "{end:?}");
        for why in why {
            assert!(end.stdout.contains(why), "it does not say {why:?}: {end:?}");
        }
        assert_eq!(Standing::read(&self.world).await, self.from, "{end:?}");
    }

    /// All that must hold whatever happened; then on to the end, or back.
    async fn afterwards(&self, end: Option<&Run>) -> String {
        let world = &self.world;
        world.sessions_end().await;
        let run = self.case_run().await;
        let now = Standing::read(world).await;
        now.mirrors_one_way(world).await;
        self.application.goes_on().await;
        let code = end.map_or_else(|| "killed".to_owned(), |e| e.code.to_string());
        let moved = now != self.from;
        self.truthful(end, run, moved).await;
        let changed = definitions(world).await != self.definitions;
        // Both ways are gone, each in half of the cells; what cannot be gone on with as it is goes back.
        let even = (self.case.place as usize + self.case.fault as usize).is_multiple_of(2);
        let over = self.case.fault == Fault::OverBudget;
        let then = match (moved, changed) {
            (false, true) if over || even => self.undone(run).await,
            _ if over => "nothing to undo",
            _ => self.resumed(run).await,
        };
        let moved = if moved { "moved" } else { "not moved" };
        format!("✓ {code}, {moved}, {then}")
    }

    /// The run that is told of; `watch` may have come after it.
    async fn case_run(&self) -> i64 {
        let sql = format!(
            "select id::text from midwatch.runs where id > {} and operation = '{}'",
            self.last,
            self.case.op.title()
        );
        self.world.value(&sql).await.parse().expect("the run is in the journal")
    }

    /// Program, journal and tables say the same.
    async fn truthful(&self, end: Option<&Run>, run: i64, moved: bool) {
        let world = &self.world;
        let verified = world.midwatch(&["journal", "verify", "--json"]).await;
        crate::world::unaltered(&verified);
        let row = world
            .rows(&format!("select outcome, applied::text from midwatch.runs where id = {run}"))
            .await
            .remove(0);
        let (outcome, applied) = (row[0].clone().unwrap(), row[1].clone().unwrap());
        assert_eq!(applied, if moved { "3" } else { "0" }, "twins that the journal says were switched");
        let told = world.midwatch(&["runs", &run.to_string(), "--json"]).await.json()["runs"][0].clone();
        assert_eq!(told["rows_applied"], if moved { 3 } else { 0 }, "{told:#}");
        let Some(end) = end else {
            assert_eq!(outcome, "running");
            assert!(
                ["ambiguous", "interrupted", "running"].contains(&told["outcome"].as_str().unwrap()),
                "{told:#}"
            );
            return;
        };
        let shown = end.json()["run"].clone();
        if end.code == 8 {
            let cut = matches!(self.case.fault, Fault::RunCut | Fault::ServerKilled);
            assert!(cut && matches!(self.case.place, Place::Commit | Place::Committed), "{end:?}");
            assert_eq!(shown["outcome"], "ambiguous", "{end:?}");
            return;
        }
        let changed = definitions(world).await != self.definitions;
        let expected = match end.code {
            0 => "applied",
            6 => "failed",
            7 => "partial",
            code => panic!("exit code {code}: {end:?}"),
        };
        assert_eq!(shown["outcome"], expected, "{end:?}");
        assert_eq!(shown["rows_applied"], if moved { 3 } else { 0 }, "{end:?}");
        // Whoever mended the marker has changed something.
        if self.case.fault != Fault::MarkerDropped {
            assert_eq!(end.code != 6, changed, "{end:?}");
        }
        if end.code == 0 {
            assert!(moved && shown["verified"] == true, "{end:?}");
        }
        if outcome != "running" {
            assert_eq!((outcome.as_str(), &told["outcome"]), (expected, &expected.into()), "{end:?}");
        }
    }

    /// To its end; then there is nothing left to do.
    async fn resumed(&self, run: i64) -> &'static str {
        let world = &self.world;
        let resume = ["resume", &run.to_string(), "--json"];
        let resumed = world.midwatch(&resume).await;
        assert_eq!(resumed.code, 0, "{resumed:?}");
        assert_eq!(resumed.json()["run"]["outcome"], "applied", "{resumed:?}");
        let sql = format!("select applied::text from midwatch.runs where id = {run}");
        assert_eq!(world.value(&sql).await, "3", "{resumed:?}");
        let again = world.midwatch(&resume).await;
        assert!(again.code == 0 && again.stdout.contains("nothing to do"), "{again:?}");
        world.sessions_end().await;
        let now = Standing::read(world).await;
        assert_eq!(now, self.from.other());
        now.mirrors_one_way(world).await;
        if now == Standing::Before {
            assert_eq!(reverse_triggers(world).await, 0, "the way back leaves none");
        }
        if resumed.stdout.contains("nothing to do") { "nothing left" } else { "resumed" }
    }

    /// Takes back what was made ready.
    async fn undone(&self, run: i64) -> &'static str {
        let world = &self.world;
        let planned = world.plan(&["undo", &run.to_string()], "undo.json").await;
        let undo = world.midwatch(&planned.apply()).await;
        assert_eq!(undo.code, 0, "{undo:?}");
        world.sessions_end().await;
        assert_eq!(definitions(world).await, self.definitions, "definitions before, and after the undo");
        assert_eq!(Standing::read(world).await, self.from);
        self.from.mirrors_one_way(world).await;
        "undone"
    }
}
