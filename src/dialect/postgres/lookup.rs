//! Tables by name, in PostgreSQL's catalog.

use crate::dialect::postgres::Postgres;
use crate::dialect::postgres::operators::{FIRST_OF_USERS, foreign_cast};
use crate::engine::model::error::Result;
use crate::engine::model::foreign_cast::ForeignCast;
use crate::engine::model::name::Relation;
use crate::engine::model::query::{OtherFunction, Param, ProfileSql, Sql};
use crate::engine::port::lookup::{Lookup, Watchable};
use crate::engine::port::read_tx::{Fut, ReadTx};

// Everything with its schema: the path that these are asked under is the profile's.
const RESOLVE: &str = "select (pg_catalog.bool_and(pg_catalog.to_regclass(t) is not null))::pg_catalog.text
from pg_catalog.unnest($1::pg_catalog.text[]) t";

// Not to_regclass: it fails where the role may not use the schema.
const EXISTS: &str = "
select exists (select from pg_catalog.pg_class c
               join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
               where c.relname operator(pg_catalog.=) $2
                 and (n.nspname operator(pg_catalog.=) $1 or $1 is null and pg_catalog.pg_table_is_visible(c.oid))
              )::pg_catalog.text";

const UNREADABLE: &str = "select t from pg_catalog.unnest($1::pg_catalog.text[]) t
where pg_catalog.to_regclass(t) is not null
  and not pg_catalog.has_table_privilege(pg_catalog.to_regclass(t)::pg_catalog.oid, 'select')";

const WATCHABLE: &str = "
select json_build_object('schema', n.nspname, 'name', c.relname) as name,
       case when c.relkind = 'p' then 'partitioned' else c.relname end as kind
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
  and ((c.relkind = 'p' and not c.relispartition)
    or (c.relkind = 'r' and (n.nspname, c.relname) = ('midwatch', 'migrations'))
    or (c.relkind = 'r' and c.relname in ('_sqlx_migrations', '__drizzle_migrations', 'schema_migrations')))
order by kind, n.nspname, c.relname";

fn foreign_casts() -> String {
    format!(
        "select x.* from (select a.attrelid::pg_catalog.regclass::pg_catalog.text as \"table\", a.attname::pg_catalog.text as \"column\", {} as \"cast\" \
         from pg_catalog.unnest($1::pg_catalog.text[]) t(name) join pg_catalog.pg_attribute a \
         on a.attrelid operator(pg_catalog.=) pg_catalog.to_regclass(t.name)::pg_catalog.oid \
         where a.attnum operator(pg_catalog.>) 0 \
         and a.atttypid operator(pg_catalog.>=) {FIRST_OF_USERS}::pg_catalog.oid) x where x.\"cast\" is not null",
        foreign_cast("a.atttypid")
    )
}

fn functions_named() -> String {
    format!(
        "select format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name, \
         coalesce('extension ' || e.extname, 'role ' || pg_get_userbyid(p.proowner)) as of, p.prosecdef as as_owner \
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
         left join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e' \
         left join pg_extension e on e.oid = d.refobjid \
         where p.oid >= {FIRST_OF_USERS}::oid and lower(p.proname) = any($1) order by 1"
    )
}

fn written(names: &[Relation]) -> Param {
    Param::Texts(names.iter().map(Relation::to_string).collect())
}

async fn is_true(tx: &mut dyn ReadTx, sql: &ProfileSql) -> Result<bool> {
    Ok(tx.texts(sql).await?.pop().flatten().as_deref() == Some("true"))
}

impl Lookup for Postgres {
    fn resolve<'a>(&'a self, tx: &'a mut dyn ReadTx, names: &'a [Relation]) -> Fut<'a, Result<bool>> {
        Box::pin(async move { is_true(tx, &ProfileSql::names(RESOLVE).bind([written(names)])).await })
    }

    fn exists<'a>(&'a self, tx: &'a mut dyn ReadTx, name: &'a Relation) -> Fut<'a, Result<bool>> {
        let params = [Param::Text(name.schema.clone()), Param::from(name.name.as_str())];
        Box::pin(async move { is_true(tx, &ProfileSql::names(EXISTS).bind(params)).await })
    }

    fn unreadable<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        names: &'a [Relation],
    ) -> Fut<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let rows = tx.texts(&ProfileSql::names(UNREADABLE).bind([written(names)])).await?;
            Ok(rows.into_iter().flatten().collect())
        })
    }

    fn foreign_casts<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        names: &'a [Relation],
    ) -> Fut<'a, Result<Vec<ForeignCast>>> {
        Box::pin(async move { tx.fetch(&ProfileSql::names(foreign_casts()).bind([written(names)])).await })
    }

    fn functions_named<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        names: &'a [String],
    ) -> Fut<'a, Result<Vec<OtherFunction>>> {
        Box::pin(
            async move { tx.fetch(&Sql::new(functions_named()).bind([Param::Texts(names.to_vec())])).await },
        )
    }

    fn reader_hint(&self) -> &'static str {
        "the role needs SELECT on them: midwatch doctor --grants prints what a reader needs"
    }

    fn watchable<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<Watchable>>> {
        Box::pin(async move { tx.fetch(&Sql::new(WATCHABLE)).await })
    }

    fn setting(&self, name: &str) -> Sql {
        Sql::new("select current_setting($1, true)").bind([Param::from(name)])
    }

    fn words(&self, query: &str, limit: u32) -> ProfileSql {
        // By the type's output function: a cast may be its owner's, and this is asked before anything else is.
        let word = "pg_catalog.btrim(pg_catalog.format('%s', q.word))";
        ProfileSql::new(format!("select {word} from ({query}\n) q(word) limit {limit}"))
    }
}
