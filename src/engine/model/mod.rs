//! Plain data that every layer shares. Nothing here reads, writes or decides for others.

pub mod change;
pub mod error;
pub mod name;
pub mod plan;
pub mod profile;
pub mod progress;
pub mod report;
pub mod row_store;
pub mod secret;
pub mod target;
pub mod task;
pub mod vitals;
