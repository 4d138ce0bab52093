//! The swap: equal in one snapshot, what was written since compared again, then all at once inside the locks.

use crate::engine::model::query::Sql;
use serde::Deserialize;
use serde_json::json;

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::progress::Phase;
use crate::engine::model::query::Param;
use crate::engine::model::step::Step;
use crate::engine::model::task::{BLOCKERS, Proof, Swap, tries};
use crate::engine::port::reader::{Facts, ReadOptions, ReadTx, Snapshot};
use crate::engine::port::writer::{Attempt, OVER_BUDGET, UNEQUAL};
use crate::engine::run::executor::{Run, Stopped, is_busy};
use crate::engine::run::finish::is_lost;
use crate::engine::run::limits::LOOK_AGAIN;
use crate::engine::run::lock_wait::blockers;

/// A comparison of whole tables may take this long.
const PATIENCE: std::time::Duration = std::time::Duration::from_hours(1);
/// So few rows are compared inside the locks without anybody noticing.
const FEW: u64 = 200;
/// Rounds of catching up before an attempt; a server that writes faster than that is not waited for.
const ROUNDS: usize = 5;

/// Equal, and when.
#[derive(Debug, Clone)]
pub(crate) struct Proved {
    snapshot: String,
    fingerprints: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct Now {
    snapshot: String,
}

async fn one_snapshot(facts: &dyn Facts) -> Result<(Box<dyn ReadTx>, String)> {
    let options =
        ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(PATIENCE), ..ReadOptions::default() };
    let mut tx = facts.begin(options).await?;
    let now: Now = tx.one(&Sql::new("select pg_current_snapshot()::text as snapshot")).await?;
    Ok((tx, now.snapshot))
}

async fn number(tx: &mut dyn ReadTx, sql: &str, params: &[Param]) -> Result<u64> {
    let text = tx.texts(&Sql::new(sql).bind(params)).await?.pop().flatten().unwrap_or_default();
    text.parse().map_err(|_| Error::unobserved(format!("the server's answer is no number: {text:?}")))
}

async fn fingerprints(tx: &mut dyn ReadTx, proofs: &[Proof]) -> Result<Vec<Option<String>>> {
    let mut out = Vec::new();
    for proof in proofs {
        let Some(since) = &proof.since else {
            out.push(None);
            continue;
        };
        let found = tx.texts(&Sql::new(&since.fingerprint)).await?.into_iter().flatten().next();
        let found = found.ok_or_else(|| {
            Error::new(Class::Failed, format!("the write marker of {} is not complete", proof.name))
                .hint(format!("midwatch plan watch {} installs it again", proof.name))
        })?;
        out.push(Some(found));
    }
    Ok(out)
}

fn unequal(name: &str, rows: u64) -> Error {
    Error::new(Class::Failed, format!("{rows} rows of {name} differ"))
        .code(UNEQUAL)
        .hint(format!("midwatch check parity/{name} shows them; midwatch plan repair {name}"))
}

impl Run<'_> {
    /// All rows of each twin, in one snapshot.
    pub(crate) async fn compare_all(&mut self, proofs: &[Proof]) -> Result<(), Stopped> {
        self.proved = None;
        self.tell(Phase::Verifying);
        let facts = self.engine.facts.clone();
        let compared = async {
            let (mut tx, snapshot) = one_snapshot(&*facts).await?;
            let fingerprints = fingerprints(&mut *tx, proofs).await?;
            for proof in proofs {
                let sql = format!("select count(*)::text from ({}\n) q", proof.sql);
                match number(&mut *tx, &sql, &[]).await? {
                    0 => {}
                    rows => return Err(unequal(&proof.name, rows)),
                }
            }
            Ok(Proved { snapshot, fingerprints })
        };
        let proved = compared.await.map_err(|e| self.differs(e))?;
        let names: Vec<_> = proofs.iter().map(|p| p.name.as_str()).collect();
        let body = json!({ "stage": "COMPARED", "twins": names, "snapshot": proved.snapshot, "differ": 0 });
        self.progress.room.equal_at = Some(self.millis());
        self.proved = Some(proved);
        self.record("stage", &body).await
    }

    /// What was written since the last proof, in a snapshot of its own: how many rows that was.
    pub(crate) async fn catch_up(&mut self, proofs: &[Proof]) -> Result<u64, Stopped> {
        let Some(proved) = self.proved.clone() else { return Ok(0) };
        // Nothing tells what was written since: only comparing everything would, and its caller does that.
        if proofs.iter().any(|p| p.since.is_none()) {
            return Ok(0);
        }
        let facts = self.engine.facts.clone();
        let looked = async {
            let (mut tx, snapshot) = one_snapshot(&*facts).await?;
            let now = fingerprints(&mut *tx, proofs).await?;
            if now != proved.fingerprints {
                return Err(Error::new(
                    Class::Failed,
                    "a write marker was changed since both sides were compared",
                )
                .hint("who alters triggers there? go on when it is quiet: everything is compared again"));
            }
            let since = [Param::from(proved.snapshot.as_str())];
            let mut marked = 0;
            for proof in proofs {
                let Some(sql) = &proof.since else { continue };
                marked += number(&mut *tx, &sql.marked, &since).await?;
                let differ = format!("select count(*)::text from ({}\n) q", sql.differ);
                match number(&mut *tx, &differ, &since).await? {
                    0 => {}
                    rows => return Err(unequal(&proof.name, rows)),
                }
            }
            Ok((Proved { snapshot, fingerprints: now }, marked))
        };
        match looked.await {
            Ok((proved, marked)) => {
                self.proved = Some(proved);
                self.progress.room.equal_at = Some(self.millis());
                self.progress.room.compared += marked;
                Ok(marked)
            }
            Err(e) => Err(self.differs(e)),
        }
    }

    /// A comparison that failed; the room shows where it found rows that differ.
    fn differs(&mut self, e: Error) -> Stopped {
        if e.code.as_deref() == Some(UNEQUAL) {
            self.progress.room.differing += 1;
        }
        Stopped::known(e)
    }

    pub(crate) async fn swap(&mut self, step: &Step, swap: &Swap) -> Result<(), Stopped> {
        self.progress.room.budget_ms = Some(swap.budget_ms);
        if self.proved.is_none() {
            self.compare_all(&swap.proofs).await?;
        }
        let (mut attempt, mut waited_from) = (0, None);
        loop {
            self.wishes().await?;
            self.within_window().await?;
            if !self.may_try(step, swap).await? {
                let since = *waited_from.get_or_insert(self.millis());
                self.waits_too_long(swap, since)?;
                continue;
            }
            waited_from = None;
            for _ in 0..ROUNDS {
                if self.catch_up(&swap.proofs).await? <= FEW {
                    break;
                }
            }
            // Catching up may have taken longer than the window was open.
            self.within_window().await?;
            attempt += 1;
            self.progress.room.attempt = Some((attempt, swap.attempts));
            self.tell(Phase::Working);
            self.still_locked().await?;
            match self.attempt(step, swap, attempt).await {
                Ok(()) => return Ok(()),
                Err(e)
                    if (is_busy(&e) || e.code.as_deref() == Some(OVER_BUDGET)) && attempt < swap.attempts =>
                {
                    self.let_go(step, swap, attempt, &e).await;
                }
                Err(e) if is_busy(&e) || e.code.as_deref() == Some(OVER_BUDGET) => {
                    let by = self.swap_kept_from(step, (attempt, swap.attempts), &swap.tables, &e).await;
                    let e = e.context(format!("postponed after {}{by}", tries(attempt)));
                    return Err(Stopped::known(
                        e.hint("every attempt was taken back: writers went on as before"),
                    ));
                }
                Err(e) if is_lost(&e) || e.ambiguous => return self.found_out(e).await,
                Err(e) => return Err(Stopped::known(e)),
            }
        }
    }

    /// Somebody who stays for ever must not keep the run, and whoever waits for it, for ever.
    fn waits_too_long(&self, swap: &Swap, since: i64) -> Result<(), Stopped> {
        let limit = i64::try_from(swap.wait_s).unwrap_or(i64::MAX / 1_000) * 1_000;
        if self.millis() - since < limit {
            return Ok(());
        }
        let by = self.progress.room.blockers.first().map(|b| format!("a table was not free: {}", b.text()));
        let why = by.or_else(|| self.progress.waiting.clone()).unwrap_or_default();
        let what = format!("postponed after {} s: {why}", swap.wait_s);
        let e = Error::new(Class::Failed, what).code("55P03");
        Err(Stopped::known(
            e.hint("nothing was tried, nobody was kept waiting; --set patience=… waits longer"),
        ))
    }

    /// After a connection that was lost in the middle: the journal's step says whether it was committed.
    async fn found_out(&mut self, e: Error) -> Result<(), Stopped> {
        let before = self.begun.step;
        let stopped = self.recovered(e).await;
        if stopped.known && self.begun.step > before {
            // It was: what follows goes on from there.
            self.begun.step = before;
            self.proved = None;
            return Ok(());
        }
        Err(stopped)
    }

    async fn attempt(&mut self, step: &Step, swap: &Swap, number: u32) -> Result<()> {
        let Some(proved) = self.proved.clone() else { return Err(Error::unobserved("nothing was compared")) };
        let attempt =
            Attempt { step, swap, snapshot: &proved.snapshot, fingerprints: &proved.fingerprints, number };
        let done = self.writer.swap(&self.begun, &attempt).await?;
        self.begun.applied += swap.twins;
        done.event.iter().for_each(|e| self.mirror(e));
        let room = &mut self.progress.room;
        room.compared += done.compared;
        room.held_ms = Some(done.held_ms);
        room.last = Some(format!("waited {} ms, locks held {} ms", done.waited_ms, done.held_ms));
        room.blockers.clear();
        room.looked_at = None;
        self.progress.waiting = None;
        // The swap's own entry cannot know how long its commit takes.
        self.jot("released", &json!({ "stage": step.id, "held_ms": done.held_ms })).await;
        Ok(())
    }

    /// Whoever stands in a queue for a lock holds up all who come after: a transaction that has been there for a while
    /// is waited for outside.
    async fn may_try(&mut self, step: &Step, swap: &Swap) -> Result<bool, Stopped> {
        let pressure = self.engine.facts.pressure().await.map_err(Stopped::known)?;
        if let Some(why) = pressure.endless() {
            self.progress.room.blockers.clear();
            return self.not_yet(format!("not tried yet: {why}")).await;
        }
        let blockers = blockers(&*self.engine.facts, BLOCKERS, &swap.tables, swap.patience_ms)
            .await
            .map_err(Stopped::known)?;
        self.progress.room.blockers = blockers;
        self.progress.room.looked_at = Some(self.millis());
        let Some(first) = self.progress.room.blockers.first() else {
            self.progress.waiting = None;
            return Ok(true);
        };
        let why = format!("not tried yet: {}", first.text());
        let whom = (first.pid, first.since.clone());
        if self.waits_for.as_ref() != Some(&whom) {
            let body = json!({ "stage": step.id, "blockers": self.progress.room.blockers });
            self.jot("waiting", &body).await;
            self.waits_for = Some(whom);
        }
        self.not_yet(why).await
    }

    async fn not_yet(&mut self, why: String) -> Result<bool, Stopped> {
        if self.progress.waiting.as_deref() != Some(&why) {
            let _ = self.writer.say(&self.begun, Some(&why), 0).await;
        }
        self.progress.waiting = Some(why);
        self.tell(Phase::Waiting);
        (self.engine.means.sleep)(LOOK_AGAIN).await;
        self.still_locked().await?;
        Ok(false)
    }

    async fn let_go(&mut self, step: &Step, swap: &Swap, attempt: u32, e: &Error) {
        let by = self.swap_kept_from(step, (attempt, swap.attempts), &swap.tables, e).await;
        self.progress.room.last =
            Some(format!("attempt {attempt}: {}; released, nothing changed", e.message));
        let why = format!("attempt {attempt} of {}: {}{by}", swap.attempts, e.message);
        self.held_back(attempt, why, 0).await;
    }
}
