//! Runs cases side by side and writes down what came of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use tokio::sync::Semaphore;

use crate::case;
use crate::case::{Case, FAULTS};
use crate::pages::Counts;
use crate::servers::{Rig, lasting, mortal};

/// Cases at a time: most of their time is waiting.
static ROOM: Semaphore = Semaphore::const_new(6);

/// What came of a case.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// It holds.
    Passed(String),
    /// It does not.
    Failed(String),
    /// It cannot be.
    NotRun(&'static str),
}

/// What is run.
pub(crate) trait Cell: Copy + 'static {
    /// Why it cannot be; nothing: it is run.
    fn impossible(&self) -> Option<&'static str>;
    /// It kills the server, or makes all of it wait.
    fn hurts_the_server(&self) -> bool;
    fn title(&self) -> String;
    /// Panics where it does not hold; else what came of it, for the table.
    async fn happen(self, rig: &'static Rig) -> String;
}

/// All of them; the ones that kill their server wait for one.
pub(crate) async fn run<C: Cell>(cases: Vec<C>) -> Vec<(C, Verdict)> {
    // On this thread: waiting takes none.
    tokio::task::LocalSet::new().run_until(side_by_side(cases)).await
}

async fn side_by_side<C: Cell>(cases: Vec<C>) -> Vec<(C, Verdict)> {
    let mut tasks = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let task = case.impossible().is_none().then(|| {
            tokio::task::spawn_local(async move {
                let began = Instant::now();
                // Whoever has a server for itself needs no room among the others.
                let verdict = if case.hurts_the_server() {
                    let (rig, _alone) = mortal(number).await;
                    case.happen(rig).await
                } else {
                    let _room = ROOM.acquire().await.unwrap();
                    case.happen(lasting()).await
                };
                if std::env::var_os("MIDWATCH_FAULTS_TIMES").is_some() {
                    eprintln!("{:5} ms  {}", began.elapsed().as_millis(), case.title());
                }
                verdict
            })
        });
        tasks.push((case, task));
    }
    let mut out = Vec::new();
    for (case, task) in tasks {
        let verdict = match task {
            None => Verdict::NotRun(case.impossible().unwrap()),
            Some(task) => match task.await {
                Ok(verdict) => Verdict::Passed(verdict),
                Err(e) => Verdict::Failed(said(e)),
            },
        };
        out.push((case, verdict));
    }
    out
}

fn said(e: tokio::task::JoinError) -> String {
    match e.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "a panic without words".into()),
        Err(e) => e.to_string(),
    }
}

/// Fails with every case that failed.
pub(crate) fn all_pass<C: Cell>(verdicts: &[(C, Verdict)]) {
    let failed: Vec<String> = verdicts
        .iter()
        .filter_map(|(case, v)| match v {
            Verdict::Failed(why) => Some(format!("✗ {}\n    {why}", case.title())),
            _ => None,
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), verdicts.len(), failed.join("\n"));
    assert!(verdicts.iter().any(|(_, v)| matches!(v, Verdict::Passed(_))), "nothing was run");
}

/// `MIDWATCH_FAULTS`: `all`, or words that a case's title must have.
pub(crate) fn wanted<C: Cell>(all: Vec<C>) -> Vec<C> {
    let words = std::env::var("MIDWATCH_FAULTS").unwrap_or_else(|_| "all".into());
    let has = |case: &C| words == "all" || words.split(',').all(|w| case.title().contains(w));
    all.into_iter().filter(has).collect()
}

/// How many of which.
pub(crate) fn counted<C>(verdicts: &[(C, Verdict)]) -> Counts {
    let count = |f: fn(&Verdict) -> bool| verdicts.iter().filter(|(_, v)| f(v)).count();
    Counts {
        passed: count(|v| matches!(v, Verdict::Passed(_))),
        failed: count(|v| matches!(v, Verdict::Failed(_))),
        not_run: count(|v| matches!(v, Verdict::NotRun(_))),
    }
}

/// Why cases were not run, and how many: in the order in which they are met.
pub(crate) type Reasons = Vec<(&'static str, usize)>;

/// A verdict in a table; the reason why something was not run is said above all tables.
pub(crate) fn cell(verdict: &Verdict, reasons: &mut Reasons) -> String {
    match verdict {
        Verdict::Passed(what) => what.clone(),
        Verdict::Failed(why) => {
            format!("✗ {}", why.lines().next().unwrap_or_default().replace('|', "¦"))
        }
        Verdict::NotRun(why) => {
            let at = reasons.iter().position(|(r, _)| r == why).unwrap_or_else(|| {
                reasons.push((why, 0));
                reasons.len() - 1
            });
            reasons[at].1 += 1;
            format!("*not run* ({})", at + 1)
        }
    }
}

/// A row of a table; what the operation has not at all is said once.
pub(crate) fn line(out: &mut String, title: &str, cells: &[String]) {
    let none = cells.iter().all(|c| *c == cells[0]) && cells[0].starts_with("*not run*");
    let text = if none {
        format!("{} |{}", cells[0], " |".repeat(cells.len() - 1))
    } else {
        cells.join(" | ") + " |"
    };
    let _ = writeln!(out, "| {title} | {text}");
}

/// What the numbers mean.
pub(crate) fn notes(reasons: &Reasons) -> String {
    let lines = reasons.iter().enumerate().map(|(i, (why, cases))| {
        format!("{}. {why}: {cases} {}\n", i + 1, if *cases == 1 { "case" } else { "cases" })
    });
    "\nNot run, because:\n\n".to_owned() + &lines.collect::<Vec<_>>().concat()
}

const INTRO: &str = "\
# What was done to a run, and what became of it

Written by `make faults`; do not edit. Every cell is a run of the real program on a real PostgreSQL server, hurt at that
step, looked at (row changed ⇔ before-image ⇔ audit row ⇔ journal; guard trigger as before; no session left; exit code and
outcome as the tables say), resumed, looked at again (nothing twice; the end state of an undisturbed run), and undone
(everything as before, where the plan says so).

A cell says: ✓ or ✗, the exit code of the hurt run (*killed*: it could not say anything), and what then finished it:
*resumed*, *applied again* (nothing of it had begun; the same plan was still good), or *nothing left*. Exit codes:
0 all done · 3 refused · 4 stale · 5, 6 nothing changed · 7 part applied · 8 ambiguous, settled by `resume`.
With two operators the code is the first one's; the second was told who is there, and left with 3.
*not run* has its reason above the tables. Steps with a number are hit in that batch.

*Inside COMMIT*: a deferred constraint trigger holds or fails it, so the fault strikes before the transaction is durable.
*Committed, not answered*: a synchronous standby that does not exist keeps the answer back, so the transaction is durable
and the client does not know. *Disk full*: `real` is a mounted file system of 4 MB, full, under the before-images; `raised`
is the server's error from a trigger.
";

pub(crate) fn table(verdicts: &[(Case, Verdict)]) -> String {
    let (mut out, mut reasons) = (String::new(), Reasons::new());
    let mut ops: Vec<&str> = verdicts.iter().map(|(c, _)| c.op.name).collect();
    ops.dedup();
    for op in ops {
        let _ = writeln!(out, "\n## {op}\n");
        let _ = writeln!(out, "| step | {} |", FAULTS.map(case::Fault::title).join(" | "));
        let _ = writeln!(out, "|---{}|", "|---".repeat(FAULTS.len()));
        let mut rows: BTreeMap<(case::Step, Option<u64>), Vec<String>> = BTreeMap::new();
        for (case, verdict) in verdicts.iter().filter(|(c, _)| c.op.name == op) {
            rows.entry((case.step, case.batch)).or_default().push(cell(verdict, &mut reasons));
        }
        for ((step, batch), cells) in rows {
            line(&mut out, &format!("{}{}", step.title(), numbered(batch)), &cells);
        }
    }
    format!("{INTRO}\n{}\n{}{out}", counted(verdicts), notes(&reasons))
}

fn numbered(batch: Option<u64>) -> String {
    batch.map_or_else(String::new, |b| format!(" ({b})"))
}
