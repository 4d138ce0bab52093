//! What the tasks of a switchover do. One file a task; each is a [`Runner`](crate::engine::port::runner::Runner).

pub(crate) mod compare;
pub(crate) mod dump;
pub(crate) mod hook;
pub(crate) mod measure;
pub(crate) mod monitor;
pub(crate) mod rehearse;
pub(crate) mod swap;

use serde::de::DeserializeOwned;

use crate::engine::model::error::Result;
use crate::engine::model::step::Task;
use crate::engine::model::stored::another_version;

/// The arguments of a task; a plan whose arguments do not parse was made by another version.
pub(in crate::features::switchover) fn arguments<T: DeserializeOwned>(task: &Task) -> Result<T> {
    task.parse().map_err(|e| another_version(&format!("its step {:?} is not understood: {e}", task.word)))
}
