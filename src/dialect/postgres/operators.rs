//! Which operator compares the values of a type.
//!
//! Under [`OWN_PATH`](super::search_path::OWN_PATH) the `=` of a type of an extension is another type's, silently (citext becomes
//! text and loses its index), or none at all (hstore, ltree); under a profile's path it may be one that somebody planted.
//! So every comparison of a value of a user's column names its operator, and only this file says which.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, Row as _};

use crate::engine::model::change::TypedColumn;
use crate::engine::model::name::Ident;
use crate::engine::model::query::KeyOperators;

/// The server's own, for types that are its own and for what is made of them: arrays, ranges, enums, rows.
pub(super) const EQUAL: &str = "operator(pg_catalog.=)";

/// Numbers of the comparisons in an operator class of a btree.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Less = 1,
    Equal = 3,
    Greater = 5,
}

/// The first number that a type of a user or an extension has.
pub(super) const FIRST_OF_USERS: u32 = 16_384;

/// A type that the driver does not know.
#[derive(Debug, Clone)]
pub(super) struct FoundType {
    /// As the path that is set names it.
    pub(super) name: String,
    /// None: as the server's own are.
    pub(super) operators: Option<KeyOperators>,
    /// See [`foreign_cast`].
    pub(super) cast: Option<String>,
}

/// What these types are called, how their values are compared, and what would run as they are read. The statement means
/// the same under any path. It is not asked once and for all: a cast may be made at any time. It has no name: text of others
/// has run before.
pub(super) async fn read(
    connection: &mut PgConnection,
    types: &[u32],
) -> Result<HashMap<u32, FoundType>, sqlx::Error> {
    let of = |comparison| operator_of("x.t", comparison);
    let text = format!(
        "select x.t, {}, {}, {}, x.t::pg_catalog.regtype::pg_catalog.text, {} \
         from pg_catalog.unnest($1::pg_catalog.oid[]) x(t)",
        of(Comparison::Less),
        of(Comparison::Equal),
        of(Comparison::Greater),
        foreign_cast("x.t")
    );
    let types: Vec<Oid> = types.iter().copied().map(Oid).collect();
    let rows = sqlx::query(AssertSqlSafe(text)).bind(types).persistent(false).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let all: [Option<String>; 3] = [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
            let operators = match all {
                [Some(less), Some(equal), Some(greater)] => Some(KeyOperators { less, equal, greater }),
                _ => None,
            };
            let found = FoundType { name: row.try_get(4)?, operators, cast: row.try_get(5)? };
            Ok((row.try_get::<Oid, _>(0)?.0, found))
        })
        .collect()
}

/// An expression over the number of a type: how values of it are compared, as its default operator class says, of a domain
/// that of its base type. NULL: as the server's own are. Everything with its schema: it is asked under any path.
pub(super) fn operator_of(type_oid: &str, comparison: Comparison) -> String {
    format!(
        "case when {type_oid} operator(pg_catalog.>=) {FIRST_OF_USERS}::pg_catalog.oid then (\
           with recursive base(oid, next) as (\
             select y.oid, y.typbasetype from pg_catalog.pg_type y where y.oid operator(pg_catalog.=) {type_oid} \
             union all select y.oid, y.typbasetype from base b \
             join pg_catalog.pg_type y on y.oid operator(pg_catalog.=) b.next) \
           select pg_catalog.format('operator(%I.%s)', n.nspname, o.oprname) from base b \
           join pg_catalog.pg_opclass oc on oc.opcintype operator(pg_catalog.=) b.oid and oc.opcdefault \
           join pg_catalog.pg_am m on m.oid operator(pg_catalog.=) oc.opcmethod and m.amname operator(pg_catalog.=) 'btree' \
           join pg_catalog.pg_amop ao on ao.amopfamily operator(pg_catalog.=) oc.opcfamily \
             and ao.amoplefttype operator(pg_catalog.=) oc.opcintype and ao.amoprighttype operator(pg_catalog.=) oc.opcintype \
             and ao.amopstrategy operator(pg_catalog.=) {} \
           join pg_catalog.pg_operator o on o.oid operator(pg_catalog.=) ao.amopopr \
           join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) o.oprnamespace \
           where b.next operator(pg_catalog.=) 0::pg_catalog.oid and n.nspname operator(pg_catalog.<>) 'pg_catalog') end",
        comparison as u8
    )
}

/// An expression over the number of a type: the cast from or to it, or what it is made of, that would have a function of
/// others run as values are read or written; with it a value would also be what that function says, not what is stored.
/// NULL: there is none. The owner of a type may define casts, and no path keeps them out. Those of built-in functions and
/// of extensions are as safe as the server; what this role has defined itself runs with its own rights, but a text that
/// it makes of a value need not lead back to it. Everything with its schema: it is asked under any path.
pub(super) fn foreign_cast(type_oid: &str) -> String {
    format!(
        "case when {type_oid} operator(pg_catalog.>=) {FIRST_OF_USERS}::pg_catalog.oid then (\
           with recursive part(oid) as (\
             select {type_oid} union \
             select m.oid from part join pg_catalog.pg_type y on y.oid operator(pg_catalog.=) part.oid \
             left join pg_catalog.pg_range r on r.rngtypid operator(pg_catalog.=) y.oid \
             left join pg_catalog.pg_attribute f on f.attrelid operator(pg_catalog.=) y.typrelid and not f.attisdropped \
             cross join lateral (values (y.typelem), (y.typbasetype), (r.rngsubtype), (f.atttypid)) m(oid) \
             where m.oid operator(pg_catalog.>=) {FIRST_OF_USERS}::pg_catalog.oid) \
           select pg_catalog.format('cast (%s as %s) with %s of role %s', c.castsource::pg_catalog.regtype, \
             c.casttarget::pg_catalog.regtype, c.castfunc::pg_catalog.regprocedure, \
             pg_catalog.pg_get_userbyid(p.proowner)) \
           from part join pg_catalog.pg_cast c \
             on c.castsource operator(pg_catalog.=) part.oid or c.casttarget operator(pg_catalog.=) part.oid \
           join pg_catalog.pg_proc p on p.oid operator(pg_catalog.=) c.castfunc \
           join pg_catalog.pg_roles o on o.oid operator(pg_catalog.=) p.proowner \
           where p.oid operator(pg_catalog.>=) {FIRST_OF_USERS}::pg_catalog.oid and (\
             not o.rolsuper and o.rolname operator(pg_catalog.<>) current_user \
             or 'pg_catalog.text'::pg_catalog.regtype operator(pg_catalog.=) any (array[c.castsource, c.casttarget]) \
               and not exists (select from pg_catalog.pg_depend d where d.objid operator(pg_catalog.=) p.oid \
                 and d.classid operator(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass \
                 and d.deptype operator(pg_catalog.=) 'e')) \
           order by 1 limit 1) end"
    )
}

/// The operator that says whether two values of the column are one.
pub(super) fn equality(column: &TypedColumn) -> &str {
    column.equality.as_deref().unwrap_or(EQUAL)
}

/// Two sides of the column's type, each one operand.
pub(super) fn equal(column: &TypedColumn, left: &str, right: &str) -> String {
    format!("{left} {} {right}", equality(column))
}

/// `t."id" = b."id" and …`
pub(super) fn same_key(alias: &str, key: &[TypedColumn], other: &str) -> String {
    let one = |c: &TypedColumn| {
        let name = Ident(&c.name);
        equal(c, &format!("{alias}.{name}"), &format!("{other}.{name}"))
    };
    key.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// Both are the same, NULL being the same as NULL. Each is one operand.
pub(super) fn same_or_null(operator: &str, left: &str, right: &str) -> String {
    format!("coalesce({left} {operator} {right}, {left} is null and {right} is null)")
}
