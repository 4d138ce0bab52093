//! From a request to a plan: planning, staleness, privileges, side effects, undo.

pub(crate) mod init;
pub mod operation;
pub mod param;
pub(crate) mod planner;
pub(crate) mod planning;
pub(crate) mod privileges;
pub mod request;
pub(crate) mod selection;
pub mod side_effects;
pub mod staleness;
pub mod tables;
pub(crate) mod undo;
