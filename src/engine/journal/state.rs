//! The journal's own tables: are they there, and why nothing is changed while they are not.

use crate::engine::model::error::Result;
use crate::engine::model::journal_state::JournalState;
use crate::engine::port::reader::{ReadOptions, Reader};

/// Is the journal here, whole, of this version, and for this role?
pub async fn state(facts: &dyn Reader) -> JournalState {
    match look(facts).await {
        Ok(state) => state,
        Err(e) => JournalState::Unknown { why: e.message },
    }
}

async fn look(facts: &dyn Reader) -> Result<JournalState> {
    let mut tx = facts.rights().begin(ReadOptions::default()).await?;
    facts.dialect().state(&mut *tx).await
}
