//! PostgreSQL's catalog.

use crate::dialect::postgres::Postgres;
use crate::engine::port::catalog::Catalog;

impl Catalog for Postgres {}
