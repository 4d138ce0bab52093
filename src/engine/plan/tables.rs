//! What a plan must know of a table: its columns, triggers, constraints and our rights on it.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::change::{Derived, Referrer, TypedColumn};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::Relation;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::profile::DerivedTable;
use crate::engine::model::query::Param;
use crate::engine::plan::operation::PlanCx;

/// A table as the catalog has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "privileges as the catalog has them")]
pub struct Table {
    /// Its oid.
    pub oid: i64,
    /// Columns that are stored, in order; generated ones follow from them.
    pub columns: Vec<Stored>,
    /// Triggers, also those of its partitions, the internal ones left out.
    pub triggers: Vec<Trigger>,
    /// Foreign keys that refer to it and do something of themselves.
    pub referrers: Vec<Referrer>,
    /// CHECK constraints.
    pub checks: Vec<Constraint>,
    /// Columns of each unique index that holds for all rows.
    pub unique_keys: Vec<Vec<String>>,
    /// Columns that any unique or excluding index reads, be it of some rows only or in an expression.
    pub unique_columns: Vec<String>,
    /// We own it, or may do as its owner.
    pub owned: bool,
    /// We may read it.
    pub may_select: bool,
    /// We may remove rows.
    pub may_delete: bool,
    /// We may silence all triggers.
    pub may_replicate: bool,
}

/// A column.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "what the catalog says of a column")]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// As a cast takes it.
    pub type_name: String,
    /// The same, wherever it is read: with its schema, where that is not the server's own.
    pub qualified: String,
    /// Computed by the table itself.
    pub generated: bool,
    /// Numbered by the table itself, and never by an UPDATE.
    pub numbered: bool,
    /// We may change it.
    pub may_update: bool,
    /// We may give it.
    pub may_insert: bool,
}

/// A trigger.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "what the catalog says of a trigger")]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// `O` origin, `A` always, `R` replica, `D` disabled.
    pub state: String,
    /// Its function.
    pub function: String,
    /// Before the row is written: it may write other columns.
    pub before: bool,
    /// For each row.
    pub row: bool,
    /// On INSERT.
    pub on_insert: bool,
    /// On UPDATE.
    pub on_update: bool,
    /// On DELETE.
    pub on_delete: bool,
    /// UPDATE OF these; empty: of any.
    pub columns: Vec<String>,
}

/// A CHECK.
#[derive(Debug, Clone, Deserialize)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// As the server writes it.
    pub definition: String,
    /// What it asks of a row.
    pub expression: String,
    /// Columns it reads.
    pub columns: Vec<String>,
}

const TABLE: &str = "
select c.oid::int8 as oid,
       coalesce((select json_agg(json_build_object('name', a.attname, 'type_name', format_type(a.atttypid, a.atttypmod),
                          'qualified', (select case when n.nspname = 'pg_catalog' then format_type(a.atttypid, a.atttypmod)
                                                    else format('%I.%I', n.nspname, y.typname) end
                                        from pg_type y join pg_namespace n on n.oid = y.typnamespace where y.oid = a.atttypid),
                          'generated', a.attgenerated <> '', 'numbered', a.attidentity = 'a',
                          'may_update', has_column_privilege(c.oid, a.attnum, 'update'),
                          'may_insert', has_column_privilege(c.oid, a.attnum, 'insert')) order by a.attnum)
                 from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns,
       coalesce((select json_agg(json_build_object('name', t.tgname, 'state', t.tgenabled, 'function', t.tgfoid::regproc::text,
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
                 select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                   and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum))) as unique_columns,
       pg_has_role(current_user, c.relowner, 'usage') as owned,
       has_table_privilege(c.oid, 'select') or has_any_column_privilege(c.oid, 'select') as may_select,
       has_table_privilege(c.oid, 'delete') as may_delete,
       case when current_setting('server_version_num')::int >= 150000
            then has_parameter_privilege('session_replication_role', 'set')
            else (select rolsuper from pg_roles where rolname = current_user) end as may_replicate
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relname = $2 and (n.nspname = $1 or $1 is null and pg_table_is_visible(c.oid)) and c.relkind in ('r', 'p')";

impl Stored {
    fn typed(&self) -> TypedColumn {
        TypedColumn { name: self.name.clone(), type_name: self.type_name.clone(), numbered: self.numbered }
    }
}

impl Table {
    /// May we change all of these columns?
    pub fn may_update_all(&self, columns: &[TypedColumn]) -> bool {
        columns.iter().all(|w| self.columns.iter().any(|c| c.name == w.name && c.may_update))
    }

    /// May we give all of these columns?
    pub fn may_insert_all(&self, columns: &[TypedColumn]) -> bool {
        columns.iter().all(|w| self.columns.iter().any(|c| c.name == w.name && c.may_insert))
    }

    /// Each expression as the column will hold it: what is shown is what will be there.
    pub fn stored(&self, set: &std::collections::BTreeMap<String, String>) -> Vec<(String, String)> {
        let type_of =
            |name: &String| self.columns.iter().find(|c| &c.name == name).map(|c| c.type_name.clone());
        let cast = |(name, expression): (&String, &String)| {
            let cast = type_of(name).map_or_else(|| expression.clone(), |t| format!("({expression})::{t}"));
            (name.clone(), cast)
        };
        set.iter().map(cast).collect()
    }

    /// Looks a table up.
    pub async fn find(cx: &PlanCx<'_>, name: &str) -> Result<Self> {
        let relation = Relation::parse(name);
        let mut tx = cx.cx.read().await?;
        let params = [Param::Text(relation.schema), Param::Text(Some(relation.name))];
        let found: Vec<Self> = tx.fetch(&Sql::new(TABLE).bind(params.clone())).await?;
        found.into_iter().next().ok_or_else(|| {
            Error::unobserved(format!("failed to plan: there is no table {name}"))
                .hint("is it the right profile and search_path?")
        })
    }

    /// Columns by name.
    pub fn typed<'n>(
        &self,
        table: &str,
        names: impl IntoIterator<Item = &'n String>,
    ) -> Result<Vec<TypedColumn>> {
        names
            .into_iter()
            .map(|name| {
                let column = self.columns.iter().find(|c| &c.name == name).ok_or_else(|| {
                    Error::unobserved(format!("failed to plan: table {table} has no column {name}"))
                        .hint("the profile names it; midwatch config check cannot know the database")
                })?;
                Ok(column.typed())
            })
            .collect()
    }

    /// Everything that can be kept of a row: stored columns, secrets left out.
    pub fn kept(&self, secrets: &[&str]) -> Vec<TypedColumn> {
        self.columns
            .iter()
            .filter(|c| !c.generated && !secrets.contains(&c.name.as_str()))
            .map(Stored::typed)
            .collect()
    }

    /// CHECKs that read one of these columns: they would judge what an inverse writes.
    pub fn checks_on<'s>(&'s self, columns: &'s [TypedColumn]) -> impl Iterator<Item = &'s Constraint> {
        self.checks.iter().filter(|k| k.columns.iter().any(|c| columns.iter().any(|w| &w.name == c)))
    }

    /// A key must name one row, and be found by an index: batches are many.
    pub fn keyed(&self, table: &str, key: &[String]) -> Result<()> {
        let same = |index: &Vec<String>| index.len() == key.len() && index.iter().all(|c| key.contains(c));
        if self.unique_keys.iter().any(same) {
            return Ok(());
        }
        let what = format!("failed to plan: {table} has no unique index on ({})", key.join(", "));
        Err(Error::new(Class::Refused, what).hint(
            "rows are changed by their key, one row each: name columns of a unique index in the profile",
        ))
    }

    /// May we do this to it?
    pub fn privilege(&self, table: &str, what: &str, allowed: bool, role: &str) -> Preflight {
        if allowed {
            Preflight::new("privilege", Ready::Ok, format!("{role} may {what} {table}"))
        } else {
            Preflight::new(
                "privilege",
                Ready::Fail,
                format!("role {role} may not {what} {table}: grant it first"),
            )
        }
    }
}

/// Derived tables of a profile with what the catalog knows of them.
pub async fn derived(cx: &PlanCx<'_>, declared: &[DerivedTable]) -> Result<Vec<Derived>> {
    let mut out = Vec::new();
    for d in declared {
        let table = Table::find(cx, &d.table).await?;
        table.keyed(&d.table, &d.key)?;
        let secrets = cx.profile().secrets_of(&d.table);
        let stored = table.columns.iter().filter(|c| !c.generated).map(|c| &c.name);
        out.push(Derived {
            table: d.table.clone(),
            key: table.typed(&d.table, &d.key)?,
            columns: table.kept(&secrets),
            withheld: stored.filter(|c| secrets.contains(&c.as_str())).cloned().collect(),
            rows: d.rows.clone(),
        });
    }
    Ok(out)
}
