//! What a failure means to the program: what is decided by it, whatever code a server gives it.
//!
//! A dialect maps its server's codes to these words; the code itself stays in the error for people, the journal and JSON.

/// Why a statement, a run or a comparison failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cause {
    /// Nothing is decided by it.
    #[default]
    Other,
    /// Another session is in the way: lock not available, deadlock, serialisation failure. A retry can succeed.
    Busy,
    /// The server ended the session, is starting or stopping, or did not answer.
    ConnectionLost,
    /// Cancelled by its time limit, the operator or another session.
    Cancelled,
    /// An attempt held or would have held its locks longer than planned.
    OverBudget,
    /// Rows that must be equal differ.
    Unequal,
    /// A row changed while a statement read it: the read is restarted. PostgreSQL reports none.
    RowMoved,
    /// A table changed after the snapshot was taken: the read is restarted. PostgreSQL reports none.
    SchemaMoved,
    /// The role lacks a privilege.
    NotAllowed,
    /// A table, schema, function or type that is not there. A missing column is another failure: its table is there.
    NoSuchObject,
    /// A value that its type does not accept.
    InvalidValue,
    /// A constraint of the table forbids it.
    Constraint,
    /// The server or the session accepts no writes.
    ReadOnly,
    /// No room left: disk, memory or connections.
    Full,
    /// A test ran to its end and rolled itself back on purpose.
    TestEnded,
}
