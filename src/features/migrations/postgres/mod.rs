//! What the migrations check asks of PostgreSQL: histories, objects of the catalog, invalid indexes.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

mod history;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::profile::{HistoryKind, MigrationFolder};
use crate::engine::model::query::{Param, ProfileSql, Sql};
use crate::engine::model::script::Object;
use crate::engine::port::reader::{Fut, ReadTx};
use crate::features::migrations::sql::MigrationSql;

/// PostgreSQL's statements.
pub(crate) struct PostgresMigrations;

const PRESENT: &str = include_str!("probe.sql");

const INVALID_INDEXES: &str = "
select i.indexrelid::regclass::text as index, i.indrelid::regclass::text as \"table\",
       pg_get_indexdef(i.indexrelid) as definition,
       exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid) as building
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where (not i.indisvalid or not i.indisready) and c.relkind = 'i'
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
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
        ProfileSql::new(PRESENT).bind(params)
    }

    fn probed<'a>(&'a self, tx: &'a mut dyn ReadTx, query: &'a str) -> Fut<'a, Result<bool>> {
        Box::pin(async move {
            let answer = tx.texts(&ProfileSql::new(format!("select (q.*)::text from ({query}\n) q"))).await?;
            match answer.first().and_then(|t| t.as_deref()) {
                Some("(t)") => Ok(true),
                Some("(f)") => Ok(false),
                other => Err(Error::usage(format!("a migration probe must give one boolean, not {other:?}"))
                    .hint("write it as: select exists (…)")),
            }
        })
    }

    fn invalid_indexes(&self) -> Sql {
        Sql::new(INVALID_INDEXES)
    }
}
