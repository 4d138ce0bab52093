//! The steps of a switchover, of its rollback and its cleanup: the one place that knows the words in their ids.

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Counts before anything.
    PreFlight,
    /// The dump of the legacy tables.
    Backup,
    /// Counts after it.
    PostBackup,
    /// Every write is captured from here on; one for each pair.
    Watch,
    /// Counts before rows are compared.
    PreMigration,
    /// All rows are compared.
    Compare,
    /// Counts after that.
    PostMigration,
    /// Reverse triggers, idle until the swap; one for each pair.
    Prepare,
    /// The operator's command before the swap.
    HookBefore,
    /// The swap.
    Enable,
    /// The operator's command after the swap.
    HookAfter,
    /// Both sides are watched for a while.
    Monitor,
    /// Counts at the end.
    Done,
    /// Counts before a rollback.
    PreRollback,
    /// The swap back.
    SwapBack,
    /// Reverse triggers go; one for each pair.
    Tidy,
    /// Counts after a rollback.
    RolledBack,
    /// Counts before a cleanup.
    PreCleanup,
    /// The retired tables go away.
    PutAway,
    /// Writes are no longer captured; one for each pair.
    Unwatch,
}

impl StepKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::PreFlight,
        Self::Backup,
        Self::PostBackup,
        Self::Watch,
        Self::PreMigration,
        Self::Compare,
        Self::PostMigration,
        Self::Prepare,
        Self::HookBefore,
        Self::Enable,
        Self::HookAfter,
        Self::Monitor,
        Self::Done,
        Self::PreRollback,
        Self::SwapBack,
        Self::Tidy,
        Self::RolledBack,
        Self::PreCleanup,
        Self::PutAway,
        Self::Unwatch,
    ];

    /// Its id; of a step that is there for each pair, what stands before the pair's name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::PreFlight => "pre-flight",
            Self::Backup => "backup",
            Self::PostBackup => "post-backup",
            Self::Watch => "watch",
            Self::PreMigration => "pre-migration",
            Self::Compare => "compare",
            Self::PostMigration => "post-migration",
            Self::Prepare => "prepare",
            Self::HookBefore => "hook-before",
            Self::Enable => "enable",
            Self::HookAfter => "hook-after",
            Self::Monitor => "monitor",
            Self::Done => "done",
            Self::PreRollback => "pre-rollback",
            Self::SwapBack => "swap-back",
            Self::Tidy => "tidy",
            Self::RolledBack => "rolled-back",
            Self::PreCleanup => "pre-cleanup",
            Self::PutAway => "put-away",
            Self::Unwatch => "unwatch",
        }
    }

    /// The id of the step of one pair.
    pub(crate) fn of_pair(self, name: &str) -> String {
        format!("{}/{name}", self.id())
    }

    /// The kind of the step with this id.
    pub fn from_id(id: &str) -> Option<Self> {
        let word = id.split('/').next().unwrap_or_default();
        Self::ALL.iter().copied().find(|k| k.id() == word)
    }

    /// Do tables change places in it?
    pub fn is_swap(self) -> bool {
        matches!(self, Self::Enable | Self::SwapBack)
    }
}

/// Are these the steps of a rollback?
pub fn is_rollback<'a>(ids: impl IntoIterator<Item = &'a String>) -> bool {
    ids.into_iter().any(|id| StepKind::from_id(id) == Some(StepKind::SwapBack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_back_from_its_id() {
        for kind in StepKind::ALL {
            assert_eq!(StepKind::from_id(kind.id()), Some(*kind));
            assert_eq!(StepKind::from_id(&kind.of_pair("a/b")), Some(*kind));
        }
        assert_eq!(StepKind::from_id("init"), None);
        let swaps: Vec<_> = StepKind::ALL.iter().filter(|k| k.is_swap()).collect();
        assert_eq!(swaps, [&StepKind::Enable, &StepKind::SwapBack]);
        assert!(is_rollback(&["compare".to_owned(), "swap-back".to_owned()]));
        assert!(!is_rollback(&["compare".to_owned(), "enable".to_owned()]));
    }
}
