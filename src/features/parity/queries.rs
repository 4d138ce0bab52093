//! What is compared, and the statements that read it.

use crate::engine::model::name::Ident;
use crate::engine::model::profile::Twin;
use crate::features::parity::key_ranges::Cut;
use crate::features::parity::pair::catalog::{Columns, SequenceRow, Table};
use crate::features::parity::pair::partitions::{Layout, Leaf};

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) twin: &'a Twin,
    pub(crate) legacy: Option<&'a Table>,
    pub(crate) partitioned: &'a Table,
    pub(crate) columns: &'a Columns,
    pub(crate) layout: &'a Layout,
    pub(crate) sequences: &'a [SequenceRow],
    pub(crate) cut: &'a Cut,
    /// Counts and sums only.
    pub(crate) quick: bool,
}

impl Plan<'_> {
    /// Only numbers on both sides can be summed.
    pub(crate) fn summed(&self, column: &str) -> bool {
        self.columns.common.iter().any(|c| c.name == column && c.number)
    }

    /// A whole number on both sides.
    pub(crate) fn whole_number(&self, column: &str) -> bool {
        let whole = |kind: &str| matches!(kind, "smallint" | "integer" | "bigint");
        let legacy = self.columns.common.iter().any(|c| c.name == column && whole(&c.kind));
        legacy && !self.columns.retyped.iter().any(|(name, _, twin)| name == column && !whole(twin))
    }

    /// Sums are kept exact as millionths. Floats are added as decimals, since their own sum depends on their order.
    fn sums(&self) -> String {
        let exact = |c: &str| {
            let kind = self.columns.common.iter().find(|x| x.name == c).map_or("", |x| x.kind.as_str());
            let whole = matches!(kind, "smallint" | "integer" | "bigint") || kind.starts_with("numeric");
            whole && !self.columns.retyped.iter().any(|(name, ..)| name == c)
        };
        let sum = |c: &String| {
            if !self.summed(c) {
                "null".into()
            } else if exact(c) {
                format!("trunc(sum({})::numeric * 1000000)::text", Ident(c))
            } else {
                format!("trunc(sum({}::numeric) * 1000000)::text", Ident(c))
            }
        };
        self.twin.sums.iter().map(sum).collect::<Vec<_>>().join(", ")
    }

    fn aggregates(&self) -> String {
        let digest =
            if self.quick { "null::text".into() } else { format!("sum({})::text", self.columns.digest()) };
        format!("count(*) as rows, {digest} as digest, array[{}]::text[] as sums", self.sums())
    }

    fn range(&self) -> String {
        if self.quick { Cut::None.number() } else { self.cut.number() }
    }

    /// The legacy side, by bucket and range.
    pub(crate) fn legacy_sql(&self, filter: &str) -> String {
        let Some(legacy) = self.legacy else { return String::new() };
        format!(
            "select ({})::bigint as bucket, {} as range, {}, array[]::bigint[] as maxes\nfrom {} where {filter} group by 1, 2",
            self.layout.bucket(),
            self.range(),
            self.aggregates(),
            legacy.relation
        )
    }

    /// One leaf, by range; its bucket is its slot.
    pub(crate) fn leaf_sql(&self, leaf: &Leaf, filter: &str) -> String {
        let maxes: Vec<_> = self.sequences.iter().map(SequenceRow::max).collect();
        format!(
            "select {}::bigint as bucket, {} as range, {}, array[{}]::bigint[] as maxes from {} l where {filter} group by 2",
            leaf.slot,
            self.range(),
            self.aggregates(),
            maxes.join(", "),
            leaf.rows
        )
    }
}
