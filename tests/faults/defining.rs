//! Operations that define triggers and change no row, hurt in the middle: `watch` and `repair-triggers`.

use crate::common::Run;
use crate::inject::SLEEPS;
use crate::matrix::Cell;
use crate::program::Program;
use crate::servers::{Rig, Template};
use crate::table_roles::definitions;
use crate::world::World;

/// Which, and the step that is hurt.
pub(crate) const OPS: [(&str, &str); 2] =
    [("watch", "watch-revenues"), ("repair-triggers", "daily_cash_balances")];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    Done,
    Commit,
    Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ClientKilled,
    ServerKilled,
    RunCut,
    Cancelled,
    Interrupted,
    SecondOperator,
}

pub(crate) const PLACES: [Place; 4] = [Place::First, Place::Done, Place::Commit, Place::Outcome];

pub(crate) const FAULTS: [Fault; 6] = [
    Fault::ClientKilled,
    Fault::ServerKilled,
    Fault::RunCut,
    Fault::Cancelled,
    Fault::Interrupted,
    Fault::SecondOperator,
];

/// A cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) op: &'static str,
    step: &'static str,
    pub(crate) place: Place,
    fault: Fault,
}

impl Place {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::First => "first statement of a step",
            Self::Done => "all statements of the step",
            Self::Commit => "the step, inside COMMIT",
            Self::Outcome => "outcome",
        }
    }
}

impl Fault {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::ClientKilled => "client killed -9",
            Self::ServerKilled => "server killed -9",
            Self::RunCut => "connection cut",
            Self::Cancelled => "statement cancelled",
            Self::Interrupted => "SIGINT",
            Self::SecondOperator => "two operators",
        }
    }
}

/// Everything, in the table's order.
pub(crate) fn all() -> Vec<Case> {
    let mut out = Vec::new();
    for (op, step) in OPS {
        for place in PLACES {
            out.extend(FAULTS.map(|fault| Case { op, step, place, fault }));
        }
    }
    out
}

/// Each operation, in the middle of its statements.
pub(crate) fn chosen() -> Vec<Case> {
    let cut = |c: &Case| c.place == Place::Done && matches!(c.fault, Fault::RunCut | Fault::ClientKilled);
    all().into_iter().filter(cut).collect()
}

impl Cell for Case {
    fn impossible(&self) -> Option<&'static str> {
        None
    }

    fn hurts_the_server(&self) -> bool {
        self.fault == Fault::ServerKilled
    }

    fn title(&self) -> String {
        format!("{} · {} · {}", self.op, self.place.title(), self.fault.title())
    }

    async fn happen(self, rig: &'static Rig) -> String {
        let world = World::new(rig, Template::Planted).await;
        let before = definitions(&world).await;
        let planned = world.plan(&["plan", self.op], "plan.json").await;
        let gate = match self.place {
            Place::First => format!("first of {}", self.step),
            Place::Done => self.step.to_owned(),
            Place::Commit => format!("commit {}", self.step),
            Place::Outcome => "outcome".to_owned(),
        };
        world.arm(&gate, None, None).await;
        let mut program = world.start(&planned.apply());
        let pid = world.held(&mut program, "midwatch/run", SLEEPS).await;
        let end = self.hurt(&world, program, &pid, &planned.apply()).await;
        world.sessions_end().await;
        let run = world.last_run().await.to_string();
        let applied: u64 = self.applied(&world, &run).await;
        let changed = definitions(&world).await != before;
        assert_eq!(applied > 0, changed, "statements that the journal counts, and definitions: {end:?}");
        if let Some(end) = &end {
            let code = match applied {
                0 => 6,
                n if n < planned.rows => 7,
                _ if end.code == 7 => 7,
                _ => 0,
            };
            let cut = matches!(self.fault, Fault::RunCut | Fault::ServerKilled);
            let unknown = end.code == 8 && cut && self.place == Place::Commit;
            assert!(end.code == code || unknown, "{applied} of {}: {end:?}", planned.rows);
        }
        let resumed = world.midwatch(&["resume", &run, "--json"]).await;
        assert_eq!((resumed.code, &resumed.json()["run"]["outcome"]), (0, &"applied".into()), "{resumed:?}");
        assert_eq!(self.applied(&world, &run).await, planned.rows);
        let after = definitions(&world).await;
        let undo = world.plan(&["undo", &run], "undo.json").await;
        let undone = world.midwatch(&undo.apply()).await;
        assert_eq!(undone.code, 0, "{undone:?}");
        assert_eq!(definitions(&world).await, before, "definitions before, and after the undo");
        world.apply_now(&["plan", self.op]).await;
        assert_eq!(definitions(&world).await, after, "an undisturbed run, and this one");
        let verified = world.midwatch(&["journal", "verify", "--json"]).await;
        crate::world::unaltered(&verified);
        world.drop().await;
        let code = end.map_or_else(|| "killed".to_owned(), |e| e.code.to_string());
        let how = if resumed.stdout.contains("nothing to do") { "nothing left" } else { "resumed" };
        format!("✓ {code}, {how}, undone")
    }
}

impl Case {
    async fn applied(&self, world: &World, run: &str) -> u64 {
        let sql = format!("select applied::text from midwatch.runs where id = {run}");
        world.value(&sql).await.parse().unwrap()
    }

    async fn hurt(&self, world: &World, mut program: Program, pid: &str, apply: &[&str]) -> Option<Run> {
        match self.fault {
            Fault::ClientKilled => {
                program.kill9();
                // The server notices by itself that nobody is there any more.
                world.sessions_end().await;
                world.disarm().await;
                return None;
            }
            Fault::ServerKilled => {
                world.rig.server.kill9().unwrap();
                let end = program.end().await;
                world.rig.server.restart().await.unwrap();
                world.disarm().await;
                return Some(end);
            }
            Fault::RunCut => world.terminate(pid).await,
            Fault::Cancelled => world.cancel(pid).await,
            Fault::Interrupted => program.interrupt(),
            Fault::SecondOperator => {
                let second = world.start_second(apply).end().await;
                assert!(second.code == 3 && second.stdout.contains("first@"), "{second:?}");
            }
        }
        world.disarm().await;
        Some(program.end().await)
    }
}
