//! Values of columns in statements: as text in images and plans, typed in the table. Pieces of statements of ours and of
//! those around text of a profile: everything with its schema.

use crate::dialect::postgres::operators::{EQUAL, equal, same_or_null};
use crate::engine::model::change::{Referrer, TypedColumn};
use crate::engine::model::name::{Ident, literal};

/// A value as it is stored in images and plans: `(p.key->>'id')`.
pub(super) fn stored(from: &str, column: &TypedColumn) -> String {
    format!("({from} operator(pg_catalog.->>) {})", literal(&column.name))
}

/// What is stored as text becomes the column's value: `(p.key->>'id')::uuid`.
pub(in crate::dialect::postgres) fn write_form(from: &str, column: &TypedColumn) -> String {
    format!("{}::{}", stored(from, column), column.type_name)
}

/// A column's value as it is stored in images and plans: `t."id"::text`.
pub(super) fn read_form(alias: &str, column: &TypedColumn) -> String {
    format!("{alias}.{}::pg_catalog.text", Ident(&column.name))
}

/// Does the row hold the stored value? By text: that serves types without equality as well.
pub(super) fn same(alias: &str, column: &TypedColumn, from: &str) -> String {
    same_or_null(EQUAL, &read_form(alias, column), &stored(from, column))
}

/// `t."id" = (p.key->>'id')::uuid and …`
pub(in crate::dialect::postgres) fn holds_key(alias: &str, key: &[TypedColumn], from: &str) -> String {
    let one = |c: &TypedColumn| equal(c, &format!("{alias}.{}", Ident(&c.name)), &write_form(from, c));
    key.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// Does the row hold all of these? Nothing where there are none.
pub(super) fn holds(alias: &str, columns: &[TypedColumn], from: &str) -> String {
    columns.iter().map(|c| same(alias, c, from)).collect::<Vec<_>>().join(" and ")
}

/// A row as an image: names and texts.
pub(in crate::dialect::postgres) fn image<'c>(
    alias: &str,
    columns: impl IntoIterator<Item = &'c TypedColumn>,
) -> String {
    object(&columns.into_iter().map(|c| (literal(&c.name), read_form(alias, c))).unzip())
}

/// Names and texts as the journal stores them.
pub(super) fn object((names, values): &(Vec<String>, Vec<String>)) -> String {
    format!("pg_catalog.jsonb_object({}, {})", texts(names), texts(values))
}

/// An array of expressions.
pub(super) fn texts(of: &[String]) -> String {
    format!("array[{}]::pg_catalog.text[]", of.join(", "))
}

/// Columns by name, quoted.
pub(super) fn names<'n>(columns: impl IntoIterator<Item = &'n TypedColumn>) -> String {
    columns.into_iter().map(|c| Ident(&c.name).to_string()).collect::<Vec<_>>().join(", ")
}

/// As a condition on `t`: some row refers to it, and would go or change with it.
pub(super) fn referred(referrers: &[Referrer]) -> Option<String> {
    let one = |r: &Referrer| {
        let same: Vec<_> = r
            .columns
            .iter()
            .enumerate()
            .map(|(at, (a, b))| {
                let operator = r.equality.get(at).map_or(EQUAL, String::as_str);
                format!("t.{} {operator} x.{}", Ident(b), Ident(a))
            })
            .collect();
        format!("exists (select from {} x where {})", r.table, same.join(" and "))
    };
    (!referrers.is_empty()).then(|| referrers.iter().map(one).collect::<Vec<_>>().join(" or "))
}

/// A type as a cast takes it: the driver's names of built-in types are upper case.
pub(super) fn cast_name(type_name: &str) -> String {
    let own = type_name.chars().any(|c| c.is_ascii_uppercase()) && !type_name.contains(char::is_lowercase);
    let own =
        own && (!type_name.contains('"') || type_name.starts_with("\"CHAR\"")) || type_name == "unknown";
    let word = type_word(type_name);
    if own { format!("pg_catalog.{word}") } else { word }
}

/// A type as people read it. The driver's names of built-in types are upper case; those of others come quoted, with their
/// schema where it is needed. A bare `char` or `bit` would cut the value to its first.
pub(super) fn type_word(type_name: &str) -> String {
    let (base, array) = type_name.strip_suffix("[]").map_or((type_name, ""), |base| (base, "[]"));
    let base = match base {
        "unknown" | "UNKNOWN" => "text".to_owned(),
        "CHAR" => "bpchar".to_owned(),
        "BIT" => "varbit".to_owned(),
        "\"CHAR\"" => "\"char\"".to_owned(),
        quoted if quoted.contains('"') => quoted.to_owned(),
        other => other.to_ascii_lowercase(),
    };
    base + array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_types_keep_their_case() {
        assert_eq!((cast_name("INT8").as_str(), type_word("INT8").as_str()), ("pg_catalog.int8", "int8"));
        assert_eq!(cast_name("\"CHAR\""), "pg_catalog.\"char\"");
        assert_eq!(cast_name("\"MOOD\""), "\"MOOD\"");
        assert_eq!(cast_name("\"My Type\"[]"), "\"My Type\"[]");
        assert_eq!(cast_name("odd.\"My Type\""), "odd.\"My Type\"");
        assert_eq!(cast_name("mood"), "mood");
        assert_eq!(cast_name("CHAR[]"), "pg_catalog.bpchar[]");
    }
}
