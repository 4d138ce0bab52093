//! A reader that notes every statement that goes through it.

use std::sync::{Arc, Mutex};

use midwatch::engine::model::error::Result;
use midwatch::engine::model::load::ServerLoad;
use midwatch::engine::model::query::{Column, Sql};
use midwatch::engine::model::target::ServerInfo;
use midwatch::engine::model::vitals::Vitals;
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::{Facts, Fut, ReadOptions, ReadTx, Take};

pub(crate) type Notes = Arc<Mutex<Vec<Sql>>>;

pub(crate) struct Recorder {
    pub(crate) facts: Arc<dyn Facts>,
    pub(crate) notes: Notes,
}

struct Recording {
    tx: Box<dyn ReadTx>,
    notes: Notes,
}

impl Facts for Recorder {
    fn dialect(&self) -> &'static dyn Dialect {
        self.facts.dialect()
    }
    fn set_search_path(&self, schemas: &[String]) {
        self.facts.set_search_path(schemas);
    }
    fn begin(&self, options: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>> {
        Box::pin(async move {
            let tx = self.facts.begin(options).await?;
            Ok(Box::new(Recording { tx, notes: Arc::clone(&self.notes) }) as Box<dyn ReadTx>)
        })
    }
    fn server(&self) -> Fut<'_, Result<ServerInfo>> {
        self.facts.server()
    }
    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        self.facts.vitals()
    }
    fn pressure(&self) -> Fut<'_, Result<ServerLoad>> {
        self.facts.pressure()
    }
    fn cancel_all(&self) -> Fut<'_, ()> {
        self.facts.cancel_all()
    }
}

impl Recording {
    fn note(&self, sql: &Sql) {
        self.notes.lock().unwrap().push(sql.clone());
    }
}

impl ReadTx for Recording {
    fn describe<'a>(&'a mut self, sql: &'a Sql) -> Fut<'a, Result<Vec<Column>>> {
        self.note(sql);
        self.tx.describe(sql)
    }
    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.note(sql);
        self.tx.each(sql, take)
    }
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.note(sql);
        self.tx.objects(sql, take)
    }
}
