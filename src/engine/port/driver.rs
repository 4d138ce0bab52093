//! How a dialect opens a database: by the scheme of a URL, to a reader and the writers of one target.
//!
//! It stands apart from [`Dialect`], which readers and plans name without opening anything.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::model::error::Result;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Reader;
use crate::engine::port::writer::Writers;

/// A dialect that can be connected to.
pub trait Driver: Dialect {
    /// The schemes of its URLs, without `://`.
    fn schemes(&self) -> &'static [&'static str];
    /// The database that a URL names; without one, that of the client's own environment. Nothing is sent yet: an error
    /// is one of the URL. `silence`: how long the server may say nothing, not even to another session, before what waits
    /// for it ends. `password_command`: a program and its arguments, whose output is the password of each connection; empty:
    /// none. `reader`: who looks, where that is another role than the url's.
    fn connect(
        &self,
        url: Option<&str>,
        silence: Duration,
        password_command: &[String],
        reader: Option<&ReaderLogin>,
    ) -> Result<Target>;
}

/// A role that only looks, with a login of its own to the same database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderLogin {
    /// The role.
    pub role: String,
    /// The program that gives its password, with its arguments; empty: a password file does, or none is asked for.
    pub password_command: Vec<String>,
}

/// One database, ready to be opened.
pub struct Target {
    /// Looks at it.
    pub reader: Arc<dyn Reader>,
    /// Open writers on it for what was approved.
    pub writers: Arc<dyn Writers>,
    /// The host as the URL has it: its name may tell the environment.
    pub host: String,
    /// The database as the URL has it; empty where that names none.
    pub database: String,
}
