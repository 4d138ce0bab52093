//! Rows of a copy: the first of each relation by its key, all of one snapshot of the target.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::dialect::postgres::PgReader;
use crate::dialect::postgres::owner::Owner;
use crate::dialect::postgres::sampling::{EQUAL, SampleSource, equality_of};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::{Param, Sql};
use crate::engine::port::copies::CopyRequest;
use crate::engine::port::reader::{ReadOptions, Reader as _};
use crate::sandbox::postgres::rehearsal::{PATIENCE, SandboxCopies};

/// More rows than these of a relation are no sample any more: they take their time.
const MANY: u64 = 100_000;
/// And it may be this long.
const LONG: Duration = Duration::from_hours(6);
/// One statement of a sample.
const STATEMENT: Duration = Duration::from_mins(1);

impl SandboxCopies {
    /// Copies the samples; how many rows each relation got. No trigger of the copy is there yet that could fire.
    pub(super) async fn rows(
        &self,
        owner: &mut Owner,
        copy: &CopyRequest,
        limit: u64,
    ) -> Result<Vec<String>> {
        let (patience, statement) = if limit > MANY { (LONG, LONG) } else { (PATIENCE, STATEMENT) };
        let carried = tokio::time::timeout(patience, self.carry(owner, copy, limit, statement)).await;
        carried.map_err(|_| {
            let text = format!("failed to copy rows of the target: not done within {} s", patience.as_secs());
            Error::unobserved(text)
        })?
    }

    async fn carry(
        &self,
        owner: &mut Owner,
        copy: &CopyRequest,
        limit: u64,
        statement: Duration,
    ) -> Result<Vec<String>> {
        let target = PgReader::new(self.looking().clone());
        target.set_search_path(&self.search_path);
        let shape = SHAPE.replace("{equality}", &equality_of("a.atttypid"));
        let mut shapes = Vec::new();
        for relation in &copy.relations {
            let mut tx = target.begin(ReadOptions::default()).await?;
            let name = Relation::parse(relation).to_string();
            let shape: Shape = tx.one(&Sql::new(&shape).bind([Param::from(name.as_str())])).await?;
            shapes.push((name, shape));
        }
        let mut source = SampleSource::open(self.looking(), statement).await?;
        let mut counts = Vec::new();
        for ((name, shape), relation) in shapes.iter().zip(&copy.relations) {
            let into = format!("{name} ({})", list(&shape.columns));
            let n = source.carry(&sample(copy, relation, name, shape, limit), owner, &into).await?;
            counts.push(format!("{n} of {name}"));
        }
        source.close().await;
        Ok(counts)
    }
}

#[derive(Deserialize)]
struct Shape {
    columns: Vec<String>,
    key: Vec<String>,
    /// By column: the operator of its equality, where that is not the server's own.
    equality: BTreeMap<String, String>,
}

/// The equality of a type stands for `{equality}`.
const SHAPE: &str = "
select array(select a.attname::text from pg_attribute a
             where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             order by a.attnum) as columns,
       array(select a.attname::text from pg_index i, unnest(i.indkey::int2[]) with ordinality k(n, o)
             join pg_attribute a on a.attrelid = to_regclass($1) and a.attnum = k.n
             where i.indrelid = to_regclass($1) and i.indisprimary order by k.o) as key,
       (select coalesce(jsonb_object_agg(q.name, q.operator) filter (where q.operator is not null), '{}')
        from (select a.attname as name, {equality} as operator from pg_attribute a
              where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped) q) as equality";

fn list(columns: &[String]) -> String {
    columns.iter().map(|c| Ident(c).to_string()).collect::<Vec<_>>().join(", ")
}

fn sample(copy: &CopyRequest, relation: &str, name: &str, shape: &Shape, limit: u64) -> String {
    let columns = list(&shape.columns);
    if let Some(follow) = copy.follow.iter().find(|f| f.relation == relation) {
        let (key, like) = (list(&follow.key), Relation::parse(&follow.like));
        let keys = format!("select {key} from {like} order by {key} limit {limit}");
        let same = follow.key.iter().map(|c| {
            let operator = shape.equality.get(c).map_or(EQUAL, String::as_str);
            format!("t.{0} {operator} k.{0}", Ident(c))
        });
        let same: Vec<_> = same.collect();
        return format!(
            "select {columns} from {name} t where exists (select from ({keys}) k where {})",
            same.join(" and ")
        );
    }
    let leads = copy.follow.iter().find(|f| f.like == relation).map_or(&shape.key, |f| &f.key);
    let order = if leads.is_empty() { String::new() } else { format!(" order by {}", list(leads)) };
    format!("select {columns} from {name}{order} limit {limit}")
}
