//! Partitions by time that a table will need: for now, for what is to come, and for rows that have none.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::query::Param;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::pair::catalog::TwinTable;

/// A partition to be made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct MissingPartition {
    /// Its name, as its siblings are called.
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// A relation of this name is there already, and is no partition of the table.
    pub(crate) taken: bool,
}

// Widths and names follow the latest partition: `revenues_2026_11` from its first of a month to the next.
const COMING: &str = "
with spans as (
  select c.relname as name, m.b[1]::{kind} as lo, m.b[2]::{kind} as hi
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  cross join lateral (select regexp_match(pg_get_expr(c.relpartbound, c.oid),
                                          'FROM \\(''([^'']+)''\\) TO \\(''([^'']+)''\\)') as b) m
  where i.inhparent = $1::oid and m.b is not null),
model as (
  select s.*, u.unit, f.format from spans s
  cross join (values (1, 'year'), (2, 'quarter'), (3, 'month'), (4, 'week'), (5, 'day'), (6, 'hour')) u(n, unit)
  cross join (values (1, 'YYYY_MM_DD_HH24'), (2, 'YYYYMMDDHH24'), (3, 'YYYY_MM_DD'), (4, 'YYYYMMDD'), (5, 'YYYY-MM-DD'),
                     (6, '\"y\"YYYY\"m\"MM'), (7, 'YYYY_MM'), (8, 'YYYYMM'), (9, 'YYYY-MM'), (10, 'YYYY\"q\"Q'), (11, 'YYYY_\"q\"Q'), (12, 'YYYY')) f(n, format)
  where s.hi = (s.lo + case u.unit when 'quarter' then interval '3 months' else ('1 ' || u.unit)::interval end)::{kind}
    and date_trunc(u.unit, s.lo)::{kind} = s.lo and position(to_char(s.lo, f.format) in s.name) > 0
  order by s.hi desc, u.n, f.n limit 1),
step as (select m.*, case m.unit when 'quarter' then interval '3 months' else ('1 ' || m.unit)::interval end as width from model m),
wanted as (
  select (date_trunc(s.unit, now()) + n * s.width)::{kind} as lo from step s, generate_series(0, $2::int) n
  {homeless}),
named as (
  select distinct w.lo, (w.lo + s.width)::{kind} as hi,
         replace(s.name, to_char(s.lo, s.format), to_char(w.lo, s.format)) as name
  from wanted w cross join step s
  where not exists (select from spans p where p.lo < (w.lo + s.width)::{kind} and w.lo < p.hi))
select n.name, n.lo::text as from, n.hi::text as to,
       exists (select from pg_class c where c.relname = n.name
               and c.relnamespace = (select relnamespace from pg_class where oid = $1::oid)) as taken
from named n order by n.lo";

/// Those that a table partitioned by range of one column of time lacks; nothing is known of others. `ahead`: so many
/// after the present one. `rows`: a table whose rows are to find a place, too.
pub(crate) async fn upcoming_partitions(
    tx: &mut dyn ReadTx,
    table: &TwinTable,
    (column, kind): (&str, &str),
    ahead: u32,
    rows: Option<&TwinTable>,
) -> Result<Vec<MissingPartition>> {
    let homeless = rows.map_or_else(String::new, |rows| {
        format!(
            "union select distinct date_trunc(s.unit, r.{0})::{kind} from {1} r cross join step s where r.{0} is not null",
            Ident(column),
            rows.relation
        )
    });
    let sql = COMING.replace("{kind}", kind).replace("{homeless}", &homeless);
    tx.fetch(&Sql::over_rows(&sql).bind([Param::Int(table.oid), Param::Int(i64::from(ahead))])).await
}

impl MissingPartition {
    /// Made apart and attached: the parent's readers and writers go on meanwhile.
    pub(crate) fn statements(&self, parent: &TwinTable) -> Vec<String> {
        let own = self.relation(parent);
        vec![
            format!(
                "create table {own} (like {} including defaults including constraints including generated including storage)",
                parent.relation
            ),
            format!(
                "alter table {} attach partition {own} for values from ({}) to ({})",
                parent.relation,
                literal(&self.from),
                literal(&self.to)
            ),
        ]
    }

    /// Taken away again where nothing has come into it since.
    pub(crate) fn drop_if_empty(&self, parent: &TwinTable) -> String {
        let own = self.relation(parent);
        let block = format!(
            "begin lock table {own} in access exclusive mode; if not exists (select from {own}) then drop table {own}; end if; end"
        );
        format!("do {}", literal(&block))
    }

    pub(crate) fn relation(&self, parent: &TwinTable) -> String {
        let schema = Relation::parse(&parent.relation).schema;
        Relation { schema, name: self.name.clone() }.to_string()
    }
}
