//! Kinds of operations, one per file.

mod backfill;
mod fix;
mod init;
mod requeue;
mod resolve;
mod selection;
mod watch;

use crate::engine::operation::Operation;

/// Every kind, in the order they are listed.
pub const ALL: &[&dyn Operation] =
    &[&init::Init, &backfill::Backfill, &fix::Fix, &resolve::Resolve, &requeue::Requeue, &watch::Watch];
