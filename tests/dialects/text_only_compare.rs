//! Rows compared on the dialect that is only text, and how far a comparison of two databases gets with it.

use std::sync::{Arc, Mutex};

use midwatch::engine::compare::classify::DifferenceClass;
use midwatch::engine::compare::tables::{CompareRequest, TableSide, compare};
use midwatch::engine::model::comparison::{
    ComparedColumn, ComparedColumns, ComparedRows, Databases, KeySpan, KeyText, PartsOfBoth, RowGroup,
    RowPart, ValuePair,
};
use midwatch::engine::model::error::{Error, Result};
use midwatch::engine::model::key_ranges::{RangeCut, first, last};
use midwatch::engine::model::name::Relation;
use midwatch::engine::model::query::{Column, Param, ProfileSql, Sql};
use midwatch::engine::port::compare_sql::CompareSql;
use midwatch::engine::port::reader::{Fut, ReadTx, RowShape, Take};

use crate::recorder::{Notes, Sent};
use crate::text_only::{TextOnly, quote};

fn range(what: &ComparedRows<'_>) -> String {
    match what.cut {
        _ if !what.digests => "0".into(),
        RangeCut::None => "0".into(),
        RangeCut::Bits { column, bits, .. } => format!("{} >> {bits}", quote(column)),
        RangeCut::Hash { mask } => format!("CRC32(CONCAT_WS(',', {})) & {mask}", keys(what)),
    }
}

fn keys(what: &ComparedRows<'_>) -> String {
    let text = |c: &ComparedColumn| format!("CAST({} AS CHAR)", quote(&c.name));
    what.columns.key.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn within(what: &ComparedRows<'_>, ranges: &[i64]) -> String {
    let one = |r: &i64| match what.cut {
        RangeCut::Bits { column, bits, .. } => {
            format!("{} BETWEEN {} AND {}", quote(column), first(*r, *bits), last(*r, *bits))
        }
        _ => format!("{} = {r}", range(what)),
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(" OR ")
}

fn spanned(what: &ComparedRows<'_>, keys: KeySpan) -> String {
    let RangeCut::Bits { column, bits, .. } = what.cut else { return "TRUE".into() };
    let low = keys.from.map(|r| format!("{} >= {}", quote(column), first(r, *bits)));
    let high = keys.to.map(|r| format!("{} <= {}", quote(column), last(r, *bits)));
    let bounds: Vec<_> = low.into_iter().chain(high).collect();
    if bounds.is_empty() { "TRUE".into() } else { bounds.join(" AND ") }
}

fn bucket(part: &RowPart<'_>) -> String {
    match part.group {
        RowGroup::All => "NULL".into(),
        RowGroup::Computed(expression) => expression.to_owned(),
        RowGroup::Fixed { number, .. } => number.to_string(),
    }
}

fn filtered(within: &str, part: &RowPart<'_>) -> String {
    part.filter.as_ref().map_or_else(|| format!("({within})"), |f| format!("({within}) AND ({f})"))
}

fn union(parts: &[RowPart<'_>], one: impl Fn(&RowPart<'_>) -> String) -> String {
    parts.iter().map(one).collect::<Vec<_>>().join("\nUNION ALL ")
}

impl CompareSql for TextOnly {
    fn digest_form(&self) -> &'static str {
        "sha2"
    }
    fn columns_of(&self, table: &Relation) -> Sql {
        let text = "SELECT column_name AS name, column_type AS kind, FALSE AS as_text, numeric_scale IS NOT NULL AS number, \
                    numeric_scale = 0 AS whole FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position";
        Sql::new(text).bind([Param::from(table.name.as_str())])
    }
    fn matched(&self, left: &ComparedColumn, right: &ComparedColumn, _: Databases) -> ComparedColumn {
        ComparedColumn { as_text: left.kind != right.kind, whole: left.whole && right.whole, ..left.clone() }
    }
    fn size(&self, table: &Relation, column: &str) -> Sql {
        let text = "SELECT t.table_rows AS `rows`, s.index_name IS NOT NULL AS indexed FROM information_schema.tables t \
                    LEFT JOIN information_schema.statistics s ON s.table_name = t.table_name AND s.column_name = ? \
                    AND s.seq_in_index = 1 WHERE t.table_name = ?";
        Sql::new(text).bind([Param::from(column), Param::from(table.name.as_str())])
    }
    fn key_ends(&self, rows: &str, column: &str) -> Sql {
        Sql::new(format!("SELECT MIN({0}) AS low, MAX({0}) AS high FROM {rows}", quote(column)))
    }
    fn comparison_settings(&self) -> Option<Sql> {
        None
    }
    fn compile(&self, _: bool) -> Option<Sql> {
        None
    }
    fn digest(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], span: KeySpan) -> Sql {
        let digest = if what.digests {
            format!("CAST(SUM({}) AS CHAR)", self.row_digest(&what.columns.common))
        } else {
            "NULL".into()
        };
        let sums: Vec<_> = what
            .sums
            .iter()
            .map(|s| format!("CAST(TRUNCATE(SUM({}) * 1000000, 0) AS CHAR)", quote(s)))
            .collect();
        Sql::new(union(parts, |part| {
            format!(
                "SELECT {} AS bucket, {} AS `range`, COUNT(*) AS `rows`, {digest} AS digest, JSON_ARRAY({}) AS sums, \
                 JSON_ARRAY({}) AS maxes FROM {} WHERE {} GROUP BY 1, 2",
                bucket(part),
                range(what),
                sums.join(", "),
                part.measures.join(", "),
                part.rows,
                filtered(&spanned(what, span), part)
            )
        }))
    }
    fn stream(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], ranges: &[i64]) -> Sql {
        let (keys, digest) = (keys(what), self.row_digest(&what.columns.common));
        let within = within(what, ranges);
        Sql::new(union(parts, |part| {
            let filter = filtered(&within, part);
            format!(
                "SELECT JSON_ARRAY({keys}) AS `key`, {digest} AS digest FROM {} WHERE {filter}",
                part.rows
            )
        }))
    }
    fn differing_keys(
        &self,
        what: &ComparedRows<'_>,
        parts: PartsOfBoth<'_>,
        ranges: &[i64],
        limit: usize,
    ) -> Sql {
        let side = |of: &[RowPart<'_>], n: i8| {
            format!("SELECT q.*, {n} AS n FROM ({}) q", self.stream(what, of, ranges).text())
        };
        Sql::new(format!(
            "SELECT DISTINCT b.`key` FROM ({} UNION ALL {}) b GROUP BY b.`key`, b.digest HAVING SUM(b.n) <> 0 ORDER BY 1 LIMIT {limit}",
            side(parts.left, 1),
            side(parts.right, -1)
        ))
    }
    fn count_differing_keys(&self, what: &ComparedRows<'_>, parts: PartsOfBoth<'_>, ranges: &[i64]) -> Sql {
        let keys = self.differing_keys(what, parts, ranges, usize::MAX);
        Sql::new(format!("SELECT COUNT(*) AS `keys` FROM ({}) c", keys.text()))
    }
    fn rows_by_key(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: &[KeyText]) -> Sql {
        let cells: Vec<_> = what
            .columns
            .common
            .iter()
            .map(|c| format!("CAST({} AS CHAR)", self.compared_value(c, "r")))
            .collect();
        let on: Vec<_> = what
            .columns
            .key
            .iter()
            .map(|k| format!("r.{0} = CAST(u.{0} AS {1})", quote(&k.name), k.kind))
            .collect();
        let text = union(parts, |part| {
            let name = match part.group {
                RowGroup::Fixed { name, .. } => format!("'{name}'"),
                _ => "NULL".into(),
            };
            format!(
                "SELECT u.n, u.`key`, {name} AS `partition`, {} AS bucket, {} AS `range`, JSON_ARRAY({}) AS cells \
                 FROM JSON_TABLE(?) u JOIN {} r ON {}",
                bucket(part),
                range(what),
                cells.join(", "),
                part.rows,
                on.join(" AND ")
            )
        });
        Sql::new(text).bind([Param::from(serde_json::to_string(keys).unwrap().as_str())])
    }
    fn longest_value(&self) -> usize {
        usize::MAX
    }
    fn same_values(&self, pairs: &[ValuePair<'_>]) -> Sql {
        let one = |p: &ValuePair<'_>| format!("SELECT CAST(? AS {0}) = CAST(? AS {0})", p.column.kind);
        let params: Vec<_> = pairs.iter().flat_map(|p| [Param::from(p.left), Param::from(p.right)]).collect();
        Sql::new(pairs.iter().map(one).collect::<Vec<_>>().join(" UNION ALL ")).bind(params)
    }
    fn row_digest(&self, columns: &[ComparedColumn]) -> String {
        let cell = |c: &ComparedColumn| format!("QUOTE({})", quote(&c.name));
        let row = columns.iter().map(cell).collect::<Vec<_>>().join(", ");
        format!("CAST(CONV(LEFT(SHA2(CONCAT_WS(',', {row}), 256), 16), 16, 10) AS UNSIGNED)")
    }
    fn compared_value(&self, column: &ComparedColumn, row: &str) -> String {
        format!("{row}.{}", quote(&column.name))
    }
}

/// A table that exists only as far as its answers are here: one range, of three rows each.
struct Sheet {
    notes: Notes,
    rows: &'static [(&'static str, i64, &'static str)],
}

impl Sheet {
    fn answer(&self, sql: &Sql) -> Result<Vec<String>> {
        let all = |one: &dyn Fn(&(&str, i64, &str)) -> String| Ok(self.rows.iter().map(one).collect());
        match sql.text() {
            t if t.starts_with("SELECT column_name") => Ok(vec![
                r#"{"name":"id","kind":"bigint","as_text":false,"number":true,"whole":true}"#.into(),
                r#"{"name":"st`ate","kind":"varchar(20)","as_text":false,"number":false,"whole":false}"#
                    .into(),
            ]),
            t if t.starts_with("SELECT t.table_rows") => Ok(vec![r#"{"rows":3,"indexed":true}"#.into()]),
            t if t.starts_with("SELECT MIN(") => Ok(vec![r#"{"low":1,"high":9}"#.into()]),
            t if t.starts_with("SELECT NULL AS bucket") => {
                let (rows, digest) = (self.rows.len(), self.rows.iter().map(|r| r.1).sum::<i64>());
                Ok(vec![format!(
                    r#"{{"bucket":null,"range":0,"rows":{rows},"digest":"{digest}","sums":["6000000"],"maxes":[]}}"#
                )])
            }
            t if t.starts_with("SELECT JSON_ARRAY(") => {
                all(&|(key, digest, _)| format!(r#"{{"key":["{key}"],"digest":{digest}}}"#))
            }
            t if t.starts_with("SELECT u.n") => {
                let Some(Param::Text(Some(wanted))) = sql.params().first() else { panic!("{sql:?}") };
                let wanted: Vec<KeyText> = serde_json::from_str(wanted).unwrap();
                let keyed = wanted.iter().enumerate().filter_map(|(n, key)| {
                    let row = self.rows.iter().find(|r| key[0].as_deref() == Some(r.0))?;
                    Some((n + 1, row))
                });
                Ok(keyed
                    .map(|(n, (key, _, state))| {
                        format!(
                            r#"{{"n":{n},"key":["{key}"],"partition":null,"bucket":null,"range":0,"cells":["{key}","{state}"]}}"#
                        )
                    })
                    .collect())
            }
            other => Err(Error::unobserved(format!("not on this sheet: {other}"))),
        }
    }
}

impl ReadTx for Sheet {
    fn describe<'a>(&'a mut self, _: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        Box::pin(async { Err(Error::unobserved("not on this sheet")) })
    }
    fn parse<'a>(&'a mut self, _: &'a ProfileSql) -> Fut<'a, Result<()>> {
        Box::pin(async { Err(Error::unobserved("not on this sheet")) })
    }
    fn each<'a>(&'a mut self, sql: &'a Sql, _: Take<'a>) -> Fut<'a, Result<()>> {
        Box::pin(async move { Err(Error::unobserved(format!("not on this sheet: {}", sql.text()))) })
    }
    fn profile<'a>(&'a mut self, sql: &'a ProfileSql, _: RowShape, _: Take<'a>) -> Fut<'a, Result<()>> {
        Box::pin(async move { Err(Error::unobserved(format!("not on this sheet: {}", sql.text()))) })
    }
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            self.notes.lock().unwrap().push(Sent::ours(sql));
            self.answer(sql)?.into_iter().try_for_each(|row| take(Some(row)))
        })
    }
}

const DIGEST: &str = "SELECT NULL AS bucket, `id` >> 4 AS `range`, COUNT(*) AS `rows`, CAST(SUM(CAST(CONV(LEFT(SHA2(\
    CONCAT_WS(',', QUOTE(`id`), QUOTE(`st``ate`)), 256), 16), 16, 10) AS UNSIGNED)) AS CHAR) AS digest, \
    JSON_ARRAY(CAST(TRUNCATE(SUM(`id`) * 1000000, 0) AS CHAR)) AS sums, JSON_ARRAY() AS maxes FROM `le``ft` \
    WHERE (TRUE) GROUP BY 1, 2";
const STREAM: &str = "SELECT JSON_ARRAY(CAST(`id` AS CHAR)) AS `key`, CAST(CONV(LEFT(SHA2(CONCAT_WS(',', QUOTE(`id`), \
    QUOTE(`st``ate`)), 256), 16), 16, 10) AS UNSIGNED) AS digest FROM `le``ft` WHERE (`id` BETWEEN 0 AND 15)";

#[tokio::test]
async fn two_databases_are_compared_in_the_dialect_s_text_alone() {
    let notes: Notes = Arc::new(Mutex::new(vec![]));
    let of = |rows| Sheet { notes: Arc::clone(&notes), rows };
    let mut left = of(&[("1", 10, "a"), ("2", 20, "b"), ("9", 90, "c")]);
    let mut right = of(&[("1", 10, "a"), ("2", 21, "B"), ("7", 70, "d")]);
    let names = ["le`ft", "right"].map(|n| Relation { schema: None, name: n.into() });
    let done = compare(
        TableSide { tx: &mut left, dialect: &TextOnly, table: &names[0] },
        TableSide { tx: &mut right, dialect: &TextOnly, table: &names[1] },
        CompareRequest { key: &["id".into()], sums: &["id".into()], examples: 9 },
    )
    .await
    .unwrap();
    let rows = done.rows.unwrap();
    let found: Vec<_> =
        rows.examples.iter().map(|e| (e.class, e.key[0].as_deref().unwrap(), &*e.columns)).collect();
    assert_eq!(
        found,
        [
            (DifferenceClass::Different, "2", &["st`ate".to_owned()][..]),
            (DifferenceClass::OnlyRight, "7", &[]),
            (DifferenceClass::OnlyLeft, "9", &[]),
        ]
    );
    assert_eq!((done.left.rows, done.left.sums[0].to_string().as_str()), (3, "6"));
    let sent = notes.lock().unwrap();
    let on_left = |start: &str| {
        let of_left = |s: &&Sent| s.text.starts_with(start) && s.text.contains("`le``ft`");
        sent.iter().find(of_left).unwrap().text.clone()
    };
    assert_eq!(on_left("SELECT NULL AS bucket"), DIGEST);
    assert_eq!(on_left("SELECT JSON_ARRAY"), STREAM);
}

#[test]
fn groups_are_parts_of_a_table_or_an_expression_over_its_rows() {
    let column =
        |name: &str| ComparedColumn { name: name.into(), kind: "bigint".into(), ..ComparedColumn::default() };
    let columns =
        ComparedColumns { common: vec![column("id")], key: vec![column("id")], ..ComparedColumns::default() };
    let what =
        ComparedRows { columns: &columns, cut: &RangeCut::Hash { mask: 3 }, sums: &[], digests: false };
    let measures = ["MAX(`id`)".to_owned()];
    let parts = [
        RowPart {
            group: RowGroup::Computed("YEAR(`at`)"),
            filter: Some("`at` > 0".into()),
            ..RowPart::whole("`t`")
        },
        RowPart {
            group: RowGroup::Fixed { number: 4, name: "p4" },
            measures: &measures,
            ..RowPart::whole("`t` PARTITION (`p4`)")
        },
    ];
    assert_eq!(
        TextOnly.digest(&what, &parts, KeySpan::default()).text(),
        "SELECT YEAR(`at`) AS bucket, 0 AS `range`, COUNT(*) AS `rows`, NULL AS digest, JSON_ARRAY() AS sums, JSON_ARRAY() AS \
         maxes FROM `t` WHERE (TRUE) AND (`at` > 0) GROUP BY 1, 2\nUNION ALL SELECT 4 AS bucket, 0 AS `range`, COUNT(*) AS \
         `rows`, NULL AS digest, JSON_ARRAY() AS sums, JSON_ARRAY(MAX(`id`)) AS maxes FROM `t` PARTITION (`p4`) WHERE (TRUE) \
         GROUP BY 1, 2"
    );
}
