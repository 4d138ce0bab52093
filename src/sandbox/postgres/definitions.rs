//! A target's definitions in a copy: those of `pg_dump`, with the roles, owners and privileges that decide what runs.

use crate::engine::model::query::Sql;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::dialect::postgres::PgReader;
use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::Param;
use crate::engine::port::copies::CopyRequest;
use crate::engine::port::reader::{ReadOptions, ReadTx, Reader as _};
use crate::sandbox::postgres::Binaries;
use crate::sandbox::postgres::extensions::{EXTENSIONS, Extension};
use crate::sandbox::postgres::programs;
use crate::sandbox::postgres::rehearsal::{PATIENCE, SandboxCopies};
use crate::sandbox::postgres::restore::{PRIVILEGED, Privileged, Restored};
use crate::sandbox::postgres::roles::{ROLES, TargetRoles};
use crate::sandbox::postgres::tenant::{TenantOptions, TenantServer};

/// `$1`: what is wanted. What hangs on a table, of any kind that changes what a write or a change of it does; foreign keys
/// may be refused by a sample's rows, and our own schema's triggers are left out with it. Of a partition only triggers of
/// its own: the rest is its table's.
const PARTS: &str = "
with recursive wanted as (
  select to_regclass(n)::oid as oid, true as root from unnest($1::text[]) n
  union all select i.inhrelid, false from pg_inherits i join wanted w on i.inhparent = w.oid),
named as (select w.oid, w.root, format('%I.%I', n.nspname, c.relname) as name
          from wanted w join pg_class c on c.oid = w.oid join pg_namespace n on n.oid = c.relnamespace)
select array(
  select format('trigger %s of %s', g.tgname, w.name) from named w join pg_trigger g on g.tgrelid = w.oid
  where not g.tgisinternal and g.tgparentid = 0
    and (select n.nspname <> 'midwatch' or f.proname !~ '^mark_(legacy|twin)_[0-9]+$' from pg_proc f join pg_namespace n on n.oid = f.pronamespace where f.oid = g.tgfoid)
  union select format('constraint %s of %s', k.conname, w.name) from named w join pg_constraint k on k.conrelid = w.oid
  where w.root and k.contype in ('c', 'x', 'u', 'p')
  union select format('index %s of %s', c.relname, w.name) from named w join pg_index i on i.indrelid = w.oid
  join pg_class c on c.oid = i.indexrelid where w.root
  union select format('rule %s of %s', r.rulename, w.name) from named w join pg_rewrite r on r.ev_class = w.oid
  union select format('policy %s of %s', p.polname, w.name) from named w join pg_policy p on p.polrelid = w.oid
  union select format('row level security forced on the owner of %s', w.name) from named w join pg_class c on c.oid = w.oid
  where c.relforcerowsecurity
  union select format('default of %s.%s', w.name, a.attname) from named w join pg_attribute a on a.attrelid = w.oid
  where w.root and a.attnum > 0 and not a.attisdropped and a.atthasdef
  order by 1) as parts";

/// `$1`: what is wanted; `$2`: 1 with our own schema and with what a view keeps. Other tables, which of them `pg_dump`
/// could not lock, and how many locks the server has room for.
const OTHERS: &str = "
with recursive wanted as (
  select to_regclass(n)::oid as oid from unnest($1::text[]) n
  union select i.inhrelid from pg_inherits i join wanted w on i.inhparent = w.oid)
select coalesce((select json_agg(json_build_object(
           'schema', n.nspname, 'name', c.relname, 'leaf', c.relkind = 'r' and c.relispartition,
           'parent', (select format('%I.%I', pn.nspname, pc.relname) from pg_inherits i join pg_class pc on pc.oid = i.inhparent
                      join pg_namespace pn on pn.oid = pc.relnamespace where i.inhrelid = c.oid limit 1),
           'hidden', not (has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')))
         order by n.nspname, c.relname)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where (c.relkind in ('r', 'p') or c.relkind = 'm' and $2 = 1) and n.nspname !~ '^pg_'
           and n.nspname <> 'information_schema' and (n.nspname <> 'midwatch' or $2 = 1)
           and c.oid not in (select w.oid from wanted w where w.oid is not null)), '[]') as tables,
       (select count(*) from wanted) as wanted,
       current_setting('max_locks_per_transaction')::int8
         * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8) as room";

/// Gives tables whose partitions were left out one that takes all rows.
const CATCH_ALL: &str = "
do $$ declare p regclass; begin
  for p in select distinct t.partrelid::regclass from pg_partitioned_table t where t.partstrat <> 'h'
           and not exists (select from pg_inherits i where i.inhparent = t.partrelid)
           and t.partrelid = any (array[PARENTS]::text[]::regclass[]::oid[])
  loop execute format('create table public.midwatch_rest_%s partition of %s default', p::oid, p); end loop;
end $$";

/// So many names are told.
const TOLD: usize = 5;
/// So many names go into one pattern: an argument has a longest length.
const NAMES: usize = 500;

#[derive(Deserialize)]
struct OtherTables {
    tables: Vec<Other>,
    wanted: usize,
    room: usize,
}

#[derive(Deserialize)]
struct Other {
    schema: String,
    name: String,
    leaf: bool,
    parent: Option<String>,
    hidden: bool,
}

impl Other {
    fn brief(&self) -> String {
        Relation { schema: Some(self.schema.clone()), name: self.name.clone() }.brief()
    }
}

/// Tables that the copy does without.
#[derive(Debug, Default)]
pub(super) struct Omitted {
    pub(super) patterns: Vec<String>,
    /// The other tables that it has, without their rows.
    pub(super) others: Vec<String>,
    parents: Vec<String>,
    /// Which, and why, in words.
    pub(super) said: Vec<String>,
}

impl Omitted {
    fn among(found: OtherTables) -> Self {
        // Others need locks meanwhile.
        let tight = found.tables.len() + found.wanted > found.room / 2;
        let mut out = Self::default();
        let (hidden, seen): (Vec<_>, Vec<_>) = found.tables.into_iter().partition(|o| o.hidden);
        let (leaves, kept): (Vec<_>, Vec<_>) = seen.into_iter().partition(|o| tight && o.leaf);
        if !hidden.is_empty() {
            out.said.push(format!("{}, which this role may not read", names_of(&hidden)));
        }
        if !leaves.is_empty() {
            let why = format!("the server has room for {} locks", found.room);
            out.said.push(format!("{} partitions of other tables ({why})", leaves.len()));
        }
        out.parents = leaves.iter().filter_map(|l| l.parent.clone()).collect();
        out.patterns = patterns(hidden.iter().chain(&leaves));
        out.others = patterns(kept.iter());
        out
    }

    /// Makes up for what was left out, as far as it takes rows.
    pub(super) fn instead(&self) -> Option<String> {
        let parents: Vec<_> = self.parents.iter().map(|p| crate::engine::model::name::literal(p)).collect();
        (!parents.is_empty()).then(|| CATCH_ALL.replace("PARENTS", &parents.join(", ")))
    }
}

fn names_of(tables: &[Other]) -> String {
    let shown: Vec<_> = tables.iter().take(TOLD).map(Other::brief).collect();
    match tables.len().saturating_sub(TOLD) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// As `pg_dump` reads them: outside of quotes, brackets and bars are those of regular expressions.
fn patterns<'o>(tables: impl Iterator<Item = &'o Other>) -> Vec<String> {
    let mut schemas: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for table in tables {
        schemas.entry(&table.schema).or_default().push(Ident(&table.name).to_string());
    }
    let of = |(schema, names): (&str, Vec<String>)| -> Vec<String> {
        names.chunks(NAMES).map(|n| format!("{}.({})", Ident(schema), n.join("|"))).collect()
    };
    schemas.into_iter().flat_map(of).collect()
}

impl SandboxCopies {
    /// A server with the target's roles and the extensions it may have, and nothing else in it.
    pub(super) async fn tenants(
        &self,
        binaries: Binaries,
        memory: bool,
        bypass_rls: bool,
    ) -> Result<TenantServer> {
        let mut tx = PgReader::new(self.target.clone()).begin(ReadOptions::default()).await?;
        let roles: TargetRoles = tx.one(&Sql::new(ROLES)).await?;
        let extensions: Vec<Extension> = tx.fetch(&Sql::new(EXTENSIONS)).await?;
        drop(tx);
        let options = TenantOptions {
            binaries,
            memory,
            roles: &roles,
            extensions: &extensions,
            named: &self.extensions,
            bypass_rls,
        };
        TenantServer::start(options).await
    }

    /// What must be left out, so that the rest can be copied; `whole`: our own schema is copied too.
    pub(super) async fn omitted(&self, relations: &[String], whole: bool) -> Result<Omitted> {
        let mut tx = self.read().await?;
        let params = [Param::Texts(quoted(relations)), Param::Int(i64::from(whole))];
        Ok(Omitted::among(tx.one(&Sql::new(OTHERS).bind(params)).await?))
    }

    /// What only a superuser may make.
    pub(super) async fn privileged(&self) -> Result<Privileged> {
        self.read().await?.one(&Sql::new(PRIVILEGED)).await
    }

    async fn read(&self) -> Result<Box<dyn ReadTx>> {
        let target = PgReader::new(self.target.clone());
        target.set_search_path(&self.search_path);
        target.begin(ReadOptions::default()).await
    }

    /// Writes the target's definitions to a file.
    pub(super) async fn dump(&self, binaries: &Binaries, omitted: &Omitted, file: &Path) -> Result<()> {
        let (mut dump, _passfile) = self.reaching(binaries, "pg_dump")?;
        dump.args(["--format=custom", "--schema-only", "--no-publications", "--no-subscriptions"]);
        dump.args(["--no-tablespaces", "--no-security-labels"]);
        dump.args(omitted.patterns.iter().map(|p| format!("--exclude-table={p}")));
        dump.args(["--exclude-schema=midwatch", "--lock-wait-timeout=5s", "--file"]).arg(file);
        programs::run(dump, "copy the target's definitions with pg_dump", PATIENCE).await.map(drop)
    }

    /// What of the wanted tables is on the target and not in the copy, so that nothing was tried with it; and what would
    /// have fired for every definition.
    pub(super) async fn untried(
        &self,
        copy: &PgReader,
        wanted: &CopyRequest,
        restored: &Restored,
    ) -> Result<Vec<String>> {
        let parts = Sql::new(PARTS).bind([Param::Texts(quoted(&wanted.relations))]);
        let there: Parts = self.read().await?.one(&parts).await?;
        let here: Parts = copy.begin(ReadOptions::default()).await?.one(&parts).await?;
        let mut out: Vec<String> =
            restored.event_triggers.iter().map(|name| format!("event trigger {name}")).collect();
        out.extend(there.parts.into_iter().filter(|p| !here.parts.contains(p)));
        Ok(out)
    }
}

#[derive(Deserialize)]
struct Parts {
    parts: Vec<String>,
}

fn quoted(relations: &[String]) -> Vec<String> {
    relations.iter().map(|r| Relation::parse(r).to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(name: &str, leaf: bool, hidden: bool) -> Other {
        Other { schema: "app".into(), name: name.into(), leaf, parent: None, hidden }
    }

    #[test]
    fn partitions_of_others_are_left_out_only_where_locks_are_short() {
        let of = |room| {
            let tables =
                vec![other("parent", false, false), other("p|1", true, false), other("x", true, true)];
            Omitted::among(OtherTables { tables, wanted: 2, room })
        };
        assert_eq!(of(10).patterns, [r#""app".("x")"#]);
        assert_eq!(of(9).patterns, [r#""app".("x"|"p|1")"#]);
        assert_eq!(of(9).said[1], "1 partitions of other tables (the server has room for 9 locks)");
    }
}
