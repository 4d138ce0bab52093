//! From a request to a plan: what an operation is, planning, staleness, privileges, side effects, undo. Nothing here
//! writes. The engine's own operations are those of the journal: `init`, which makes it, and `journal-accept`.

pub(crate) mod accept;
pub(crate) mod grants;
mod guard_off;
pub(crate) mod init;
mod missing_abilities;
pub mod operation;
mod planned_rows;
pub(crate) mod planner;
pub(crate) mod privileges;
pub mod question;
pub mod request;
pub(crate) mod secrets;
pub(crate) mod selection;
mod server_load;
pub(crate) mod setup;
pub mod side_effects;
pub mod staleness;
pub mod tables;
pub(crate) mod undo;
