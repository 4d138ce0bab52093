//! Which keys differ, and their rows. Only key ranges whose digests differ are read.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use crate::engine::compare::classify::LocatedRow;
use crate::engine::compare::key_order::natural;
use crate::engine::compare::totals::STATEMENT_PARTS;
use crate::engine::model::comparison::{ComparedRows, KeyText, PartsOfBoth, RowPart};
use crate::engine::model::error::{Error, Result};
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;

/// Differing keys looked at one by one; beyond it they are counted and said so.
pub const LISTED_KEYS: usize = 20_000;
/// Keys looked up in one statement.
pub const LOOKED_UP: usize = 500;

/// Keys that differ.
#[derive(Debug, Default)]
pub struct DifferingKeys {
    /// As many as were asked for.
    pub listed: Vec<KeyText>,
    /// How many more there are.
    pub more: u64,
}

/// One side of a comparison that reads two databases.
pub struct StreamedSide<'a, 't> {
    /// Its transaction.
    pub tx: &'t mut dyn ReadTx,
    /// Its statements.
    pub sql: &'a dyn CompareSql,
    /// Its rows.
    pub parts: &'a [RowPart<'a>],
}

#[derive(Deserialize)]
struct Candidate {
    key: KeyText,
}

#[derive(Deserialize)]
struct Count {
    keys: u64,
}

#[derive(Deserialize)]
struct KeyDigest {
    key: KeyText,
    digest: i64,
}

/// Keys of both sides of one database that differ within some ranges.
pub async fn in_one_database(
    tx: &mut dyn ReadTx,
    sql: &dyn CompareSql,
    what: &ComparedRows<'_>,
    (parts, ranges): (PartsOfBoth<'_>, &[i64]),
    room: usize,
) -> Result<DifferingKeys> {
    let found: Vec<Candidate> = tx.fetch(&sql.differing_keys(what, parts, ranges, room + 1)).await?;
    let mut out = DifferingKeys { listed: found.into_iter().map(|c| c.key).collect(), more: 0 };
    if out.listed.len() > room {
        let count: Count = tx.one(&sql.count_differing_keys(what, parts, ranges)).await?;
        out.more = count.keys.saturating_sub(room as u64);
        out.listed.truncate(room);
    }
    Ok(out)
}

/// Keys of two databases that differ within some ranges. One side's rows of these ranges are held in memory, a key and a
/// digest each.
pub async fn in_two_databases<'a, 't>(
    left: &mut StreamedSide<'a, 't>,
    right: &mut StreamedSide<'a, 't>,
    what: &ComparedRows<'_>,
    ranges: &[i64],
    room: usize,
) -> Result<DifferingKeys> {
    // Rows of each key and digest: what both sides have as often cancels.
    let mut rows: HashMap<(KeyText, i64), i64> = HashMap::new();
    for (side, one) in [(left, 1), (right, -1)] {
        let stream = side.sql.stream(what, side.parts, ranges);
        side.tx
            .objects(&stream, &mut |text| {
                let Some(text) = text else { return Ok(()) };
                let row: KeyDigest = serde_json::from_str(&text)
                    .map_err(|e| Error::unobserved(format!("failed to read a key and its digest: {e}")))?;
                let at = (row.key, row.digest);
                let n = rows.get(&at).copied().unwrap_or_default() + one;
                if n == 0 {
                    rows.remove(&at);
                } else {
                    rows.insert(at, n);
                }
                Ok(())
            })
            .await?;
    }
    let keys: BTreeSet<KeyText> = rows.into_keys().map(|(key, _)| key).collect();
    let more = keys.len().saturating_sub(room) as u64;
    Ok(DifferingKeys { listed: keys.into_iter().take(room).collect(), more })
}

/// Keys in order, and how many hold NULL: NULL equals nothing, such a row cannot be looked up.
pub fn in_order(keys: BTreeSet<KeyText>) -> (Vec<KeyText>, usize) {
    let (mut keys, nulls): (Vec<_>, Vec<_>) = keys.into_iter().partition(|k| k.iter().all(Option::is_some));
    let parts = |k: &[Option<String>]| k.iter().flatten().cloned().collect::<Vec<_>>();
    keys.sort_by(|a, b| natural(&parts(a).join("\0"), &parts(b).join("\0")));
    (keys, nulls.len())
}

/// The rows of some keys.
pub async fn by_key(
    tx: &mut dyn ReadTx,
    sql: &dyn CompareSql,
    what: &ComparedRows<'_>,
    parts: &[RowPart<'_>],
    keys: &[KeyText],
) -> Result<Vec<LocatedRow>> {
    let mut out = Vec::new();
    for some in parts.chunks(STATEMENT_PARTS) {
        out.extend(tx.fetch::<LocatedRow>(&sql.rows_by_key(what, some, keys)).await?);
    }
    Ok(out)
}
