//! Rows compared: digests by group and key range, rows that differ, and the columns of both sides.

mod column;
mod digest;
mod key_ranges;
mod rows;
mod totals;

use crate::dialect::postgres::Postgres;
use crate::engine::model::comparison::{
    ComparedColumn, ComparedRows, Databases, KeySpan, KeyText, PartsOfBoth, RowPart, ValuePair,
};
use crate::engine::model::name::Relation;
use crate::engine::model::query::Sql;
use crate::engine::port::compare_sql::CompareSql;

impl CompareSql for Postgres {
    fn digest_form(&self) -> &'static str {
        "postgres 1"
    }

    fn columns_of(&self, table: &Relation) -> Sql {
        column::columns_of(table)
    }

    fn matched(&self, left: &ComparedColumn, right: &ComparedColumn, databases: Databases) -> ComparedColumn {
        column::matched(left, right, databases)
    }

    fn size(&self, table: &Relation, column: &str) -> Sql {
        key_ranges::size(table, column)
    }

    fn key_ends(&self, rows: &str, column: &str) -> Sql {
        key_ranges::key_ends(rows, column)
    }

    fn comparison_settings(&self) -> Option<Sql> {
        Some(Sql::new(totals::SETTINGS))
    }

    fn compile(&self, on: bool) -> Option<Sql> {
        Some(totals::compile(on))
    }

    fn digest(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: KeySpan) -> Sql {
        totals::digest(what, parts, keys)
    }

    fn stream(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], ranges: &[i64]) -> Sql {
        rows::stream(what, parts, ranges)
    }

    fn differing_keys(
        &self,
        what: &ComparedRows<'_>,
        parts: PartsOfBoth<'_>,
        ranges: &[i64],
        limit: usize,
    ) -> Sql {
        rows::differing(what, parts, ranges, limit)
    }

    fn count_differing_keys(&self, what: &ComparedRows<'_>, parts: PartsOfBoth<'_>, ranges: &[i64]) -> Sql {
        rows::count(what, parts, ranges)
    }

    fn rows_by_key(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: &[KeyText]) -> Sql {
        rows::by_key(what, parts, keys)
    }

    fn longest_value(&self) -> usize {
        rows::CELL
    }

    fn same_values(&self, pairs: &[ValuePair<'_>]) -> Sql {
        rows::same_values(pairs)
    }

    fn row_digest(&self, columns: &[ComparedColumn]) -> String {
        digest::row(columns)
    }

    fn compared_value(&self, column: &ComparedColumn, row: &str) -> String {
        column::compared(column, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::comparison::{ComparedColumns, RowGroup};
    use crate::engine::model::key_ranges::RangeCut;

    const DIGEST: &str = "hashint4extended(0, hashint8extended(\"id\", 1) # hashint4extended((\"id\" >> 32)::int4, 2) # \
                          coalesce(hashtextextended(\"a\"::text collate \"C\", 3), 3))";
    const CELLS: &str = "array[case when length((r.\"id\")::text) > 256 then left((r.\"id\")::text, 256) || '… md5 ' || \
                         md5((r.\"id\")::text) else (r.\"id\")::text end, case when length((r.\"a\"::text collate \"C\")::text) > 256 \
                         then left((r.\"a\"::text collate \"C\")::text, 256) || '… md5 ' || md5((r.\"a\"::text collate \"C\")::text) \
                         else (r.\"a\"::text collate \"C\")::text end] as cells";

    fn columns() -> ComparedColumns {
        let column = |name: &str, base: &str, kind: &str, as_text| ComparedColumn {
            name: name.into(),
            base: base.into(),
            kind: kind.into(),
            as_text,
            not_null: !as_text,
            number: true,
            ..ComparedColumn::default()
        };
        let id = column("id", "int8", "bigint", false);
        let common = vec![id.clone(), column("a", "numeric", "numeric(9,2)", true)];
        ComparedColumns { common, key: vec![id], ..ComparedColumns::default() }
    }

    fn cut() -> RangeCut {
        RangeCut::Bits { column: "id".into(), bits: 12, span: (0, 4) }
    }

    fn parts(maxes: &[String]) -> [RowPart<'_>; 2] {
        let computed = RowPart { group: RowGroup::Computed("width_bucket(d)"), ..RowPart::whole("public.t") };
        let fixed = RowGroup::Fixed { number: 3, name: "p'3" };
        [computed, RowPart { group: fixed, measures: maxes, ..RowPart::whole("only public.p3") }]
    }

    /// These are what speed was measured with: another text is another measurement.
    #[test]
    fn statements_over_many_rows_keep_their_text() {
        let (columns, cut, sums) = (columns(), cut(), ["a".to_owned(), "gone".to_owned()]);
        let what = ComparedRows { columns: &columns, cut: &cut, sums: &sums, digests: true };
        let maxes = ["max(\"id\")::bigint".to_owned()];
        let [mut left, right] = parts(&maxes);
        let sums = "array[trunc(sum(\"a\")::numeric * 1000000)::text, null]::text[] as sums";
        let both = format!(
            "(\"id\"::bigint >> 12) as range, count(*) as rows, sum({DIGEST})::text as digest, {sums}"
        );
        let keys = KeySpan { from: Some(1), to: None, paced: true };
        let within = "(\"id\" >= 4096) and (hashtid(ctid) & 511 <> 0 or pg_sleep(0.001) is not null)";
        assert_eq!(
            Postgres.digest(&what, &[left.clone()], keys).text(),
            format!(
                "select (width_bucket(d))::bigint as bucket, {both}, array[]::bigint[] as maxes\nfrom public.t where {within} \
                 group by 1, 2"
            )
        );
        let leaf = format!(
            "select 3::bigint as bucket, {both}, array[max(\"id\")::bigint]::bigint[] as maxes from only public.p3 l where true \
             group by 2"
        );
        let twice = [right.clone(), right.clone()];
        assert_eq!(
            Postgres.digest(&what, &twice, KeySpan::default()).text(),
            format!("{leaf}\nunion all {leaf}")
        );
        left.filter = Some("true".into());
        let (ours, theirs) = ([left], [right]);
        let of = PartsOfBoth { left: &ours, right: &theirs };
        let within = "((\"id\" >= 4096 and \"id\" <= 12287) or (\"id\" >= 16384 and \"id\" <= 20479))";
        assert_eq!(
            Postgres.differing_keys(&what, of, &[1, 2, 4], 21).text(),
            format!(
                "select array[g.\"id\"::text] as key from (select b.\"id\" from (select b.\"id\" from (select \"id\" as \"id\", \
                 {DIGEST} as \"mw:h\", 1 as \"mw:n\" from public.t where {within} and true\n  union all select \"id\" as \"id\", \
                 {DIGEST}, -1 from only public.p3 l where {within}) b\n  group by b.\"id\", b.\"mw:h\" having \
                 sum(b.\"mw:n\") <> 0) b group by b.\"id\") g\norder by g.\"id\" limit 21"
            )
        );
        assert_eq!(
            Postgres.stream(&what, &theirs, &[4]).text(),
            format!(
                "select array[(\"id\")::text] as key, {DIGEST} as digest from only public.p3 l where ((\"id\" >= 16384 and \
                 \"id\" <= 20479))"
            )
        );
    }

    #[test]
    fn rows_are_looked_up_by_their_key() {
        let (columns, cut) = (columns(), cut());
        let what = ComparedRows { columns: &columns, cut: &cut, sums: &[], digests: true };
        let keys = vec![vec![Some("7".to_owned())]];
        let [left, right] = parts(&[]);
        let joined = |rows: &str| {
            format!(
                "(\"id\"::bigint >> 12) as range, {CELLS}\nfrom unnest($1::text[]) with ordinality u(\"mw:k0\", \"mw:n\") join \
                 {rows} r on r.\"id\" operator(pg_catalog.=) u.\"mw:k0\"::bigint"
            )
        };
        let start = "select u.\"mw:n\"::int as n, array[r.\"id\"::text] as key,";
        assert_eq!(
            Postgres.rows_by_key(&what, &[left, right], &keys).text(),
            format!(
                "{start} null::text as partition, (width_bucket(d))::bigint as bucket, {}\nunion all {start} 'p''3'::text as \
                 partition, (3)::bigint as bucket, {}",
                joined("public.t"),
                joined("only public.p3")
            )
        );
    }
}
