//! Backfills: rows computed anew in place, with triggers silent, or as corrective rows.

mod guard_off;
mod strategies;
