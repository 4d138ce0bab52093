//! The steps of a switchover, its rollback and its cleanup, as statements with their inverses. Nothing here is executed.

pub(crate) mod chunks;
pub(crate) mod cleanup;
pub(crate) mod dependents;
pub(crate) mod options;
pub(crate) mod reverse_sync;
pub(crate) mod rollback;
pub(crate) mod row_sync;
pub(crate) mod sequences;
pub(crate) mod steps;
pub(crate) mod swap_ddl;
pub(crate) mod twin_pair;
