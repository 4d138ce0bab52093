//! The statements behind a plan's rows.

use crate::engine::model::change::{Derived, Origin, RowChange};
use crate::engine::model::name::Ident;
use crate::engine::plan::operation::RowQuery;

impl RowQuery {
    /// Counts the rows of a derived table that these rows touch.
    pub(in crate::engine) fn touches(&self, change: &RowChange, derived: &Derived) -> String {
        let of = |pairs: &[(String, String)], name: &str| {
            pairs.iter().find(|(n, _)| n == name).map_or_else(|| "null".to_owned(), |(_, e)| e.clone())
        };
        let columns: Vec<String> = change
            .batch_columns()
            .iter()
            .map(|b| {
                let name = &b.column.name;
                let value = match b.origin {
                    Origin::Key => of(&self.key, name),
                    Origin::Before => of(&self.before, name),
                    Origin::After => of(&self.after, name),
                    Origin::Row => format!("t.{}", Ident(name)),
                };
                format!("({value})::{} as {}", b.column.type_name, Ident(&b.name))
            })
            .collect();
        let filter = if self.filter.is_empty() { "true" } else { self.filter.as_str() };
        let limit = self.limit.map_or_else(String::new, |n| {
            let keys: Vec<_> = self.key.iter().map(|(_, e)| e.clone()).collect();
            format!(" order by {} limit {n}", self.order.clone().unwrap_or_else(|| keys.join(", ")))
        });
        let key: Vec<_> = derived.key.iter().map(|c| format!("q.{}", Ident(&c.name))).collect();
        format!(
            "with batch as materialized (select {} {} where ({filter}){limit}) \
             select count(*)::text from (select distinct {} from ({}) q where ({}) is not null) k",
            columns.join(", "),
            self.from,
            key.join(", "),
            derived.rows,
            key.join(", "),
        )
    }

    /// The query whose rows are [`PlannedRow`]s. `among`: only these keys, given as arrays of texts.
    pub(in crate::engine) fn sql(
        &self,
        limit: Option<u64>,
        among: Option<&[(usize, String)]>,
        step: Option<usize>,
    ) -> String {
        let object = |pairs: &[(String, String)]| {
            let parts: Vec<_> = pairs
                .iter()
                .map(|(name, expr)| format!("{}, ({expr})::text", crate::engine::model::name::literal(name)))
                .collect();
            if parts.is_empty() {
                "null".to_owned()
            } else {
                format!("json_build_object({})", parts.join(", "))
            }
        };
        let mut fields = vec![
            format!("'key', {}", object(&self.key)),
            format!("'before', {}", object(&self.before)),
            format!("'after', {}", object(&self.after)),
        ];
        if !self.show.is_empty() {
            fields.push(format!("'show', {}", object(&self.show)));
        }
        if let Some(unit) = &self.unit {
            fields.push(format!("'unit', {unit}"));
        }
        fields.extend(step.map(|step| format!("'step', {step}")));
        let bound = among.map_or_else(String::new, |arrays| {
            let keys: Vec<_> = self.key.iter().map(|(_, e)| format!("({e})")).collect();
            let texts: Vec<_> = arrays.iter().map(|(n, _)| format!("${n}::text[]")).collect();
            let names: Vec<_> = (1..=arrays.len()).map(|i| format!("k{i}")).collect();
            let casts: Vec<_> = arrays.iter().zip(&names).map(|((_, t), n)| format!("{n}::{t}")).collect();
            format!(
                "\nand ({}) in (select {} from unnest({}) as k({}))",
                keys.join(", "),
                casts.join(", "),
                texts.join(", "),
                names.join(", ")
            )
        });
        let order = match &self.order {
            Some(order) => order.clone(),
            None => self.key.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>().join(", "),
        };
        let limit = limit.map_or_else(String::new, |n| format!("\nlimit {n}"));
        let filter = if self.filter.is_empty() { "true" } else { self.filter.as_str() };
        format!(
            "select json_build_object({})::text\n{}\nwhere ({filter}){bound}\norder by {order}{limit}",
            fields.join(", "),
            self.from
        )
    }
}
