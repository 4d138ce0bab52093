//! A script of GRANTs for a role that reads and one that changes: what a profile's checks and operations need, no more. It
//! is printed, for a person to read and run; nothing here runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use super::journal::install;
use crate::engine::model::error::Result;
use crate::engine::model::grants::{GrantRequest, TableRight};
use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::query::{Param, Sql};
use crate::engine::port::reader::ReadTx;

// Tables whose name stands in the profile, in a schema of its path or one that it names; each with its partitions.
const TABLES: &str = "
with recursive named as (
  select c.oid, c.oid as root
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname = any ($1::text[])
    and (n.nspname = any ($2::text[]) or n.nspname = any ($1::text[]))
    and n.nspname not in ('pg_catalog', 'information_schema', 'midwatch') and n.nspname !~ '^pg_(toast|temp)'),
tree as (
  select oid, root from named
  union
  select i.inhrelid, t.root from pg_inherits i join tree t on i.inhparent = t.oid)
select distinct on (c.oid) n.nspname as schema, c.relname as name, o.rolname as owner, o.rolsuper as owned_by_superuser,
       c.relrowsecurity as row_security, r.relname as root, rn.nspname as root_schema,
       array(select json_build_object('schema', sn.nspname, 'name', s.relname, 'column', d.deptype = 'a')
             from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
             join pg_namespace sn on sn.oid = s.relnamespace
             where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
               and d.deptype in ('a', 'i') order by s.relname) as sequences
from tree t join pg_class c on c.oid = t.oid join pg_namespace n on n.oid = c.relnamespace
join pg_roles o on o.oid = c.relowner
join pg_class r on r.oid = t.root join pg_namespace rn on rn.oid = r.relnamespace
order by c.oid, t.root";

// Functions that not every role may execute.
const FUNCTIONS: &str = "
select p.oid::regprocedure::text
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where p.proname = any ($1::text[]) and (n.nspname = any ($2::text[]) or n.nspname = any ($1::text[]))
  and n.nspname not in ('pg_catalog', 'information_schema', 'midwatch')
  and not exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                  where a.grantee = 0 and a.privilege_type = 'EXECUTE')
order by 1";

const PLACE: &str = "
select current_database()::text as database, to_regnamespace('midwatch') is not null as journal,
       array(select nspname::text from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' order by 1) as schemas";

#[derive(Deserialize)]
struct GrantPlace {
    database: String,
    journal: bool,
    schemas: Vec<String>,
}

/// A table that is named, or a partition of one.
#[derive(Deserialize)]
struct NamedTable {
    schema: String,
    name: String,
    owner: String,
    owned_by_superuser: bool,
    row_security: bool,
    root: String,
    root_schema: String,
    sequences: Vec<OwnedSequence>,
}

#[derive(Deserialize)]
struct OwnedSequence {
    schema: String,
    name: String,
    /// Of a column's default, which needs a privilege of its own.
    column: bool,
}

impl NamedTable {
    fn relation(&self) -> Relation {
        Relation { schema: Some(self.schema.clone()), name: self.name.clone() }
    }

    fn is_root(&self) -> bool {
        (&self.schema, &self.name) == (&self.root_schema, &self.root)
    }
}

pub(super) async fn script(tx: &mut dyn ReadTx, request: &GrantRequest) -> Result<String> {
    let place: GrantPlace = tx.one(&Sql::new(PLACE)).await?;
    let words = words(request);
    let params = [Param::Texts(words), Param::Texts(request.search_path.clone())];
    let tables: Vec<NamedTable> = tx.fetch(&Sql::new(TABLES).bind(params.clone())).await?;
    let functions: Vec<String> =
        tx.texts(&Sql::new(FUNCTIONS).bind(params)).await?.into_iter().flatten().collect();
    let script = GrantScript { request, place: &place, tables: &tables, functions: &functions };
    Ok(script.text())
}

/// Every word of the profile that may be a name; as it stands, and as the server folds it.
fn words(request: &GrantRequest) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut out = BTreeSet::new();
    for text in request.texts.iter().chain(request.needs.iter().map(|n| &n.table)) {
        for word in text.split(|c| !is_name(c)).filter(|w| !w.is_empty()) {
            out.insert(word.to_lowercase());
            out.insert(word.to_owned());
        }
        // A name with other characters stands in quotes.
        out.extend(text.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    out.into_iter().collect()
}

/// The names that statements write: what stands after INTO, UPDATE and FROM of a DELETE, with what is done there.
fn written(statements: &[String]) -> Vec<(Relation, TableRight)> {
    let mut out = Vec::new();
    for statement in statements {
        let words: Vec<&str> = statement
            .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';'))
            .filter(|w| !w.is_empty())
            .collect();
        for at in 0..words.len() {
            let is = |n: usize, word: &str| words.get(at + n).is_some_and(|w| w.eq_ignore_ascii_case(word));
            let (right, name) = if is(0, "insert") && is(1, "into") {
                (TableRight::Insert, words.get(at + 2))
            } else if is(0, "delete") && is(1, "from") {
                (TableRight::Delete, words.get(at + 2))
            } else if is(0, "update") {
                (TableRight::Update, words.get(at + 1))
            } else {
                continue;
            };
            out.extend(name.map(|n| (Relation::parse(n), right)));
        }
    }
    out
}

struct GrantScript<'a> {
    request: &'a GrantRequest,
    place: &'a GrantPlace,
    tables: &'a [NamedTable],
    functions: &'a [String],
}

/// What is done to a table, and by which operations.
type Needed<'a> = BTreeMap<Relation, (BTreeSet<TableRight>, BTreeSet<&'a str>)>;

impl GrantScript<'_> {
    fn text(&self) -> String {
        let mut out = self.head();
        self.reader(&mut out);
        self.operator(&mut out);
        out
    }

    fn head(&self) -> String {
        let GrantRequest { profile, .. } = self.request;
        format!(
            "-- Roles for midwatch in database {}, profile {}. To be read, and run there by a superuser or the owners of what\n\
             -- it names: psql --single-transaction -v ON_ERROR_STOP=1 -f FILE. It can be run again, after `midwatch plan init`\n\
             -- and for new tables and partitions. The roles get no password here: \\password ROLE gives one.\n",
            comment(&self.place.database),
            comment(profile)
        )
    }

    fn reader(&self, out: &mut String) {
        let reader = Ident(&self.request.reader);
        let _ = writeln!(out, "\n-- The reader: every check and every plan is made with these rights.");
        out.push_str(&create(&self.request.reader));
        let _ = writeln!(out, "GRANT CONNECT ON DATABASE {} TO {reader};", Ident(&self.place.database));
        let _ = writeln!(out, "-- Replica lag, and what sessions of others do.");
        let _ = writeln!(out, "GRANT pg_read_all_stats TO {reader};");
        let schemas: BTreeSet<&String> = self.tables.iter().map(|t| &t.schema).collect();
        for schema in schemas {
            let _ = writeln!(out, "GRANT USAGE ON SCHEMA {} TO {reader};", Ident(schema));
        }
        for table in self.tables {
            let _ = writeln!(out, "GRANT SELECT ON TABLE {} TO {reader};", quoted(&table.relation()));
            for s in &table.sequences {
                let _ = writeln!(out, "GRANT SELECT ON SEQUENCE {} TO {reader};", quoted_sequence(s));
            }
            if table.row_security && table.is_root() {
                let name = comment(&table.relation().brief());
                let _ = writeln!(
                    out,
                    "-- {name} has row security: without BYPASSRLS its checks are unknown (ALTER ROLE {reader} BYPASSRLS)."
                );
            }
        }
        for function in self.functions {
            let _ = writeln!(out, "GRANT EXECUTE ON ROUTINE {function} TO {reader};");
        }
        self.journal(out, &self.request.reader, &install::reader_grants(&self.request.reader));
    }

    /// Rights on schema midwatch, once it is there.
    fn journal(&self, out: &mut String, role: &str, grants: &[String]) {
        if !self.place.journal {
            let role = comment(role);
            let _ = writeln!(
                out,
                "-- Schema midwatch does not exist yet: once its owner has made it (midwatch plan init), run this again for {role}."
            );
            return;
        }
        for grant in grants {
            let _ = writeln!(out, "{grant};");
        }
    }

    fn operator(&self, out: &mut String) {
        let role = self.request.operator.as_str();
        let operator = Ident(role);
        let _ = writeln!(out, "\n-- The operator: what the operations of this profile change.");
        out.push_str(&create(role));
        let _ = writeln!(out, "GRANT {} TO {operator};", Ident(&self.request.reader));
        let database = Ident(&self.place.database);
        let _ = writeln!(out, "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {operator};");
        self.journal(out, role, &install::grants(&[role.to_owned()]));
        let needed = self.needed();
        for (relation, (rights, verbs)) in &needed {
            let verbs = verbs.iter().copied().collect::<Vec<_>>().join(", ");
            let _ = writeln!(out, "-- {}: {verbs}", comment(&relation.brief()));
            self.table(out, relation, rights, operator);
        }
        self.owners(out, &needed, operator);
        if needed.values().any(|(rights, _)| rights.contains(&TableRight::Silence)) {
            let _ = writeln!(
                out,
                "-- For backfill --set strategy=replica_role only; a superuser grants it, from 15 on:"
            );
            let _ = writeln!(out, "-- GRANT SET ON PARAMETER session_replication_role TO {operator};");
        }
    }

    fn table(
        &self,
        out: &mut String,
        relation: &Relation,
        rights: &BTreeSet<TableRight>,
        operator: Ident<'_>,
    ) {
        let words =
            [(TableRight::Insert, "INSERT"), (TableRight::Update, "UPDATE"), (TableRight::Delete, "DELETE")];
        let words: Vec<_> = words.iter().filter(|(r, _)| rights.contains(r)).map(|(_, w)| *w).collect();
        let table = quoted(relation);
        if !words.is_empty() {
            let _ = writeln!(out, "GRANT {} ON TABLE {table} TO {operator};", words.join(", "));
        }
        let of_it = || self.tables.iter().filter(|t| t.relation() == *relation);
        if rights.contains(&TableRight::Insert) {
            for s in of_it().flat_map(|t| &t.sequences).filter(|s| s.column) {
                let _ = writeln!(out, "GRANT USAGE ON SEQUENCE {} TO {operator};", quoted_sequence(s));
            }
        }
    }

    /// What only an owner may: no GRANT gives it, but membership of the owner does.
    fn owners(&self, out: &mut String, needed: &Needed<'_>, operator: Ident<'_>) {
        let has = |t: &NamedTable, right| {
            let root = Relation { schema: Some(t.root_schema.clone()), name: t.root.clone() };
            needed.get(&root).is_some_and(|(rights, _)| rights.contains(&right))
        };
        let (others, superusers): (Vec<&NamedTable>, Vec<_>) =
            self.tables.iter().filter(|t| has(t, TableRight::Own)).partition(|t| !t.owned_by_superuser);
        for table in superusers.iter().filter(|t| t.is_root()) {
            let name = comment(&table.relation().brief());
            let _ = writeln!(
                out,
                "-- Not possible as it is: only its owner may change triggers, names and partitions of {name}, and that is superuser\n\
                 -- {}. Give the table and its partitions to another role, and run this again.",
                comment(&table.owner)
            );
        }
        // What the operator has made itself, such as a partition, is its own already.
        let others: Vec<&NamedTable> =
            others.into_iter().filter(|t| t.owner != self.request.operator).collect();
        if !others.is_empty() {
            let _ = writeln!(
                out,
                "-- Triggers, names and partitions are their owner's to change, and no GRANT gives that. While nothing is to be changed,\n\
                 -- this can be revoked; the check roles/search-path names who can create in a schema of the path."
            );
        }
        for owner in others.iter().map(|t| &t.owner).collect::<BTreeSet<_>>() {
            let _ = writeln!(out, "GRANT {} TO {operator};", Ident(owner));
        }
        // What is given to an owner may stand only where that owner can create.
        let created = others.iter().filter(|t| has(t, TableRight::Create));
        for (schema, owner) in created.map(|t| (&t.schema, &t.owner)).collect::<BTreeSet<_>>() {
            let _ = writeln!(out, "GRANT CREATE ON SCHEMA {} TO {};", Ident(schema), Ident(owner));
        }
        if needed.values().any(|(rights, _)| rights.contains(&TableRight::Backup)) {
            let _ = writeln!(
                out,
                "-- A switchover's backup has the definitions of the whole database: pg_dump locks every table and reads every sequence."
            );
            for schema in self.place.schemas.iter().map(|s| Ident(s)) {
                let _ = writeln!(out, "GRANT USAGE ON SCHEMA {schema} TO {operator};");
                let _ = writeln!(out, "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {operator};");
                let _ = writeln!(out, "GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {operator};");
            }
        }
        let captures = needed.values().any(|(rights, _)| rights.contains(&TableRight::Capture));
        if captures && self.place.journal {
            let _ = writeln!(
                out,
                "-- Change capture (watch) has its functions in schema midwatch; forget=yes is for the owner of midwatch.marks."
            );
            let _ = writeln!(out, "GRANT CREATE ON SCHEMA midwatch TO {operator};");
            let _ = writeln!(
                out,
                "-- Its functions belong to the owners of the marked tables, and write marks with their rights."
            );
            let marked = self.tables.iter().filter(|t| has(t, TableRight::Capture) && !t.owned_by_superuser);
            for owner in marked.map(|t| &t.owner).collect::<BTreeSet<_>>() {
                let owner = Ident(owner);
                let _ = writeln!(out, "GRANT USAGE, CREATE ON SCHEMA midwatch TO {owner};");
                let _ = writeln!(out, "GRANT INSERT ON midwatch.marks TO {owner};");
            }
        }
    }

    /// By table, as the catalog has it; what is named and not there needs nothing.
    fn needed(&self) -> Needed<'_> {
        let mut out = Needed::new();
        let operations =
            self.request.needs.iter().map(|n| (Relation::parse(&n.table), n.verb, n.rights.clone()));
        let statements = written(&self.request.statements).into_iter();
        let statements =
            statements.map(|(relation, right)| (relation, "statements of the profile", vec![right]));
        for (relation, verb, rights) in operations.chain(statements) {
            let Some(table) = self.led_to(&relation) else { continue };
            let entry = out.entry(table.relation()).or_default();
            entry.0.extend(rights);
            entry.1.insert(verb);
        }
        out
    }

    /// The table that a name leads to under the profile's path.
    fn led_to(&self, relation: &Relation) -> Option<&NamedTable> {
        let schemas = match &relation.schema {
            Some(schema) => vec![schema],
            None => self.request.search_path.iter().collect(),
        };
        schemas
            .into_iter()
            .find_map(|s| self.tables.iter().find(|t| t.schema == *s && t.name == relation.name))
    }
}

/// Roles belong to the whole server: the script of another of its databases may be run at the same moment.
fn create(role: &str) -> String {
    let body = format!(
        "BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN CREATE ROLE {} LOGIN; END IF; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END",
        literal(role),
        Ident(role)
    );
    format!("DO {};\n", literal(&body))
}

fn quoted(relation: &Relation) -> String {
    let schema = relation.schema.as_deref().map(|s| format!("{}.", Ident(s))).unwrap_or_default();
    format!("{schema}{}", Ident(&relation.name))
}

fn quoted_sequence(sequence: &OwnedSequence) -> String {
    quoted(&Relation { schema: Some(sequence.schema.clone()), name: sequence.name.clone() })
}

/// A name inside a comment cannot end its line.
fn comment(name: &str) -> String {
    name.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, name: &str, owner: &str) -> NamedTable {
        NamedTable {
            schema: schema.into(),
            name: name.into(),
            owner: owner.into(),
            owned_by_superuser: owner == "postgres",
            row_security: false,
            root: name.into(),
            root_schema: schema.into(),
            sequences: vec![],
        }
    }

    fn request() -> GrantRequest {
        use crate::engine::model::grants::TableNeed;
        GrantRequest {
            profile: "p\nDROP TABLE x;".into(),
            reader: "reads".into(),
            operator: "it's \"me\"".into(),
            search_path: vec!["app".into(), "public".into()],
            texts: vec!["select 1 from Orders o join \"Odd name\" using (id)".into()],
            statements: vec!["insert into audit (a) select 1 for update of x".into()],
            needs: vec![
                TableNeed::new("fix", "orders", &[TableRight::Update, TableRight::Own]),
                TableNeed::new("fix", "not_there", &[TableRight::Delete]),
            ],
        }
    }

    fn text(tables: &[NamedTable]) -> String {
        let place = GrantPlace { database: "db".into(), journal: false, schemas: vec![] };
        let request = request();
        GrantScript { request: &request, place: &place, tables, functions: &[] }.text()
    }

    #[test]
    fn words_are_names_as_they_stand_and_as_they_are_folded() {
        let words = words(&request());
        for word in ["orders", "Orders", "Odd name"] {
            assert!(words.iter().any(|w| w == word), "{word} not in {words:?}");
        }
    }

    #[test]
    fn a_need_is_of_the_table_that_the_path_leads_to() {
        let tables =
            [table("public", "orders", "b"), table("app", "orders", "a"), table("public", "audit", "b")];
        let text = text(&tables);
        assert!(text.contains("GRANT UPDATE ON TABLE \"app\".\"orders\" TO \"it's \"\"me\"\"\";"), "{text}");
        assert!(text.contains("GRANT INSERT ON TABLE \"public\".\"audit\""), "{text}");
        assert!(text.contains("GRANT \"a\" TO") && !text.contains("GRANT \"b\" TO"), "{text}");
        assert!(!text.contains("not_there"), "{text}");
    }

    /// No GRANT makes a member of a superuser, and no name ends the line of a comment.
    #[test]
    fn what_a_superuser_owns_is_named_and_not_granted() {
        let text = text(&[table("app", "orders", "postgres")]);
        assert!(text.contains("-- Not possible as it is: only its owner may change"), "{text}");
        assert!(!text.contains("GRANT \"postgres\"") && text.contains("profile p DROP TABLE x;"), "{text}");
    }
}
