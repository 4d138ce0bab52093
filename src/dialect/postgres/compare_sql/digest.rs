//! The 64-bit digest of a row.
//!
//! Each column is hashed under a seed of its own, the hashes are joined by exclusive or and mixed once more before rows
//! are added up. Without that last step a sum would be the same when two rows swap a value: the server's own
//! `hash_record_extended` adds its columns, so its sums cancel there. Whole 64-bit integers and times are hashed in two
//! parts, because the server folds them to 32 bits first (1 and 2^32 have one hash, and so have -1 and 2^32-1).

use crate::dialect::postgres::compare_sql::column::text;
use crate::engine::model::comparison::ComparedColumn;
use crate::engine::model::name::Ident;

/// An expression over a row of either table, by the columns' names alone.
pub(super) fn row(columns: &[ComparedColumn]) -> String {
    let mut parts = Vec::new();
    let mut rest = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let name = Ident(&column.name);
        let (seed, other) = (2 * i + 1, 2 * i + 2);
        if let Some(text) = text(column) {
            parts.push(nullable(column, &format!("hashtextextended({text}, {seed})"), seed));
            continue;
        }
        match column.base.as_str() {
            "int2" => parts.push(nullable(column, &format!("hashint2extended({name}, {seed})"), seed)),
            "int4" => parts.push(nullable(column, &format!("hashint4extended({name}, {seed})"), seed)),
            "int8" => {
                let halves = format!(
                    "hashint8extended({name}, {seed}) # hashint4extended(({name} >> 32)::int4, {other})"
                );
                parts.push(nullable(column, &halves, seed));
            }
            "text" | "varchar" => {
                let hash = format!("hashtextextended({name}::text collate \"C\", {seed})");
                parts.push(nullable(column, &hash, seed));
            }
            "timestamp" => {
                parts.push(nullable(column, &format!("timestamp_hash_extended({name}, {seed})"), seed));
                parts.push(nullable(column, &format!("time_hash_extended({name}::time, {other})"), other));
            }
            "timestamptz" => {
                rest.push(name.to_string());
                rest.push(format!("{name}::time"));
            }
            "uuid" => parts.push(nullable(column, &format!("uuid_hash_extended({name}, {seed})"), seed)),
            _ => rest.push(name.to_string()),
        }
    }
    // A row constructor of more columns than a table may have is refused.
    for (i, some) in rest.chunks(800).enumerate() {
        parts.push(format!("hash_record_extended(row({}), {})", some.join(", "), 100_001 + i));
    }
    if parts.is_empty() {
        parts.push("0".into());
    }
    format!("hashint4extended(0, {})", parts.join(" # "))
}

/// A hash of NULL is NULL, which would swallow the row; an infinite time has no time of day.
fn nullable(column: &ComparedColumn, hash: &str, seed: usize) -> String {
    let always = column.not_null && !column.base.starts_with("time");
    if always { hash.to_owned() } else { format!("coalesce({hash}, {seed})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_a_seed_of_its_own() {
        let column = |name: &str, base: &str, as_text| ComparedColumn {
            name: name.into(),
            base: base.into(),
            as_text,
            ..ComparedColumn::default()
        };
        let columns = [column("a", "int4", false), column("b", "citext", true), column("c", "date", false)];
        assert_eq!(
            row(&columns),
            "hashint4extended(0, coalesce(hashint4extended(\"a\", 1), 1) # coalesce(hashtextextended(\"b\"::text collate \
             \"C\", 3), 3) # hash_record_extended(row(\"c\"), 100001))"
        );
    }
}
