//! Statements about the triggers of a pair: those of its tables, and those of its partitions, which may be thousands.

/// What is run on the tables, and on each partition. The partitions' come second where triggers are made and first
/// where they go, so that what is there is never less than what a trigger on the table promises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statements {
    pub(crate) tables: Vec<String>,
    pub(crate) partitions: Vec<String>,
}

/// Triggers, made and taken away again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Triggers {
    pub(crate) make: Statements,
    pub(crate) take: Statements,
}

impl Triggers {
    /// All of it, in the order in which it is made.
    pub(crate) fn create_statements(&self) -> Vec<String> {
        [self.make.tables.as_slice(), &self.make.partitions].concat()
    }

    /// All of it, in the order in which it goes.
    pub(crate) fn drop_statements(&self) -> Vec<String> {
        [self.take.partitions.as_slice(), &self.take.tables].concat()
    }
}
