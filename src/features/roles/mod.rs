//! With which rights the target is looked at: the reader's role, who else can create in the profile's search path, and who
//! stands between on the connection.

pub mod check;
mod dialects;
pub mod facts;
pub mod finding_kind;
mod postgres;
mod sql;
mod texts;
pub mod verdicts;
