//! PostgreSQL's catalog.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::dialect::postgres::operators::{Comparison, foreign_cast, operator_of};
use crate::dialect::postgres::{Postgres, blockers};
use crate::engine::model::blocker::Blocker;
use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::query::{Param, ProfileSql, Sql};
use crate::engine::model::table::Table;
use crate::engine::port::catalog::{Catalog, WantedLocks};
use crate::engine::port::reader::{Fut, ReadTx};

const TABLE: &str = "
select json_build_object('schema', n.nspname, 'name', c.relname) as name,
       coalesce((select json_agg(json_build_object('name', a.attname, 'type_name', format_type(a.atttypid, a.atttypmod),
                          'qualified', (select case when n.nspname = 'pg_catalog' then format_type(a.atttypid, a.atttypmod)
                                                    else format('%I.%I', n.nspname, y.typname) end
                                        from pg_type y join pg_namespace n on n.oid = y.typnamespace where y.oid = a.atttypid),
                          'equality', {equality}, 'foreign_cast', {cast}, 'generated', a.attgenerated <> '', 'numbered', a.attidentity = 'a',
                          'may_update', has_column_privilege(c.oid, a.attnum, 'update'),
                          'may_insert', has_column_privilege(c.oid, a.attnum, 'insert')) order by a.attnum)
                 from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns,
       coalesce((select json_agg(json_build_object('name', t.tgname, 'state', case t.tgenabled when 'A' then 'always' when 'R' then 'replica' when 'D' then 'off' else 'ordinary' end,
                          'function', regexp_replace(t.tgfoid::regproc::text, '^public[.]', ''),
                          'journal', exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                                             where p.oid = t.tgfoid and n.nspname = 'midwatch'),
                          'before', t.tgtype::int & 2 > 0, 'row', t.tgtype::int & 1 > 0, 'on_insert', t.tgtype::int & 4 > 0,
                          'on_update', t.tgtype::int & 16 > 0, 'on_delete', t.tgtype::int & 8 > 0,
                          'columns', (select coalesce(json_agg(a.attname), '[]') from pg_attribute a
                                      where a.attrelid = t.tgrelid and a.attnum = any (t.tgattr::int2[]))) order by t.tgname)
                 from (with recursive tree as (
                         select c.oid as relation
                         union all
                         select i.inhrelid from pg_inherits i join tree on i.inhparent = tree.relation)
                       select relation from tree) r
                 join pg_trigger t on t.tgrelid = r.relation
                 where not t.tgisinternal and (t.tgrelid = c.oid or t.tgparentid = 0)), '[]') as triggers,
       coalesce((select json_agg(json_build_object('table', k.conrelid::regclass::text,
                          'equality', (select case when bool_or(n.nspname <> 'pg_catalog')
                                             then json_agg(format('operator(%I.%s)', n.nspname, o.oprname) order by x.n) else '[]' end
                                      from unnest(k.conpfeqop) with ordinality x(operator, n)
                                      join pg_operator o on o.oid = x.operator join pg_namespace n on n.oid = o.oprnamespace),
                          'on_delete', k.confdeltype in ('c', 'n', 'd'), 'on_update', k.confupdtype in ('c', 'n', 'd'),
                          'columns', (select json_agg(json_build_array(a.attname, b.attname) order by x.n)
                                      from unnest(k.conkey, k.confkey) with ordinality x(own, theirs, n)
                                      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = x.own
                                      join pg_attribute b on b.attrelid = k.confrelid and b.attnum = x.theirs)) order by k.oid)
                 from pg_constraint k where k.confrelid = c.oid and k.contype = 'f' and k.conparentid = 0
                   and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))), '[]') as referrers,
       coalesce((select json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid),
                          'expression', pg_get_expr(k.conbin, k.conrelid),
                          'columns', (select json_agg(a.attname) from pg_attribute a
                                      where a.attrelid = c.oid and a.attnum = any (k.conkey))) order by k.conname)
                 from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and k.conkey is not null), '[]') as checks,
       coalesce((select json_agg(k.columns)
                 from pg_index i cross join lateral (
                   select json_agg(a.attname) as columns, bool_and(a.attnotnull) as filled
                   from pg_attribute a
                   where a.attrelid = c.oid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])) k
                 where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
                   and i.indexprs is null and k.filled), '[]') as unique_keys,
       array(select distinct a.attname::text from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
             where i.indrelid = c.oid and (i.indisunique or i.indisexclusion)
               and (a.attnum = any (i.indkey::int2[]) or exists (
                 select from pg_depend d where d.classid = 'pg_class'::regclass::oid and d.objid = i.indexrelid
                   and d.refclassid = 'pg_class'::regclass::oid and d.refobjid = c.oid and d.refobjsubid = a.attnum))) as unique_columns,
       pg_has_role(current_user, c.relowner, 'usage') as owned,
       has_table_privilege(c.oid, 'select') or has_any_column_privilege(c.oid, 'select') as may_select,
       has_table_privilege(c.oid, 'delete') as may_delete,
       case when current_setting('server_version_num')::int >= 150000
            then has_parameter_privilege('session_replication_role', 'set')
            else (select rolsuper from pg_roles where rolname = current_user) end as may_silence
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relname = $2 and n.nspname = $1 and c.relkind in ('r', 'p')";

// Everything with its schema: the path that it is asked under is the profile's.
const SCHEMA: &str = "
select n.nspname::pg_catalog.text
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where c.relname operator(pg_catalog.=) $1 and pg_catalog.pg_table_is_visible(c.oid)";

/// The schema that a name leads to, given or found through the profile's path.
async fn schema_of(tx: &mut dyn ReadTx, name: &Relation) -> Result<Option<String>> {
    if name.schema.is_some() {
        return Ok(name.schema.clone());
    }
    let sql = ProfileSql::names(SCHEMA).bind([Param::from(name.name.as_str())]);
    Ok(tx.texts(&sql).await?.into_iter().flatten().next())
}

impl Catalog for Postgres {
    fn tables<'a>(&'a self, tx: &'a mut dyn ReadTx, names: &'a [Relation]) -> Fut<'a, Result<Vec<Table>>> {
        Box::pin(async move {
            let text = TABLE.replace("{equality}", &operator_of("a.atttypid", Comparison::Equal));
            let text = text.replace("{cast}", &foreign_cast("a.atttypid"));
            let mut found = Vec::with_capacity(names.len());
            for name in names {
                let Some(schema) = schema_of(tx, name).await? else { continue };
                let params = [Param::Text(Some(schema)), Param::Text(Some(name.name.clone()))];
                found.extend(tx.fetch::<Table>(&Sql::new(&text).bind(params)).await?.into_iter().next());
            }
            Ok(found)
        })
    }

    fn now<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<DateTime<Utc>>> {
        #[derive(Deserialize)]
        struct Now {
            now: DateTime<Utc>,
        }
        Box::pin(async move {
            let now: Now = tx.one(&Sql::new("select clock_timestamp() as now")).await?;
            Ok(now.now)
        })
    }

    fn blockers<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        wanted: &'a WantedLocks<'a>,
    ) -> Fut<'a, Result<Vec<Blocker>>> {
        Box::pin(blockers::blockers(tx, wanted))
    }
}
