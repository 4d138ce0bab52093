//! Why a first batch was refused: planned rows that could not be changed as planned, and what they hold now.

use serde::Deserialize;

use super::{PgWriter, Place, add, numbers};
use crate::dialect::postgres::row_sql::batch;
use crate::dialect::postgres::row_sql::values::holds_key;
use crate::engine::model::change::RowChange;
use crate::engine::model::diff::{PlannedRow, Values};
use crate::engine::model::drift::{DriftedRow, PlanDrift, TOLD};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::{Ident, Relation, literal};

#[derive(Deserialize)]
struct Found {
    total: u64,
    rows: Vec<FoundRow>,
}

#[derive(Deserialize)]
struct FoundRow {
    key: Values,
    before: Option<Values>,
    after: Option<Values>,
    now: Option<Values>,
}

impl PgWriter {
    /// Planned rows of the batch that are not among those it changed, read before it is taken back.
    pub(super) async fn drifted_rows(&mut self, change: &RowChange, place: Place) -> Result<PlanDrift> {
        let what = "read the rows that have moved";
        let mut arguments = numbers([place.run, place.step, place.from, place.to])?;
        if change.computed().is_none() {
            add(&mut arguments, place.batch)?;
        }
        let text = self.text(what, sql(change), arguments).await?;
        let found: Found = serde_json::from_str(&text)
            .map_err(|e| Error::new(Class::Failed, format!("failed to {what}: {e}")))?;
        let rows = found.rows.into_iter().map(|row| row.into_drifted_row(change)).collect();
        Ok(PlanDrift { rows, total: found.total, parts: vec![] })
    }
}

/// `$1` run, `$2` step, `$3` first planned row (exclusive), `$4` last, `$5` batch. A row that is computed again has its
/// image last, so there the batch itself says which are left; elsewhere the images also tell what the table refused.
fn sql(change: &RowChange) -> String {
    let computed = change.computed();
    let columns = computed.map_or(&change.columns, |derived| &derived.columns);
    let changed = match computed {
        Some(_) => "pg_temp.midwatch_batch b where b.midwatch_seq = p.seq".to_owned(),
        None => format!("{} w where w.seq = p.seq", batch::written_rows("$5")),
    };
    let (names, texts): (Vec<_>, Vec<_>) =
        columns.iter().map(|c| (literal(&c.name), format!("t.{}::text", Ident(&c.name)))).unzip();
    format!(
        "with missing as materialized (select p.seq, p.key, p.before, p.after from {} p \
         where not exists (select from {changed})), \
         told as (select m.key, m.before, m.after, (select jsonb_object(array[{}]::text[], array[{}]::text[]) \
         from {} t where {}) as now from missing m order by m.seq limit {TOLD}) \
         select json_build_object('total', (select count(*) from missing), \
         'rows', coalesce((select json_agg(told) from told), '[]'))::text",
        batch::planned_rows(),
        names.join(", "),
        texts.join(", "),
        change.relation(&Relation::parse),
        holds_key("t", &change.key, "m.key"),
    )
}

impl FoundRow {
    /// As a comparison of plans tells it.
    fn into_drifted_row(self, change: &RowChange) -> DriftedRow {
        let names = || change.key.iter().chain(&change.columns).map(|c| c.name.as_str());
        let planned = PlannedRow {
            key: in_order(self.key, names()),
            before: self.before.map(|v| in_order(v, names())),
            after: self.after.map(|v| in_order(v, names())),
            ..PlannedRow::default()
        };
        let written = planned.before.as_ref().or(planned.after.as_ref());
        let before = self.now.zip(written).map(|(mut now, like)| -> Values {
            like.keys().map(|name| (name.clone(), now.remove(name).unwrap_or_default())).collect()
        });
        // What holds already what was planned needs no change any more.
        let now = before.filter(|now| planned.after.as_ref() != Some(now)).map(|now| PlannedRow {
            key: planned.key.clone(),
            before: Some(now),
            after: planned.after.clone(),
            ..PlannedRow::default()
        });
        DriftedRow { what: if now.is_some() { "changed" } else { "gone" }, planned: Some(planned), now }
    }
}

/// The journal's type sorts names its own way; people read them as they were planned.
fn in_order<'n>(mut values: Values, names: impl Iterator<Item = &'n str>) -> Values {
    let mut out: Values = names.filter_map(|name| values.shift_remove_entry(name)).collect();
    out.extend(values);
    out
}
