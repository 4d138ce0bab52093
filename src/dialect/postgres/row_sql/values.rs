//! Values of columns in statements: as text in images and plans, typed in the table.

use crate::engine::model::change::{Referrer, TypedColumn};
use crate::engine::model::name::{Ident, literal};

/// What is stored as text becomes the column's value: `(p.key->>'id')::uuid`.
pub(super) fn write_form(from: &str, column: &TypedColumn) -> String {
    format!("({from}->>{})::{}", literal(&column.name), column.type_name)
}

/// A column's value as it is stored in images and plans: `t."id"::text`.
pub(super) fn read_form(alias: &str, column: &TypedColumn) -> String {
    format!("{alias}.{}::text", Ident(&column.name))
}

/// Does the row hold the stored value? By text: that serves types without equality as well.
pub(super) fn same(alias: &str, column: &TypedColumn, from: &str) -> String {
    format!("{} is not distinct from {from}->>{}", read_form(alias, column), literal(&column.name))
}

/// `t."id" = (p.key->>'id')::uuid and …`
pub(in crate::dialect::postgres) fn holds_key(alias: &str, key: &[TypedColumn], from: &str) -> String {
    let one = |c: &TypedColumn| format!("{alias}.{} = {}", Ident(&c.name), write_form(from, c));
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
    let (names, texts): (Vec<_>, Vec<_>) =
        columns.into_iter().map(|c| (literal(&c.name), read_form(alias, c))).unzip();
    format!("jsonb_object(array[{}]::text[], array[{}]::text[])", names.join(", "), texts.join(", "))
}

/// Columns by name, quoted.
pub(super) fn names<'n>(columns: impl IntoIterator<Item = &'n TypedColumn>) -> String {
    columns.into_iter().map(|c| Ident(&c.name).to_string()).collect::<Vec<_>>().join(", ")
}

/// As a condition on `t`: some row refers to it, and would go or change with it.
pub(super) fn referred(referrers: &[Referrer]) -> Option<String> {
    let one = |r: &Referrer| {
        let same: Vec<_> =
            r.columns.iter().map(|(a, b)| format!("x.{} = t.{}", Ident(a), Ident(b))).collect();
        format!("exists (select from {} x where {})", r.table, same.join(" and "))
    };
    (!referrers.is_empty()).then(|| referrers.iter().map(one).collect::<Vec<_>>().join(" or "))
}

/// The driver's names of built-in types are upper case; those of others come quoted, with their schema where
/// it is needed. A bare `char` or `bit` would cut the value to its first.
pub(super) fn cast_name(type_name: &str) -> String {
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
        assert_eq!(cast_name("INT8"), "int8");
        assert_eq!(cast_name("\"My Type\"[]"), "\"My Type\"[]");
        assert_eq!(cast_name("odd.\"My Type\""), "odd.\"My Type\"");
        assert_eq!(cast_name("mood"), "mood");
        assert_eq!(cast_name("CHAR[]"), "bpchar[]");
    }
}
