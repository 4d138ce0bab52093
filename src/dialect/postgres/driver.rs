//! PostgreSQL's URLs, and what they open.

use std::sync::Arc;
use std::time::Duration;

use crate::dialect::postgres::Postgres;
use crate::dialect::postgres::connect::Connection;
use crate::dialect::postgres::reader::PgReader;
use crate::dialect::postgres::writer::PgWriters;
use crate::engine::model::error::Result;
use crate::engine::port::driver::{Driver, ReaderLogin, Target};

impl Driver for Postgres {
    fn schemes(&self) -> &'static [&'static str] {
        &["postgres", "postgresql"]
    }

    fn connect(
        &self,
        url: Option<&str>,
        silence: Duration,
        password_command: &[String],
        reader: Option<&ReaderLogin>,
    ) -> Result<Target> {
        let connection = Connection::new(url)?.asking(password_command)?.ending_on_silence(silence);
        let (host, database) = connection.names();
        let own = PgReader::new(connection.clone());
        let reader = match reader {
            Some(login) => {
                let looking = Connection::logging_in_as(url, login)?.ending_on_silence(silence);
                PgReader::new(looking).for_operator(own)
            }
            None => own,
        };
        Ok(Target { reader: Arc::new(reader), writers: Arc::new(PgWriters::new(connection)), host, database })
    }
}
