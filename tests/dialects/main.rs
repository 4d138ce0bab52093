//! One suite for every dialect: what the engine asks of it, tried on real servers.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
mod pinned;
mod planner;
mod recorder;
mod rows;
#[path = "../cli/schema.rs"]
mod schema;
mod text_only;
#[path = "../ops/world.rs"]
#[expect(dead_code, reason = "every test binary uses its own part")]
mod world;
