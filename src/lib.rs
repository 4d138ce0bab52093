//! midwatch: a terminal console for database maintenance windows.

pub mod checks;
pub mod db;
pub mod engine;
pub mod profile;
pub mod sandbox;
