//! The only module that knows `sqlx`: one dialect per folder.

pub mod postgres;
pub(crate) mod sql;
