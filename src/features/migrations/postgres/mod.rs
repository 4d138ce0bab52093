//! What the migrations check asks of PostgreSQL: histories, objects of the catalog, invalid indexes.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

mod history;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::profile::{HistoryKind, MigrationFolder};
use crate::engine::model::query::{Param, ProfileSql};
use crate::engine::model::script::Object;
use crate::engine::port::reader::{Fut, ReadTx};
use crate::features::migrations::sql::MigrationSql;

/// PostgreSQL's statements.
pub(crate) struct PostgresMigrations;

const PRESENT: &str = include_str!("probe.sql");

// Everything with its schema: the path that it is asked under is the profile's, as whose it names what it found.
const INVALID_INDEXES: &str = "
select i.indexrelid::pg_catalog.regclass::pg_catalog.text as index,
       i.indrelid::pg_catalog.regclass::pg_catalog.text as \"table\",
       pg_catalog.pg_get_indexdef(i.indexrelid) as definition,
       exists (select from pg_catalog.pg_stat_progress_create_index p
               where p.index_relid operator(pg_catalog.=) i.indexrelid) as building
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) i.indexrelid
join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where (not i.indisvalid or not i.indisready) and c.relkind operator(pg_catalog.=) 'i'
  and n.nspname operator(pg_catalog.!~) '^(pg_catalog|information_schema)$|^pg_(toast|temp)'
order by 1";

impl MigrationSql for PostgresMigrations {
    fn default_table(&self, kind: HistoryKind) -> &'static str {
        history::default_table(kind)
    }

    fn columns(&self, table: &str) -> ProfileSql {
        history::columns(table)
    }

    fn history(&self, folder: &MigrationFolder, table: &str, columns: &[String]) -> ProfileSql {
        history::entries(folder, table, columns)
    }

    // Files name objects as the profile's search path finds them.
    fn present(&self, objects: &[Object]) -> ProfileSql {
        let column = |f: &dyn Fn(&Object) -> String| Param::Texts(objects.iter().map(f).collect());
        let params = [column(&|o| o.kind.to_owned()), column(&|o| o.name.clone()), column(&|o| o.of.clone())];
        ProfileSql::names(PRESENT).bind(params)
    }

    fn probed<'a>(&'a self, tx: &'a mut dyn ReadTx, query: &'a str) -> Fut<'a, Result<bool>> {
        Box::pin(async move {
            let answer = tx
                .texts(&ProfileSql::new(format!("select (q.*)::pg_catalog.text from ({query}\n) q")))
                .await?;
            match answer.first().and_then(|t| t.as_deref()) {
                Some("(t)") => Ok(true),
                Some("(f)") => Ok(false),
                other => Err(Error::usage(format!("a migration probe must give one boolean, not {other:?}"))
                    .hint("write it as: select exists (…)")),
            }
        })
    }

    fn invalid_indexes(&self) -> ProfileSql {
        ProfileSql::names(INVALID_INDEXES)
    }
}
