//! Plain data that every layer shares. Nothing here reads, writes or decides for others.

pub mod blocker;
pub mod cause;
pub mod change;
pub mod diff;
pub mod drift;
pub mod error;
pub mod event;
pub mod identity;
pub mod load;
pub mod name;
pub mod phrase;
pub mod plan;
pub mod policy;
pub mod preflight;
pub mod profile;
pub mod progress;
pub mod query;
pub mod record;
pub mod report;
pub mod row_store;
pub mod secret;
pub mod step;
pub mod stored;
pub mod target;
pub mod vitals;
pub mod window;
