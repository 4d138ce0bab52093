//! A reader around another one: a test sees, holds back or changes what goes through it.

use std::sync::Arc;

use midwatch::engine::model::error::Result;
use midwatch::engine::model::load::ServerLoad;
use midwatch::engine::model::query::{Column, ProfileSql, Sql};
use midwatch::engine::model::target::ServerInfo;
use midwatch::engine::model::vitals::Vitals;
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, RowShape, Take};

/// How a transaction is begun on the reader inside.
pub(crate) type Begin =
    Box<dyn Fn(Arc<dyn Reader>, ReadOptions) -> Fut<'static, Result<Box<dyn ReadTx>>> + Send + Sync>;

/// Differs from the reader inside in how it begins.
pub(crate) struct ReaderAround {
    inside: Arc<dyn Reader>,
    begin: Begin,
}

impl ReaderAround {
    pub(crate) fn new(inside: Arc<dyn Reader>, begin: Begin) -> Self {
        Self { inside, begin }
    }
}

impl Reader for ReaderAround {
    fn dialect(&self) -> &'static dyn Dialect {
        self.inside.dialect()
    }
    fn set_search_path(&self, schemas: &[String]) {
        self.inside.set_search_path(schemas);
    }
    fn begin(&self, options: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>> {
        (self.begin)(Arc::clone(&self.inside), options)
    }
    fn server(&self) -> Fut<'_, Result<ServerInfo>> {
        self.inside.server()
    }
    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        self.inside.vitals()
    }
    fn load(&self) -> Fut<'_, Result<ServerLoad>> {
        self.inside.load()
    }
    fn cancel_all(&self) -> Fut<'_, ()> {
        self.inside.cancel_all()
    }
}

/// What is about to be sent.
pub(crate) enum Sending<'a> {
    Ours(&'a Sql),
    Profile(&'a ProfileSql),
    /// Prepared only.
    Described(&'a ProfileSql),
}

/// A transaction that shows each statement before it is sent.
pub(crate) struct TxAround<F> {
    pub(crate) inside: Box<dyn ReadTx>,
    pub(crate) before: F,
}

impl<F: FnMut(Sending<'_>) + Send> ReadTx for TxAround<F> {
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        (self.before)(Sending::Described(sql));
        self.inside.describe(sql)
    }
    fn parse<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<()>> {
        (self.before)(Sending::Described(sql));
        self.inside.parse(sql)
    }
    fn profile<'a>(
        &'a mut self,
        sql: &'a ProfileSql,
        shape: RowShape,
        take: Take<'a>,
    ) -> Fut<'a, Result<()>> {
        (self.before)(Sending::Profile(sql));
        self.inside.profile(sql, shape, take)
    }
    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        (self.before)(Sending::Ours(sql));
        self.inside.each(sql, take)
    }
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        (self.before)(Sending::Ours(sql));
        self.inside.objects(sql, take)
    }
}
