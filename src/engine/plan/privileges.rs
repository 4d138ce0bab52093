//! What a change's statements need, asked of the server beforehand: it checks names, types and privileges of each, and
//! executes none.

use crate::engine::model::change::RowChange;
use crate::engine::model::error::Result;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::query::Sql;
use crate::engine::port::reader::{ReadOptions, ReadTx, Reader};
use crate::engine::port::row_sql::{CheckMethod, CheckedStatement};

/// How far the server looks at a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Looked {
    /// As far as its plan, for which it may evaluate what is constant.
    Planned,
    /// Names and types alone: nothing that stands in it is called.
    Parsed,
}

/// One line for all that is in order, and one for each statement that is not.
pub(in crate::engine) async fn check(facts: &dyn Reader, change: &RowChange, how: Looked) -> Vec<Preflight> {
    let (fine, wrong) = planned(facts, change, how).await;
    let mut out: Vec<_> = needed(facts).await.into_iter().collect();
    if wrong.is_empty() {
        let by = if how == Looked::Planned { "planned" } else { "parsed" };
        out.push(Preflight::new("statements", Ready::Ok, format!("{fine} statements {by} by the server")));
    }
    out.extend(wrong.into_iter().map(|(ready, text)| Preflight::new("statements", ready, text)));
    out
}

/// What would keep this role from taking the change back. It does not stop the change: somebody else may take it back.
pub(in crate::engine) async fn check_inverse(
    facts: &dyn Reader,
    inverse: &RowChange,
    how: Looked,
) -> Vec<Preflight> {
    let (_, wrong) = planned(facts, inverse, how).await;
    let warn = |(_, text)| Preflight::new("undo", Ready::Warn, format!("to take it back: {text}"));
    wrong.into_iter().map(warn).collect()
}

async fn planned(facts: &dyn Reader, change: &RowChange, how: Looked) -> (usize, Vec<(Ready, String)>) {
    let (mut fine, mut wrong) = (0, Vec::new());
    let mut open = None;
    for statement in facts.dialect().checked_statements(change) {
        let answer = looked_at(facts, &mut open, &statement, how).await;
        let what = statement.what;
        match answer {
            Ok(()) => fine += 1,
            // It speaks of the statement or the role, not of the moment: the run would meet it too.
            Err(e) if e.permanent => wrong.push((Ready::Fail, format!("{what}: {}", e.message))),
            Err(e) => wrong.push((Ready::Unknown, format!("{what}: cannot be looked at: {}", e.message))),
        }
    }
    (fine, wrong)
}

async fn ask(facts: &dyn Reader, sql: &Sql) -> Result<Option<String>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    Ok(tx.texts(sql).await?.pop().flatten())
}

async fn needed(facts: &dyn Reader) -> Option<Preflight> {
    let need = facts.dialect().batch_requirement()?;
    Some(match ask(facts, &need.sql).await {
        Ok(Some(may)) if may == "true" => Preflight::new(need.id, Ready::Ok, need.fine),
        Ok(Some(_)) => Preflight::new(need.id, Ready::Fail, need.lacking),
        Ok(None) => Preflight::new(need.id, Ready::Unknown, "the server gave no answer"),
        Err(e) => Preflight::new(need.id, Ready::Unknown, e.message),
    })
}

/// In the transaction that is open: its session is closed after it, and a session for each statement takes longer than the
/// statements. What one of them has set, and its locks, are gone before the next. After an error the next
/// statement has another transaction.
async fn looked_at(
    facts: &dyn Reader,
    open: &mut Option<Box<dyn ReadTx>>,
    CheckedStatement { sql, method, .. }: &CheckedStatement,
    how: Looked,
) -> Result<()> {
    let mut tx = match open.take() {
        Some(tx) => tx,
        None => facts.begin(ReadOptions::default()).await?,
    };
    match method {
        CheckMethod::Explain if how == Looked::Planned => tx.texts(sql).await.map(drop)?,
        CheckMethod::Explain | CheckMethod::Prepare => tx.parse(sql).await?,
    }
    *open = Some(tx);
    Ok(())
}
