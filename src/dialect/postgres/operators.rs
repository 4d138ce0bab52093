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

/// By the number of a type; none: as the server's own are.
pub(super) type KnownOperators = HashMap<u32, Option<KeyOperators>>;

/// How values of these types are compared. The statement means the same under any path.
pub(super) async fn read(
    connection: &mut PgConnection,
    types: &[u32],
    persistent: bool,
) -> Result<KnownOperators, sqlx::Error> {
    let of = |comparison| operator_of("x.t", comparison);
    let text = format!(
        "select x.t, {}, {}, {} from pg_catalog.unnest($1::pg_catalog.oid[]) x(t)",
        of(Comparison::Less),
        of(Comparison::Equal),
        of(Comparison::Greater)
    );
    let types: Vec<Oid> = types.iter().copied().map(Oid).collect();
    let rows =
        sqlx::query(AssertSqlSafe(text)).bind(types).persistent(persistent).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let all: [Option<String>; 3] = [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
            let operators = match all {
                [Some(less), Some(equal), Some(greater)] => Some(KeyOperators { less, equal, greater }),
                _ => None,
            };
            Ok((row.try_get::<Oid, _>(0)?.0, operators))
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
