//! Switchover: planned, swapped, written to and rolled back on a real server; the twins repaired and watched.

mod after_the_switch;
mod application_writes;
mod blockers;
pub(crate) mod dependents_carried;
pub(crate) mod dependents_named;
pub(crate) mod end_to_end;
mod lost_keys;
mod overtaken;
pub(crate) mod ownership;
mod partial_sets;
mod repair;
mod reverse_sync;
mod reverse_triggers;
mod server_activity;
mod stages;
mod watch;
pub(crate) mod writers;
