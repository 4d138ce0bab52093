//! Migration files, what the database has of them, and what it should have.

pub mod check;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod judge;
pub mod postgres;
