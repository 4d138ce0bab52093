//! A reader that sends our own statements under a search path which finds no user's name; the profile's under its own.

use std::sync::Arc;

use midwatch::engine::model::error::Result;
use midwatch::engine::model::load::ServerLoad;
use midwatch::engine::model::query::{Column, ProfileSql, Sql};
use midwatch::engine::model::target::ServerInfo;
use midwatch::engine::model::vitals::Vitals;
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, RowShape, Take};

pub(crate) struct OwnPath {
    pub(crate) facts: Arc<dyn Reader>,
}

struct OwnPathTx(Box<dyn ReadTx>);

impl Reader for OwnPath {
    fn dialect(&self) -> &'static dyn Dialect {
        self.facts.dialect()
    }
    fn set_search_path(&self, schemas: &[String]) {
        self.facts.set_search_path(schemas);
    }
    fn begin(&self, options: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>> {
        Box::pin(async move {
            let tx = self.facts.begin(options).await?;
            Ok(Box::new(OwnPathTx(tx)) as Box<dyn ReadTx>)
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

impl OwnPathTx {
    /// Gives the path that was there.
    async fn set(&mut self, path: &str) -> Result<String> {
        let was = self.0.texts(&ProfileSql::new("select current_setting('search_path')")).await?;
        let set = ProfileSql::new("select set_config('search_path', $1, true)");
        self.0.texts(&set.bind([path.into()])).await?;
        Ok(was.into_iter().flatten().next().unwrap_or_default())
    }
}

impl ReadTx for OwnPathTx {
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        self.0.describe(sql)
    }
    fn profile<'a>(
        &'a mut self,
        sql: &'a ProfileSql,
        shape: RowShape,
        take: Take<'a>,
    ) -> Fut<'a, Result<()>> {
        self.0.profile(sql, shape, take)
    }
    fn each<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            let was = self.set("pg_catalog, pg_temp").await?;
            self.0.each(sql, take).await?;
            self.set(&was).await.map(|_| ())
        })
    }
    fn objects<'a>(&'a mut self, sql: &'a Sql, take: Take<'a>) -> Fut<'a, Result<()>> {
        Box::pin(async move {
            let was = self.set("pg_catalog, pg_temp").await?;
            self.0.objects(sql, take).await?;
            self.set(&was).await.map(|_| ())
        })
    }
}
