//! What the connected server and account can do, where servers differ and the engine asks before it relies on it.

/// Read from the connected server, once; a dialect alone does not know them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abilities {
    /// A lock of ours lasts as long as its session, so that one operator at a time changes a target.
    pub session_lock: Ability,
    /// Statements that change definitions share a transaction and are rolled back with it.
    pub transactional_ddl: Ability,
    /// The server ends a session that writes once its time is over, also where its client is stopped or gone.
    pub write_limit: Ability,
    /// Several sessions read in one snapshot.
    pub shared_snapshot: Ability,
    /// Sessions that hold a lock are shown.
    pub lock_holders: Ability,
}

/// Can it, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ability {
    /// It can.
    Yes,
    /// It cannot.
    No {
        /// Why, for people.
        why: String,
        /// What would make it possible; empty: nothing would.
        hint: String,
    },
}

/// What nobody has said can be done is not relied on.
impl Default for Ability {
    fn default() -> Self {
        Self::no("the dialect does not say that this server can do it", "")
    }
}

impl Ability {
    /// It cannot, for this reason.
    pub fn no(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::No { why: why.into(), hint: hint.into() }
    }

    /// Why it cannot.
    pub fn lacking(&self) -> Option<&str> {
        match self {
            Self::Yes => None,
            Self::No { why, .. } => Some(why),
        }
    }
}
