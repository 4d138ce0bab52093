//! A target's definitions in a copy: those of `pg_dump`, with the roles, owners and privileges that decide what runs.

use crate::engine::model::query::Sql;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::dialect::postgres::PgReader;
use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::query::Param;
use crate::engine::port::reader::{ReadOptions, Reader};
use crate::sandbox::Server;
use crate::sandbox::postgres::rehearsal::{DATABASE, SandboxCopies, inside, run};

/// `$1`: the private server's superuser. Roles with what decides whether they may, who is a member of whom, and to
/// whom the database belongs: schema `public` is that role's.
const ROLES: &str = "
select s from (
  select 1 as place, format('create role %I%s%s%s', r.rolname, case when r.rolsuper then ' superuser' end,
           case when not r.rolinherit then ' noinherit' end, case when r.rolbypassrls then ' bypassrls' end) as s
  from pg_roles r where r.rolname !~ '^pg_' and r.rolname <> $1
  union
  select 2, format('grant %I to %I', r.rolname, m.rolname)
           || coalesce(' with inherit ' || (to_jsonb(a) ->> 'inherit_option'), '')
           || coalesce(', set ' || (to_jsonb(a) ->> 'set_option'), '')
  from pg_auth_members a join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member
  where m.rolname !~ '^pg_' and $1 not in (r.rolname, m.rolname)
  union
  select 3, format('alter database %I owner to %I', $2, pg_get_userbyid(d.datdba)) from pg_database d
  where d.datname = current_database()) q order by place, s";

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
    /// The target's roles, and what they are to each other; nobody can log in as one of them.
    pub(super) async fn roles(&self, server: &Server) -> Result<()> {
        let mut tx = PgReader::new(self.target.clone()).begin(ReadOptions::default()).await?;
        let make =
            tx.texts(&Sql::new(ROLES).bind([Param::from(server.user()), Param::from(DATABASE)])).await?;
        let make: Vec<String> = make.into_iter().flatten().collect();
        server.owner(DATABASE).await?.execute_script(&make.join(";\n")).await
    }

    /// What must be left out, so that the rest can be copied; `whole`: our own schema is copied too.
    pub(super) async fn omitted(&self, relations: &[String], whole: bool) -> Result<Omitted> {
        let target = PgReader::new(self.target.clone());
        target.set_search_path(&self.search_path);
        let wanted = relations.iter().map(|r| Relation::parse(r).to_string()).collect();
        let mut tx = target.begin(ReadOptions::default()).await?;
        Ok(Omitted::among(
            tx.one(&Sql::new(OTHERS).bind([Param::Texts(wanted), Param::Int(i64::from(whole))])).await?,
        ))
    }

    /// What could not be made of a section of the dump, as the server says it.
    pub(super) async fn definitions(
        &self,
        server: &Server,
        section: &str,
        omitted: &Omitted,
    ) -> Result<Vec<String>> {
        let file = server.files().join(format!("{section}.sql"));
        let (mut dump, _passfile) = self.reaching(server.binaries(), "pg_dump")?;
        dump.args(["--schema-only", "--no-publications", "--no-subscriptions", "--no-tablespaces"]);
        dump.arg(format!("--section={section}"));
        dump.args(omitted.patterns.iter().map(|p| format!("--exclude-table={p}")));
        dump.args(["--exclude-schema=midwatch", "--lock-wait-timeout=5s", "--file"]).arg(&file);
        run(dump, "copy the target's definitions with pg_dump").await?;
        let mut psql = inside(server);
        psql.arg("--file").arg(&file);
        let said = run(psql, "make the target's definitions in the sandbox").await?;
        let error = |line: &str| line.split_once("ERROR:").map(|(_, what)| what.trim().to_owned());
        // Our own schema is left out, and so is what hangs on it.
        let ours = |what: &String| {
            what.contains("midwatch")
                || what.contains(r#"schema "public" already exists"#)
                // A sample's rows may refer to rows that it left out.
                || what.contains("violates foreign key constraint")
        };
        Ok(said.lines().filter_map(error).filter(|what| !ours(what)).collect())
    }
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
