//! A reader that notes every statement that goes through it.

use std::sync::{Arc, Mutex};

use midwatch::engine::model::error::Result;
use midwatch::engine::model::load::ServerLoad;
use midwatch::engine::model::query::{Column, Param, ProfileSql, Sql};
use midwatch::engine::model::target::ServerInfo;
use midwatch::engine::model::vitals::Vitals;
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, RowShape, Take};

pub(crate) type Notes = Arc<Mutex<Vec<Sent>>>;

/// By which way a statement went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Profile,
}

/// A statement that went through.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) text: String,
    pub(crate) params: Vec<Param>,
    pub(crate) whose: Whose,
    /// It was prepared only.
    pub(crate) prepared: bool,
}

impl Sent {
    pub(crate) fn ours(sql: &Sql) -> Self {
        let (text, params) = (sql.text().to_owned(), sql.params().to_vec());
        Self { text, params, whose: Whose::Ours, prepared: false }
    }
    pub(crate) fn profile(sql: &ProfileSql, prepared: bool) -> Self {
        let (text, params) = (sql.text().to_owned(), sql.params().to_vec());
        Self { text, params, whose: Whose::Profile, prepared }
    }
}

pub(crate) struct Recorder {
    pub(crate) facts: Arc<dyn Reader>,
    pub(crate) notes: Notes,
}

struct Recording {
    tx: Box<dyn ReadTx>,
    notes: Notes,
}

impl Reader for Recorder {
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
    fn note(&self, sent: Sent) {
        self.notes.lock().unwrap().push(sent);
    }
}

impl ReadTx for Recording {
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        self.note(Sent::profile(sql, true));
        self.tx.describe(sql)
    }
    fn profile<'a>(
        &'a mut self,
        sql: &'a ProfileSql,
        shape: RowShape,
        take: Take<'a>,
    ) -> Fut<'a, Result<()>> {
        self.note(Sent::profile(sql, false));
        self.tx.profile(sql, shape, take)
    }
    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.note(Sent::ours(sql));
        self.tx.each(sql, take)
    }
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        self.note(Sent::ours(sql));
        self.tx.objects(sql, take)
    }
}
