//! One suite for every dialect, on a real server of each: what the seam promises, through the seam alone.
//!
//! The suite is in terms of the traits of `engine/port`; what a server needs to be prepared is in its own file.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests ask the server themselves")]

mod abilities;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod journal;
mod own_path;
mod paper_server;
mod pinned;
mod planner;
mod postgres;
mod recorder;
mod rows;
#[path = "../cli/schema.rs"]
mod schema;
mod text_only;
mod text_only_compare;
mod text_only_journal;
mod text_only_plans;
mod text_only_switchover;
mod triggers;
mod undo;
mod words;
#[path = "../features/world.rs"]
#[expect(dead_code, reason = "every test binary uses its own part")]
mod world;

/// Calls a test of the suite for each server.
macro_rules! on_each_server {
    ($($(#[$about:meta])* $test:ident,)*) => {
        mod on_postgres_15 {
            $($(#[$about])* #[tokio::test]
            async fn $test() {
                super::$test(&crate::postgres::Side::fifteen().await).await;
            })*
        }
        mod on_postgres_18 {
            $($(#[$about])* #[tokio::test]
            async fn $test() {
                super::$test(&crate::postgres::Side::eighteen().await).await;
            })*
        }
    };
}

pub(crate) use on_each_server;
