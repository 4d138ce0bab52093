//! Sequences of both sides: one that is behind the rows gives out numbers that are taken.

use crate::engine::model::query::Sql;
use std::collections::BTreeMap;

use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::step::Step;
use crate::engine::plan::operation::PlanCx;
use crate::engine::port::reader::ReadOptions;
use crate::features::parity::pair::catalog::sequences;
use crate::features::switchover::limits::PATIENCE;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::texts;

/// What puts those past the rows of both sides that are behind them; none ever goes back.
pub(crate) async fn advance_sequences(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<Option<Step>> {
    let (mut names, mut statements) = (BTreeMap::new(), Vec::new());
    for (table, other) in
        [(&twin_pair.partitioned, &twin_pair.legacy), (&twin_pair.legacy, &twin_pair.partitioned)]
    {
        let options = ReadOptions { timeout: Some(PATIENCE), ..ReadOptions::default() };
        let mut tx = cx.cx.read_with(options).await?;
        for sequence in sequences(&mut *tx, table, &twin_pair.twin.key).await? {
            let whole = table.columns.iter().any(|c| c.name == sequence.column && c.number);
            let both = other.columns.iter().any(|c| c.name == sequence.column);
            if !whole || !both || !sequence.readable || names.contains_key(&sequence.name) {
                continue;
            }
            let column = Ident(&sequence.column);
            let largest = |table: &str| format!("(select max({column})::bigint from {table})");
            let rows = format!("{}, {}", largest(&table.relation), largest(&other.relation));
            let name = &sequence.name;
            // Rows are seen as of the statement's beginning, numbers as of now: who counts on meanwhile is not behind.
            let behind = format!(
                "select (coalesce(pg_sequence_last_value(s.seqrelid), s.seqstart - 1) < greatest({rows}))::text \
                 from pg_sequence s where s.seqrelid = {}::regclass",
                literal(name)
            );
            if tx.texts(&Sql::over_rows(&behind)).await?.into_iter().flatten().next().as_deref()
                != Some("true")
            {
                continue;
            }
            // No number is told, since it is another a moment later.
            statements.push(format!(
                "select setval({}, greatest({rows}, (select last_value from {name})))",
                literal(name)
            ));
            names.insert(sequence.name, sequence.shown);
        }
    }
    let names = names.into_values().collect::<Vec<_>>().join(", ");
    let (id, title) = (format!("{}/sequences", twin_pair.twin.name()), texts::steps::sequences(&names));
    Ok((!statements.is_empty()).then(|| Step { moving: true, ..Step::new(id, title, statements) }))
}
