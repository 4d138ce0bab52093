//! Rows of two tables, compared: by count and digest first, row by row where those differ.
//!
//! [`tables::compare`] compares two tables in two databases as a whole. What it is made of serves a feature that has its own
//! snapshots, groups of rows and pieces: [`totals`] of groups and key ranges, the keys that differ ([`rows`]) and how the rows
//! of one key differ ([`classify`]). Statements come from [`crate::engine::port::compare_sql`].

pub mod classify;
pub mod columns;
pub mod exact_sum;
pub mod key_order;
pub mod range_choice;
pub mod rows;
pub mod tables;
pub mod totals;
pub mod units;
