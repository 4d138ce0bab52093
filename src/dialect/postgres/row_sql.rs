//! Statements over rows, for PostgreSQL.

use crate::dialect::postgres::Postgres;
use crate::engine::port::row_sql::RowSql;

impl RowSql for Postgres {}
