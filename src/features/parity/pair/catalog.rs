//! What the catalog says of the two tables: columns, sequences.

use serde::Deserialize;

use crate::engine::compare::columns::{NamedColumns, matched};
use crate::engine::model::comparison::{ComparedColumn, ComparedColumns, Databases};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::foreign_cast::ForeignCast;
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::{Param, ProfileSql, Sql};
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;

#[derive(Debug, Clone)]
pub(crate) struct TwinTable {
    pub(crate) relation: String,
    pub(crate) oid: i64,
    /// Its owner.
    pub(crate) owner: String,
    pub(crate) columns: Vec<ComparedColumn>,
}

impl TwinTable {
    fn named(&self) -> NamedColumns<'_> {
        NamedColumns { table: &self.relation, columns: &self.columns }
    }
}

#[derive(Deserialize)]
struct Resolved {
    name: String,
    oid: i64,
    relation: String,
    owner: String,
}

// Everything with its schema: the path that it is asked under is the profile's.
const RESOLVE: &str = "
select t.name, c.oid::pg_catalog.int8 as oid, pg_catalog.format('%I.%I', n.nspname, c.relname) as relation,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text as owner
from pg_catalog.unnest($1::pg_catalog.text[]) t(name)
join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) pg_catalog.to_regclass(t.name)::pg_catalog.oid
join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace";

/// Both tables, of which there may be the second alone. The names first: what is asked of the profile's path is asked at once.
pub(crate) async fn tables(
    tx: &mut dyn ReadTx,
    sql: &dyn CompareSql,
    (first, second): (Option<&Relation>, &Relation),
) -> Result<(Option<TwinTable>, TwinTable)> {
    let names = first.into_iter().chain([second]).map(Relation::to_string).collect();
    let found: Vec<Resolved> = tx.fetch(&ProfileSql::names(RESOLVE).bind([Param::Texts(names)])).await?;
    let first = match first {
        Some(name) => Some(described(tx, sql, &found, name).await?),
        None => None,
    };
    Ok((first, described(tx, sql, &found, second).await?))
}

async fn described(
    tx: &mut dyn ReadTx,
    sql: &dyn CompareSql,
    found: &[Resolved],
    name: &Relation,
) -> Result<TwinTable> {
    let name = name.to_string();
    let Some(Resolved { oid, relation, owner, .. }) = found.iter().find(|r| r.name == name) else {
        return Err(Error::unobserved(format!("this database has no table {name}"))
            .hint("the profile names it: is it the right profile, database and search_path?"));
    };
    let columns: Vec<ComparedColumn> = tx.fetch(&sql.columns_of(&Relation::parse(relation))).await?;
    let casts = columns.iter().map(|c| (c.name.as_str(), c.foreign_cast.as_deref()));
    ForeignCast::refuse_any(relation, casts)?;
    Ok(TwinTable { relation: relation.clone(), oid: *oid, owner: owner.clone(), columns })
}

// As above.
const QUALIFIED: &str = "
select pg_catalog.format('%I.%I', n.nspname, c.relname)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where c.oid operator(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid";

/// A relation's name with its schema, as the profile's path finds it; none: there is no such relation.
pub(crate) async fn qualified(tx: &mut dyn ReadTx, name: &Relation) -> Result<Option<String>> {
    let found = tx.texts(&ProfileSql::names(QUALIFIED).bind([Param::Text(Some(name.to_string()))])).await?;
    Ok(found.into_iter().flatten().next())
}

/// The server's own equality.
pub(crate) const EQUAL: &str = "operator(pg_catalog.=)";

/// The operator that says whether two values of a column are one: that of its type, where it has one of its own.
pub(crate) fn operator(own: Option<&str>) -> &str {
    own.unwrap_or(EQUAL)
}

/// The same of a column that is compared.
pub(crate) fn equality(column: &ComparedColumn) -> &str {
    operator(column.equality.as_deref())
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

/// How the two tables' columns relate.
pub(crate) fn columns(
    sql: &dyn CompareSql,
    legacy: &TwinTable,
    partitioned: &TwinTable,
    key: &[String],
) -> Result<ComparedColumns> {
    matched(sql, legacy.named(), partitioned.named(), key, Databases::One)
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SequenceRow {
    pub(crate) column: String,
    /// The column's type.
    kind: String,
    pub(crate) name: String,
    /// The same, for people.
    pub(crate) shown: String,
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

// An identity column has no default; its sequence belongs to the column itself. For people `public` is left out.
const SEQUENCES: &str = "
select a.attname as column, format_type(a.atttypid, a.atttypmod) as kind, s.oid::regclass::text as name,
       case when n.nspname = 'public' then quote_ident(s.relname) else s.oid::regclass::text end as shown,
       q.last_value as last, has_sequence_privilege(s.oid, 'usage, select') as readable
from (select d.adnum as num, p.refobjid as seq from pg_attrdef d
      join pg_depend p on p.classid = 'pg_attrdef'::regclass::oid and p.objid = d.oid and p.refclassid = 'pg_class'::regclass::oid
      where d.adrelid = $1::oid
      union
      select p.refobjsubid, p.objid from pg_depend p
      where p.classid = 'pg_class'::regclass::oid and p.refclassid = 'pg_class'::regclass::oid
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
