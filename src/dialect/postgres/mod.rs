//! PostgreSQL: the dialect, its reader and writer, the journal's statements, and how errors of the server are classified.
//!
//! [`owner`] is a session that may do anything, for servers that the sandbox started; no other module may use it.

pub mod blockers;
mod catalog;
mod certificate;
mod compare_sql;
mod connect;
mod dial;
mod driver;
mod endpoint;
mod error;
mod grants;
mod identity;
pub mod journal;
mod journal_sql;
mod lock;
mod lock_modes;
mod login;
mod lookup;
mod numbers;
mod operators;
pub mod owner;
mod parameters;
mod passfile;
mod password_command;
mod prepared;
mod reader;
mod row_sql;
pub mod sampling;
mod search_path;
mod service;
mod session;
mod shared;
mod side_effects;
mod silence;
mod tls;
mod tx;
mod variables;
mod vitals;
mod writer;

pub use connect::Connection;
pub use endpoint::HostPassword;
pub use reader::PgReader;
pub use writer::PgWriters;

use crate::dialect::sql::script;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::Result;
use crate::engine::model::grants::GrantRequest;
use crate::engine::model::name::Relation;
use crate::engine::model::script::Script;
use crate::engine::model::step::LockStrength;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadTx};

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct Postgres;

impl Dialect for Postgres {
    fn script(&self, text: &str) -> std::result::Result<Script, String> {
        script::parse(text)
    }

    fn id(&self) -> &'static str {
        "postgres"
    }

    fn shown_name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn parse(&self, text: &str) -> Relation {
        Relation::parse(text)
    }
    fn relation(&self, relation: &Relation) -> String {
        relation.to_string()
    }

    fn lock_mode(&self, strength: LockStrength) -> &'static str {
        lock_modes::mode(strength)
    }

    fn cause(&self, code: &str) -> (Cause, bool) {
        error::cause(code)
    }

    fn code(&self, cause: Cause) -> Option<&'static str> {
        error::code(cause)
    }

    fn grants<'a>(&'a self, tx: &'a mut dyn ReadTx, request: &'a GrantRequest) -> Fut<'a, Result<String>> {
        Box::pin(grants::script(tx, request))
    }
}
