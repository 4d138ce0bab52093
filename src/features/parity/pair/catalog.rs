//! What the catalog says of the two tables: columns, sequences.

use crate::engine::model::query::{ProfileSql, Sql};
use crate::features::parity::pair::column::TableColumn;
use serde::Deserialize;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::Param;
use crate::engine::port::reader::ReadTx;

/// Types of one family, whose values compare and hash as each other's.
fn alike(one: &str, other: &str) -> bool {
    let both = |family: &[&str]| family.contains(&one) && family.contains(&other);
    one == other || both(&["int2", "int4", "int8"]) || both(&["text", "varchar"])
}

/// What values of both types are cast to, where their texts would differ though they are equal.
fn common(one: &str, other: &str) -> Option<&'static str> {
    let whole = |t: &str| matches!(t, "int2" | "int4" | "int8" | "numeric");
    let time = |t: &str| matches!(t, "date" | "timestamp" | "timestamptz");
    match (one, other) {
        (a, b) if whole(a) && whole(b) => Some("numeric"),
        (a, b) if time(a) && time(b) && [a, b].contains(&"timestamptz") => Some("timestamptz"),
        (a, b) if time(a) && time(b) => Some("timestamp"),
        _ => None,
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TwinTable {
    pub(crate) relation: String,
    pub(crate) oid: i64,
    /// Its owner.
    pub(crate) owner: String,
    pub(crate) columns: Vec<TableColumn>,
}

#[derive(Deserialize)]
struct Resolved {
    oid: i64,
    relation: String,
    owner: String,
}

const RESOLVE: &str = "
select c.oid::bigint as oid, format('%I.%I', n.nspname, c.relname) as relation, pg_get_userbyid(c.relowner)::text as owner
from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass($1)";

// Only types whose hash says equal exactly where the text would are hashed as they are: not numeric
// (1.0 = 1.00), citext, interval (1 mon = 30 days), floats (0 = -0), jsonb, or a lax collation.
const COLUMNS: &str = "
select a.attname as name, t.typname as base, a.attnotnull as not_null, format_type(a.atttypid, a.atttypmod) as kind,
       not ((t.typname in ('bool', 'int2', 'int4', 'int8', 'oid', 'text', 'varchar', 'uuid', 'date', 'time',
                           'timestamp', 'timestamptz', 'bytea', 'name') or t.typtype = 'e')
            and coalesce(co.collisdeterministic, true)) as as_text,
       t.typcategory = 'N' and t.typname <> 'oid' and t.typname not like 'reg%' as number,
       not a.attnotnull as nullable, a.attgenerated <> '' as generated
from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_collation co on co.oid = a.attcollation
where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum";

pub(crate) async fn table(tx: &mut dyn ReadTx, name: &str) -> Result<TwinTable> {
    let quoted = Relation::parse(name).to_string();
    let found: Vec<Resolved> =
        tx.fetch(&ProfileSql::new(RESOLVE).bind([Param::Text(Some(quoted.clone()))])).await?;
    let Some(resolved) = found.into_iter().next() else {
        return Err(Error::unobserved(format!("this database has no table {quoted}"))
            .hint("the profile names it: is it the right profile, database and search_path?"));
    };
    let columns = tx.fetch(&Sql::new(COLUMNS).bind([Param::Int(resolved.oid)])).await?;
    Ok(TwinTable { relation: resolved.relation, oid: resolved.oid, owner: resolved.owner, columns })
}

const UNIQUE: &str = "
select exists (select from pg_index i where i.indrelid = $1::oid and i.indisunique and i.indisvalid and i.indpred is null
  and i.indexprs is null and (select array_agg(a.attname::text order by a.attname) from pg_attribute a
      where a.attrelid = i.indrelid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
    <@ $2::text[])::text";

/// Does an index see to it that no two rows have the same key?
pub(crate) async fn unique(tx: &mut dyn ReadTx, table: &TwinTable, key: &[String]) -> Result<bool> {
    let params = [Param::Int(table.oid), Param::Texts(key.to_vec())];
    Ok(tx.texts(&Sql::new(UNIQUE).bind(params.clone())).await?.pop().flatten().as_deref() == Some("true"))
}

/// How the two tables' columns relate, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    /// On both sides, in the legacy table's order.
    pub(crate) common: Vec<TableColumn>,
    pub(crate) missing_in_partitioned: Vec<String>,
    pub(crate) missing_in_legacy: Vec<String>,
    /// Name, legacy type, twin type.
    pub(crate) retyped: Vec<(String, String, String)>,
    pub(crate) key: Vec<TableColumn>,
}

impl Columns {
    pub(crate) fn of(legacy: &TwinTable, partitioned: &TwinTable, key: &[String]) -> Result<Self> {
        let mut out = Self::default();
        for column in &legacy.columns {
            match partitioned.columns.iter().find(|p| p.name == column.name) {
                None => out.missing_in_partitioned.push(column.name.clone()),
                Some(other) => {
                    let retyped = other.kind != column.kind;
                    if retyped {
                        out.retyped.push((column.name.clone(), column.kind.clone(), other.kind.clone()));
                    }
                    out.common.push(TableColumn {
                        as_text: column.as_text || other.as_text || retyped,
                        number: column.number && other.number,
                        not_null: column.not_null && other.not_null,
                        foreign: retyped && !alike(&column.base, &other.base),
                        cast: if retyped { common(&column.base, &other.base) } else { None },
                        ..column.clone()
                    });
                }
            }
        }
        let extra = partitioned.columns.iter().filter(|p| !legacy.columns.iter().any(|l| l.name == p.name));
        out.missing_in_legacy = extra.map(|c| c.name.clone()).collect();
        for name in key {
            let column = out.common.iter().find(|c| &c.name == name).ok_or_else(|| {
                Error::unobserved(format!(
                    "the key column {name} is not in both {} and {}",
                    legacy.relation, partitioned.relation
                ))
            })?;
            out.key.push(column.clone());
        }
        Ok(out)
    }

    /// The digest of a row.
    pub(crate) fn digest(&self) -> String {
        crate::features::parity::pair::digest::row(&self.common)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SequenceRow {
    pub(crate) column: String,
    /// The column's type.
    kind: String,
    pub(crate) name: String,
    pub(crate) last: Option<i64>,
    /// May we see its position?
    pub(crate) readable: bool,
}

impl SequenceRow {
    /// The largest number that the column holds; NaN is larger than any.
    pub(crate) fn max(&self) -> String {
        let column = Ident(&self.column);
        if matches!(self.kind.as_str(), "integer" | "bigint" | "smallint") {
            format!("max({column})::bigint")
        } else if self.kind.starts_with("numeric") {
            format!("case when max({column}) <= 9223372036854775807 then trunc(max({column}))::bigint end")
        } else {
            "null::bigint".into()
        }
    }
}

// An identity column has no default; its sequence belongs to the column itself.
const SEQUENCES: &str = "
select a.attname as column, format_type(a.atttypid, a.atttypmod) as kind, s.oid::regclass::text as name,
       q.last_value as last, has_sequence_privilege(s.oid, 'usage, select') as readable
from (select d.adnum as num, p.refobjid as seq from pg_attrdef d
      join pg_depend p on p.classid = 'pg_attrdef'::regclass and p.objid = d.oid and p.refclassid = 'pg_class'::regclass
      where d.adrelid = $1::oid
      union
      select p.refobjsubid, p.objid from pg_depend p
      where p.classid = 'pg_class'::regclass and p.refclassid = 'pg_class'::regclass
        and p.refobjid = $1::oid and p.deptype = 'i') u
join pg_attribute a on a.attrelid = $1::oid and a.attnum = u.num
join pg_class s on s.oid = u.seq and s.relkind = 'S'
join pg_namespace n on n.oid = s.relnamespace
left join pg_sequences q on q.schemaname = n.nspname and q.sequencename = s.relname
order by a.attname is distinct from $2, a.attnum, s.oid";

/// The sequences that number the table's columns, and the last number each gave out; that of the first key
/// column first.
pub(crate) async fn sequences(
    tx: &mut dyn ReadTx,
    table: &TwinTable,
    key: &[String],
) -> Result<Vec<SequenceRow>> {
    let params = [Param::Int(table.oid), Param::Text(key.first().cloned())];
    tx.fetch(&Sql::new(SEQUENCES).bind(params.clone())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_matched_by_name() {
        let column = |name: &str, kind: &str| TableColumn {
            name: name.into(),
            kind: kind.into(),
            ..TableColumn::default()
        };
        let table = |columns| TwinTable { relation: "t".into(), oid: 1, owner: String::new(), columns };
        let legacy = table(vec![column("id", "integer"), column("a", "text"), column("old", "text")]);
        let twin =
            table(vec![column("a", "character varying(9)"), column("id", "integer"), column("new", "text")]);
        let c = Columns::of(&legacy, &twin, &["id".into()]).unwrap();
        assert_eq!(c.missing_in_partitioned, ["old"]);
        assert_eq!(c.missing_in_legacy, ["new"]);
        assert_eq!(c.retyped.len(), 1);
        let texts: Vec<_> = c.common.iter().map(TableColumn::text).collect();
        assert_eq!(texts, [None, Some("\"a\"::text collate \"C\"".into())]);
        assert_eq!(common("int4", "numeric"), Some("numeric"));
        assert_eq!(common("timestamp", "timestamptz"), Some("timestamptz"));
        assert_eq!(common("text", "varchar"), None);
        assert!(Columns::of(&legacy, &twin, &["old".into()]).is_err());
    }
}
