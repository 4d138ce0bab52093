//! Planned rows on their way into the journal: blocks of them, as COPY takes them in its binary form, which quotes nothing.

use serde_json::value::RawValue;

use crate::dialect::postgres::journal::rows::BLOCK;
use crate::dialect::postgres::numbers::int;
use crate::engine::model::row_store::RawRow;

pub(super) const COPY: &str = "copy midwatch.planned_blocks (run, step, first, last, unit, keys, before, after) \
                               from stdin (format binary)";

/// The form's name, its options and the length of what may follow: none.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const FIELDS: i16 = 8;
const END: i16 = -1;
const NULL: i32 = -1;
/// A block is closed after so many bytes: a value of the server has an end.
const BYTES: usize = 16 << 20;
/// The type's number, the same in every database.
const TEXT: i32 = 25;

/// The rows after row `from` of a step. A block has rows of one unit, and ends at a multiple of [`BLOCK`].
pub(super) fn blocks(run: i64, step: i32, from: u64, rows: &[RawRow]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 150);
    out.extend(HEAD);
    let (mut rest, mut done) = (rows, from);
    while let Some(first) = rest.first() {
        let room = usize::try_from(BLOCK - done % BLOCK).unwrap_or(usize::MAX);
        let mut size = 0;
        let fits = |row: &&RawRow| {
            let full = size > BYTES;
            size += bytes(row);
            row.unit == first.unit && !full
        };
        let rows = rest.iter().take(room).take_while(fits).count();
        let (block, more) = rest.split_at(rows);
        let last = done + rows as u64;
        out.extend(FIELDS.to_be_bytes());
        field(&mut out, Some(&run.to_be_bytes()));
        field(&mut out, Some(&step.to_be_bytes()));
        field(&mut out, Some(&int(done + 1).to_be_bytes()));
        field(&mut out, Some(&int(last).to_be_bytes()));
        field(&mut out, first.unit.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        field(&mut out, Some(&texts(block, |row| Some(&row.key))));
        field(&mut out, Some(&texts(block, |row| row.before.as_deref())));
        field(&mut out, Some(&texts(block, |row| row.after.as_deref())));
        (rest, done) = (more, last);
    }
    out.extend(END.to_be_bytes());
    out
}

fn bytes(row: &RawRow) -> usize {
    let of = |value: &RawValue| value.get().len();
    of(&row.key) + row.before.as_deref().map_or(0, of) + row.after.as_deref().map_or(0, of)
}

fn length(n: usize) -> [u8; 4] {
    // What is longer than the protocol can say is refused by the server.
    i32::try_from(n).unwrap_or(i32::MAX).to_be_bytes()
}

fn field(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let Some(value) = value else { return out.extend(NULL.to_be_bytes()) };
    out.extend(length(value.len()));
    out.extend(value);
}

/// An array of one dimension, counted from one, as the server's type reads it.
fn texts<'r>(rows: &'r [RawRow], of: impl Fn(&'r RawRow) -> Option<&'r RawValue>) -> Vec<u8> {
    let mut out = Vec::with_capacity(20 + rows.len() * 50);
    let has_null = rows.iter().any(|row| of(row).is_none());
    for number in [1, i32::from(has_null), TEXT] {
        out.extend(number.to_be_bytes());
    }
    out.extend(length(rows.len()));
    out.extend(1_i32.to_be_bytes());
    for row in rows {
        field(&mut out, of(row).map(|value| value.get().as_bytes()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(unit: Option<i64>, text: &str) -> RawRow {
        let key = RawValue::from_string(format!("{{\"id\":\"{text}\"}}")).unwrap();
        RawRow { key, before: None, after: None, unit, step: None }
    }

    fn cut(from: u64, units: &[Option<i64>]) -> Vec<(i64, i64, Option<i64>)> {
        let rows: Vec<RawRow> = units.iter().map(|unit| row(*unit, "1")).collect();
        parts(&blocks(7, 0, from, &rows))
    }

    /// First and last row of each block, and its unit.
    fn parts(all: &[u8]) -> Vec<(i64, i64, Option<i64>)> {
        let mut rest = &all[HEAD.len()..];
        let mut out = vec![];
        while rest[..2] != END.to_be_bytes() {
            rest = &rest[2..];
            let mut fields = vec![];
            for _ in 0..FIELDS {
                let size = i32::from_be_bytes(rest[..4].try_into().unwrap());
                let (value, more) = rest[4..].split_at(usize::try_from(size).unwrap_or(0));
                fields.push((size != NULL).then_some(value));
                rest = more;
            }
            let number = |at: usize| fields[at].map(|b| i64::from_be_bytes(b.try_into().unwrap()));
            out.push((number(2).unwrap(), number(3).unwrap(), number(4)));
        }
        assert_eq!(rest.len(), 2);
        out
    }

    #[test]
    fn blocks_end_at_multiples_and_with_their_unit() {
        assert_eq!(cut(0, &[None, None, None]), [(1, 3, None)]);
        assert_eq!(cut(0, &vec![None; 2_000]), [(1, 1_000, None), (1_001, 2_000, None)]);
        // A page need not begin where a block does.
        assert_eq!(cut(1_500, &vec![None; 600]), [(1_501, 2_000, None), (2_001, 2_100, None)]);
        assert_eq!(
            cut(0, &[Some(2), Some(2), Some(1), None]),
            [(1, 2, Some(2)), (3, 3, Some(1)), (4, 4, None)]
        );
        assert_eq!(cut(0, &[]), []);
        let long = "x".repeat(BYTES / 2);
        let rows: Vec<RawRow> = (0..5).map(|_| row(None, &long)).collect();
        assert_eq!(parts(&blocks(7, 0, 0, &rows)), [(1, 2, None), (3, 4, None), (5, 5, None)]);
    }
}
