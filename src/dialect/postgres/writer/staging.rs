//! Planned rows on their way into the journal.

use std::fmt::Write as _;

use crate::engine::model::row_store::RawRow;

/// Rows as COPY takes them. A line of JSON has no tab and no end of line in it, but it has backslashes.
pub(super) fn copy_text(run: &str, step: usize, from: u64, rows: &[RawRow]) -> String {
    let mut out = String::with_capacity(rows.len() * 200);
    for (row, seq) in rows.iter().zip(from + 1..) {
        let _ = write!(out, "{run}\t{step}\t{seq}\t");
        match row.unit {
            Some(unit) => drop(write!(out, "{unit}")),
            None => out.push_str("\\N"),
        }
        for value in [Some(&row.key), row.before.as_ref(), row.after.as_ref()] {
            out.push('\t');
            let Some(value) = value else {
                out.push_str("\\N");
                continue;
            };
            for (at, part) in value.get().split('\\').enumerate() {
                if at > 0 {
                    out.push_str("\\\\");
                }
                out.push_str(part);
            }
        }
        out.push('\n');
    }
    out
}
