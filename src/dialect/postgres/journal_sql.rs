//! The journal's tables in PostgreSQL.

use crate::dialect::postgres::Postgres;
use crate::engine::port::journal_sql::JournalSql;

impl JournalSql for Postgres {}
