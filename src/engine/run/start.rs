//! What comes before the first step: is it this server, is the plan still true, and the intent in the journal.

use crate::engine::run::limits::MANY;
use futures_util::future::join;
use serde_json::json;

use crate::engine::gate::guard::Approved;
use crate::engine::journal::copied::{self, JournalSeen, KeptJournal};
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::{Phase, Progress, ProgressSink};
use crate::engine::model::row_store::RawRow;
use crate::engine::model::step::Action;
use crate::engine::plan::accept;
use crate::engine::port::journal_copy::CopyReady;
use crate::engine::port::reader::Reader;
use crate::engine::port::writer::{Cursor, Writer};
use crate::engine::run::setup::Setup;

/// Planned rows written into the journal at a time.
const STAGE: usize = 2_000;

/// A plan for one server is refused on another.
pub(in crate::engine) async fn check_identity(facts: &dyn Reader, plan: &Plan) -> Result<()> {
    let server = facts.server().await?;
    let differences = plan.identity.differences(&Identity::from_server(&server));
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(Class::Stale, format!("this is another server: {}", differences.join("; ")))
        .hint("a plan is good for the server it was made on; plan again here"))
}

/// Writes the intent and all planned rows into the journal, as one.
pub(in crate::engine) async fn intent(
    setup: &Setup<'_>,
    writer: &mut dyn Writer,
    approved: &Approved,
    progress: &mut Progress,
    watcher: ProgressSink<'_>,
    copy: &CopyReady,
) -> Result<(Cursor, Option<String>)> {
    progress.phase = Phase::Staging;
    watcher(progress.clone());
    let plan = approved.plan();
    let bootstrap: &[String] = match plan.steps.first() {
        Some(step) if matches!(step.action, Action::Bootstrap) => &step.statements,
        _ => &[],
    };
    let mut begun = writer.begin(plan, bootstrap).await?;
    // Known before it is durable: the answer to its COMMIT may not come.
    progress.run = Some(begun.run.clone());
    if let Some(rows) = approved.rows() {
        let only = plan.steps.iter().position(|s| matches!(s.action, Action::Rows(_))).unwrap_or(0);
        let (mut at, mut page) = (0, rows.raw(0, STAGE)?);
        let mut staged = (only, 0);
        while !page.is_empty() {
            // The next page is read while the server takes this one.
            let next = at + page.len() as u64;
            let (written, following) =
                join(stage(writer, &begun, &page, only, &mut staged), async { rows.raw(next, STAGE) }).await;
            written?;
            (at, page) = (next, following?);
        }
    }
    let body = json!({
        "operation": plan.operation, "name": plan.name, "target": plan.target, "digest": plan.digest,
        "plan": plan.id, "rows": plan.rows, "rows_sha256": plan.rows_sha256, "undoes": plan.undoes,
        "by": setup.operator.to_string(), "phrase": plan.phrase,
    });
    let event = writer.staged(&begun, &body).await?;
    let uncopied = copy.take(&*setup.adapters.journal_copy, &plan.identity, &event);
    if plan.rows > MANY {
        writer.analyse().await;
    }
    if !bootstrap.is_empty() {
        begun.applied = bootstrap.len() as u64;
    }
    Ok((begun, uncopied))
}

/// A page of rows, step by step; the rows of each are numbered from one. `staged`: the step so far, and its rows.
async fn stage(
    writer: &mut dyn Writer,
    begun: &Cursor,
    page: &[RawRow],
    only: usize,
    staged: &mut (usize, u64),
) -> Result<()> {
    for rows in page.chunk_by(|a, b| a.step == b.step) {
        let step = rows.first().and_then(|r| r.step).unwrap_or(only);
        let from = if staged.0 == step { staged.1 } else { 0 };
        writer.stage(begun, step, from, rows).await?;
        *staged = (step, from + rows.len() as u64);
    }
    Ok(())
}

/// No journal, no action: that holds for the key that signs its entries, for its copy, and for a journal that is not the
/// one that was seen from this machine. `accepts`: the run is there to accept it. The target's lock is held: no other run of this
/// machine writes the copy.
pub(in crate::engine) async fn copy_ready(
    setup: &Setup<'_>,
    plan: &Plan,
    accepts: bool,
) -> Result<CopyReady> {
    let refused = |what: String| Error::new(Class::Refused, format!("no journal, no action: {what}"));
    if setup.adapters.signer.own()?.is_none() {
        return Err(refused("there is no place for the key that signs its entries".into())
            .hint("set HOME, state_dir in midwatch.toml, or MIDWATCH_KEY_FILE"));
    }
    let (copy, signer) = (&*setup.adapters.journal_copy, &*setup.adapters.signer);
    let allowed = setup.policy.allow_without_copy;
    let makes_journal = plan.steps.first().is_some_and(|s| matches!(s.action, Action::Bootstrap));
    let kept = KeptJournal { facts: setup.facts, copy, signer, target: &plan.identity };
    if accepts {
        // What is kept here is what its plan is compared with: nothing is mended before.
        return Ok(CopyReady::default());
    }
    let elsewhere = match kept.seen(allowed || makes_journal).await {
        Ok(JournalSeen::As) => None,
        Ok(JournalSeen::Elsewhere(mark)) => Some(mark),
        // The entry that accepts it needs the journal's present form.
        Ok(JournalSeen::Differs(why)) if makes_journal => {
            return Err(refused(why).hint(accept::before_upgrade(copy.place(&plan.identity))));
        }
        Ok(JournalSeen::Differs(why)) => return Err(refused(why).hint(accept::HINT)),
        // Where there is no journal, its entries are not in it: what was seen at another address is of another one.
        Err(e) if makes_journal && e.cause == Cause::NoSuchObject => {
            copy.mark(&plan.identity)?.filter(|mark| !mark.is_at(&plan.identity))
        }
        Err(e) => {
            let e = e.context("not checked whether the journal is as it was last seen from this machine");
            return if allowed { Ok(CopyReady::unwritten(e.message, true)) } else { Err(e) };
        }
    };
    match copied::made_ready(setup.facts, copy, signer, &plan.identity, elsewhere.as_ref()).await {
        Ok(mended) => Ok(CopyReady::after(mended)),
        Err(e) if allowed => Ok(CopyReady::unwritten(e.message, false)),
        Err(e) => {
            let hint =
                e.hint.unwrap_or_else(|| "make room there, or set allow_without_copy in [policy]".into());
            Err(refused(e.message).hint(hint))
        }
    }
}
