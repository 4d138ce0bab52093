//! A column as an expression, and how columns of two types are compared.

use crate::dialect::postgres::operators::{FIRST_OF_USERS, foreign_cast};
use crate::engine::model::comparison::{ComparedColumn, Databases};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::{Param, Sql};

// Only types whose hash says equal exactly where the text would are hashed as they are: not numeric
// (1.0 = 1.00), citext, interval (1 mon = 30 days), floats (0 = -0), jsonb, or a lax collation. Looking an equality up takes
// longer than all the rest: those of the types that most columns have are known.
const COLUMNS: &str = "
select a.attname as name, t.typname as base, a.attnotnull as not_null, format_type(a.atttypid, a.atttypmod) as kind,
       not ((t.typname in ('bool', 'int2', 'int4', 'int8', 'oid', 'text', 'varchar', 'uuid', 'date', 'time',
                           'timestamp', 'timestamptz', 'bytea', 'name') or t.typtype = 'e')
            and coalesce(co.collisdeterministic, true)) as as_text,
       t.typcategory = 'N' and t.typname <> 'oid' and t.typname not like 'reg%' as number,
       t.typname in ('int2', 'int4', 'int8') as whole, t.typtype = 'e' as local,
       not a.attnotnull as nullable, a.attgenerated <> '' as generated,
       case when t.oid < {first_of_users} and t.typname in ('bool', 'int2', 'int4', 'int8', 'oid', 'text', 'uuid', 'date',
                 'time', 'timestamp', 'timestamptz', 'bytea', 'name', 'numeric', 'float4', 'float8', 'interval', 'bpchar', 'jsonb')
            then 'operator(pg_catalog.=)' else
       (select format('operator(%I.%s)', n.nspname, o.oprname) from pg_opclass oc
        join pg_am m on m.oid = oc.opcmethod and m.amname = 'btree'
        join pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amoplefttype = oc.opcintype
                       and ao.amoprighttype = oc.opcintype and ao.amopstrategy = 3
        join pg_operator o on o.oid = ao.amopopr join pg_namespace n on n.oid = o.oprnamespace
        where oc.opcdefault and oc.opcintype = case t.typtype when 'd' then t.typbasetype else t.oid end) end as equality,
       {cast} as foreign_cast
from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_collation co on co.oid = a.attcollation
where a.attrelid = to_regclass($1)::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum";

pub(super) fn columns_of(table: &Relation) -> Sql {
    let cast = foreign_cast("a.atttypid");
    let first_of_users = FIRST_OF_USERS.to_string();
    Sql::new(COLUMNS.replace("{first_of_users}", &first_of_users).replace("{cast}", &cast))
        .bind([Param::Text(Some(table.to_string()))])
}

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

pub(super) fn matched(left: &ComparedColumn, right: &ComparedColumn, databases: Databases) -> ComparedColumn {
    let retyped = right.kind != left.kind;
    // A label of an enum is hashed by the number that it has in its own database.
    let local = databases == Databases::Two && (left.local || right.local);
    ComparedColumn {
        as_text: left.as_text || right.as_text || retyped || local,
        number: left.number && right.number,
        whole: left.whole && right.whole,
        not_null: left.not_null && right.not_null,
        foreign: retyped && !alike(&left.base, &right.base) || local,
        cast: if retyped { common(&left.base, &right.base) } else { None },
        equality: left.equality.clone().filter(|_| !retyped),
        ..left.clone()
    }
}

/// As it is compared where its own equality does not do.
pub(super) fn text(column: &ComparedColumn) -> Option<String> {
    text_of(column, &Ident(&column.name).to_string())
}

fn text_of(column: &ComparedColumn, name: &str) -> Option<String> {
    let value = match column.cast {
        Some("numeric") => format!("trim_scale({name}::numeric)"),
        Some(kind) => format!("{name}::{kind}"),
        None => name.to_owned(),
    };
    // A column's own collation may take different texts for equal.
    column.as_text.then(|| format!("{value}::text collate \"C\""))
}

/// As part of a key: what its own equality takes for one is one.
pub(super) fn hashed(column: &ComparedColumn) -> String {
    match text(column).filter(|_| column.foreign) {
        Some(text) => text,
        None => Ident(&column.name).to_string(),
    }
}

/// As it is compared, of a row that goes by this name.
pub(super) fn compared(column: &ComparedColumn, row: &str) -> String {
    let name = format!("{row}.{}", Ident(&column.name));
    let plain = if matches!(column.base.as_str(), "text" | "varchar") {
        format!("{name}::text collate \"C\"")
    } else {
        name.clone()
    };
    text_of(column, &name).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(base: &str, kind: &str) -> ComparedColumn {
        ComparedColumn { name: "a".into(), base: base.into(), kind: kind.into(), ..ComparedColumn::default() }
    }

    #[test]
    fn a_column_of_two_types_is_compared_as_what_both_can_be() {
        let of = |left: &ComparedColumn, right: &ComparedColumn| matched(left, right, Databases::One);
        let text = column("text", "text");
        let same = of(&text, &text);
        assert_eq!((same.as_text, same.foreign, super::text(&same)), (false, false, None));
        let shorter = of(&text, &column("varchar", "character varying(9)"));
        assert_eq!(super::text(&shorter), Some("\"a\"::text collate \"C\"".into()));
        assert!(!shorter.foreign);
        assert_eq!(common("int4", "numeric"), Some("numeric"));
        assert_eq!(common("timestamp", "timestamptz"), Some("timestamptz"));
        assert_eq!(common("text", "varchar"), None);
    }

    #[test]
    fn an_enum_is_its_text_between_databases() {
        let mood = ComparedColumn { local: true, ..column("mood", "mood") };
        let of = |databases| hashed(&matched(&mood, &mood, databases));
        assert_eq!(of(Databases::One), "\"a\"");
        assert_eq!(of(Databases::Two), "\"a\"::text collate \"C\"");
    }
}
