//! A reader that sends our own statements under a search path which finds no user's name; the profile's under its own.
#![expect(clippy::disallowed_methods, reason = "tests ask the server themselves")]

use std::sync::Arc;

use midwatch::engine::model::error::Result;
use midwatch::engine::model::query::{Column, ProfileSql, Sql};
use midwatch::engine::port::reader::{Fut, ReadTx, Reader, RowShape, Take};

use crate::common::wrapped_reader::ReaderAround;

pub(crate) fn own_path(facts: Arc<dyn Reader>) -> ReaderAround {
    let begin = |facts: Arc<dyn Reader>, options| -> Fut<'static, Result<Box<dyn ReadTx>>> {
        Box::pin(async move { Ok(Box::new(OwnPathTx(facts.begin(options).await?)) as Box<dyn ReadTx>) })
    };
    ReaderAround::new(facts, Box::new(begin))
}

struct OwnPathTx(Box<dyn ReadTx>);

impl OwnPathTx {
    /// Gives the path that was there.
    async fn set(&mut self, path: &str) -> Result<String> {
        let was = self.0.texts(&ProfileSql::new("select current_setting('search_path')")).await?;
        let set = ProfileSql::names("select set_config('search_path', $1, true)");
        self.0.texts(&set.bind([path.into()])).await?;
        Ok(was.into_iter().flatten().next().unwrap_or_default())
    }
}

impl ReadTx for OwnPathTx {
    fn describe<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<Vec<Column>>> {
        self.0.describe(sql)
    }
    fn parse<'a>(&'a mut self, sql: &'a ProfileSql) -> Fut<'a, Result<()>> {
        self.0.parse(sql)
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
