//! Write marks: triggers that note which rows of a pair were written, and what their notes tell.
//!
//! Everything goes by oid, so that renaming a table changes nothing. The functions are built from the columns' names:
//! a mark costs one insert of a few texts, not the rendering of a row.

use crate::engine::model::query::Sql;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::engine::model::comparison::{ComparedColumn, ComparedColumns};
use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::query::Param;
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::pair::TwinTables;
use crate::features::parity::pair::catalog::{TwinTable, equality};
use crate::features::parity::pair::fingerprint::{Fingerprint, ObjectPrint};
use crate::features::parity::pair::partitions::{Layout, over_values};
use crate::features::parity::pair::sync_triggers::output_text;
use crate::features::parity::pair::trigger_ddl::Triggers;
use crate::features::parity::pair::trigger_function::{closed, dropped, owned};

/// The triggers' names.
const ROW: &str = "midwatch_mark";
const TRUNCATE: &str = "midwatch_mark_truncate";

/// Are marks written of everything?
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CaptureState {
    Complete(Fingerprint),
    Incomplete(Gap),
}

/// Why marks are not written of everything, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) why: String,
    pub(crate) lacks: GapScope,
}

impl Gap {
    fn everywhere(why: impl Into<String>) -> CaptureState {
        CaptureState::Incomplete(Self { why: why.into(), lacks: GapScope::All })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GapScope {
    /// Functions, or triggers of the tables themselves.
    All,
    /// These partitions' triggers only.
    Partitions(Vec<i64>),
    /// Something that no trigger can see.
    Never,
}

/// One side of a pair.
struct Side<'a> {
    table: &'a TwinTable,
    /// `legacy` or `twin`.
    role: &'static str,
}

impl Side<'_> {
    fn name(&self) -> Relation {
        let name = format!("mark_{}_{}", self.role, self.table.oid);
        Relation { schema: Some("midwatch".into()), name }
    }

    fn function(&self) -> String {
        format!("midwatch.{}", Ident(&self.name().name))
    }
}

/// The functions of a pair, and whose each is to be: the owner's of the table whose writes it marks.
pub(crate) fn functions(pair: &TwinTables) -> Vec<(Relation, &str)> {
    sides(pair).into_iter().map(|s| (s.name(), s.table.owner.as_str())).collect()
}

fn sides(pair: &TwinTables) -> Vec<Side<'_>> {
    let legacy = pair.legacy.iter().map(|table| Side { table, role: "legacy" });
    legacy.chain(std::iter::once(Side { table: &pair.partitioned, role: "twin" })).collect()
}

/// Named with its schema under our path, so no type of the server's own: its owner may make casts.
fn of_others(column: &ComparedColumn) -> bool {
    column.kind.contains('.')
}

/// What a mark holds of a row.
fn texts(row: &str, names: &[String], columns: &ComparedColumns) -> String {
    let text = |name: &String| {
        let value = format!("{row}.{}", Ident(name));
        let found = columns.common.iter().chain(&columns.key).find(|c| &c.name == name);
        if found.is_some_and(of_others) { output_text(&value) } else { format!("{value}::text") }
    };
    let list: Vec<_> = names.iter().map(text).collect();
    format!("array[{}]::text[]", list.join(", "))
}

fn body(columns: &ComparedColumns, layout: &Layout) -> String {
    let key: Vec<String> = columns.key.iter().map(|c| c.name.clone()).collect();
    let cells = |row: &str| format!("{}, {}", texts(row, &key, columns), texts(row, &layout.key, columns));
    let (old, new) = (cells("old"), cells("new"));
    let insert = "insert into midwatch.marks (relation, op, key, part) values (tg_relid, tg_op,";
    format!(
        "\nbegin\n  if tg_op = 'TRUNCATE' then\n    {insert} null, null);\n    return null;\n  end if;\n  \
         if tg_op <> 'INSERT' then\n    {insert} {old});\n  end if;\n  \
         if tg_op = 'INSERT' then\n    {insert} {new});\n  elsif tg_op = 'UPDATE' then\n    \
         if ({old}) is distinct from ({new}) then\n      {insert} {new});\n    end if;\n  end if;\n  return null;\nend\n"
    )
}

/// How texts are written must not depend on who writes the row.
fn settings(columns: &ComparedColumns, layout: &Layout) -> Vec<(&'static str, &'static str)> {
    let used: Vec<&ComparedColumn> =
        columns.common.iter().filter(|c| layout.key.contains(&c.name) || columns.key.contains(c)).collect();
    let any = |bases: &[&str]| used.iter().any(|c| bases.contains(&c.base.as_str()));
    let plain = ["int2", "int4", "int8", "text", "varchar", "uuid", "bool", "numeric"];
    let other = used.iter().any(|c| !plain.contains(&c.base.as_str()) && !c.base.starts_with(['d', 't']));
    let mut out = vec![("search_path", "pg_catalog, pg_temp")];
    if other || any(&["date", "timestamp", "timestamptz"]) {
        out.push(("DateStyle", "'ISO, YMD'"));
    }
    if other || any(&["timestamptz", "timetz"]) {
        out.push(("TimeZone", "'UTC'"));
    }
    if other {
        out.extend([("IntervalStyle", "'postgres'"), ("bytea_output", "'hex'"), ("extra_float_digits", "1")]);
    }
    out
}

impl Side<'_> {
    /// On the table itself: on a partitioned one the rows' trigger is cloned onto every partition.
    fn on_table(&self, columns: &ComparedColumns, layout: &Layout, made: MadeBy<'_>) -> Vec<String> {
        let (function, relation, owner) = (self.function(), &self.table.relation, &self.table.owner);
        let set: String = settings(columns, layout).iter().fold(String::new(), |mut out, (name, value)| {
            let _ = write!(out, " SET {name} = {value}");
            out
        });
        let body = body(columns, layout);
        let mut out = vec![];
        if owner != made.role {
            out.push(format!("GRANT USAGE ON SCHEMA midwatch TO {}", Ident(owner)));
            out.push(format!("GRANT INSERT ON midwatch.marks TO {}", Ident(owner)));
        }
        out.push(format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER{set} AS $midwatch${body}$midwatch$"
        ));
        out.extend(closed(&function, made.owners));
        out.push(owned(&function, owner));
        out.push(format!(
            "CREATE OR REPLACE TRIGGER {ROW} AFTER INSERT OR UPDATE OR DELETE ON {relation} FOR EACH ROW EXECUTE FUNCTION {function}()"
        ));
        out.push(format!("ALTER TABLE {relation} ENABLE ALWAYS TRIGGER {ROW}"));
        out.extend(self.on_truncate(relation));
        out
    }

    fn on_truncate(&self, relation: &str) -> [String; 2] {
        let function = self.function();
        [
            format!(
                "CREATE OR REPLACE TRIGGER {TRUNCATE} AFTER TRUNCATE ON {relation} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            ),
            format!("ALTER TABLE ONLY {relation} ENABLE ALWAYS TRIGGER {TRUNCATE}"),
        ]
    }
}

/// Whose functions they are, and who makes them.
#[derive(Clone, Copy)]
struct MadeBy<'a> {
    role: &'a str,
    owners: &'a [&'a str],
}

/// What has marks written where they are lacking: `role` makes it. Half of it may be there: what is stays, and so do its proofs.
pub(crate) fn install(
    pair: &TwinTables,
    columns: &ComparedColumns,
    layout: &Layout,
    lacks: &GapScope,
    role: &str,
) -> Triggers {
    let sides = sides(pair);
    let Some(twin) = sides.last() else { return Triggers::default() };
    let among = |oid: &i64| match lacks {
        GapScope::Partitions(some) => some.contains(oid),
        GapScope::All | GapScope::Never => true,
    };
    let whole = !matches!(lacks, GapScope::Partitions(_));
    let mut out = Triggers::default();
    if whole {
        let owners: Vec<&str> = sides.iter().map(|s| s.table.owner.as_str()).collect();
        let made = MadeBy { role, owners: &owners };
        out.make.tables = sides.iter().flat_map(|s| s.on_table(columns, layout, made)).collect();
        out.take.tables = sides.iter().flat_map(|s| dropped(&s.function())).collect();
    }
    // TRUNCATE fires those of the very table that it names: each partition has its own.
    for (relation, _) in layout.nodes.iter().zip(&layout.node_oids).filter(|(_, oid)| among(oid)) {
        if !whole {
            // A clone on a partition keeps its own state.
            out.make.partitions.push(format!("ALTER TABLE ONLY {relation} ENABLE ALWAYS TRIGGER {ROW}"));
        }
        out.make.partitions.extend(twin.on_truncate(relation));
        out.take.partitions.push(format!("DROP TRIGGER IF EXISTS {TRUNCATE} ON {relation}"));
    }
    out
}

#[derive(Deserialize)]
struct State {
    name: String,
    what: String,
    row: i64,
    truncate: i64,
    oid: i64,
    why: Option<String>,
}

/// Relations of a pair with the marks' triggers that count: `$1` to `$4` are the tables' and their functions' oids.
const MARKS: &str = "
with recursive tree as (
  select $2::oid as oid
  union all
  select i.inhrelid from pg_inherits i join tree t on i.inhparent = t.oid),
side as (select $1::oid as oid, $3::oid as fn union all select oid, $4::oid from tree),
marks as (
  select t.tgrelid,
         count(*) filter (where t.tgname = 'midwatch_mark' and t.tgtype = 29) as row,
         count(*) filter (where t.tgname = 'midwatch_mark_truncate' and t.tgtype = 32) as truncate,
         string_agg(format('%s %s %s %s', t.tgname, t.oid, t.xmin, t.tgfoid), ',' order by t.tgname) as text
  from side s join pg_trigger t on t.tgrelid = s.oid
  where t.tgfoid = s.fn and t.tgenabled = 'A' and t.tgqual is null and t.tgattr = ''::int2vector
  group by t.tgrelid)";

// Everything that a write could pass by, or that lets rows appear without one.
const STATE: &str = "
select c.relname as name, c.oid::bigint as oid, coalesce(m.row, 0) as row, coalesce(m.truncate, 0) as truncate,
       case when c.relkind = 'f' then 'a foreign table, whose writes nobody here sees'
            when c.relpersistence = 'u' then 'unlogged: a crash empties it'
            when c.relkind = 'r' and c.relhassubclass and exists (select from pg_inherits i where i.inhparent = c.oid)
              then 'a table that others inherit from' end as why,
       md5(concat_ws(' ', c.relfilenode, c.relkind, c.reltablespace, pg_get_expr(c.relpartbound, c.oid), m.text,
         (select string_agg(format('%s %s %s %s', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated), ',' order by a.attnum)
          from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
         (select string_agg(e.oid || ' ' || e.enumlabel, ',' order by e.oid) from pg_attribute a join pg_enum e on e.enumtypid = a.atttypid
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))) as what
from side s join pg_class c on c.oid = s.oid left join marks m on m.tgrelid = c.oid";

/// One text as long as every write on both sides is marked by the same triggers and functions, else NULL. Of what
/// [`installed`] looks at only that which can change between a comparison and a lock: others wait while it is asked.
pub(crate) fn fingerprint(pair: &TwinTables, columns: &ComparedColumns, layout: &Layout) -> String {
    let legacy = pair.legacy.as_ref().map_or(0, |l| l.oid);
    let twin = pair.partitioned.oid;
    let expected = literal(&body(columns, layout));
    // Who it belongs to stands in its row's version: a switchover gives the tables other owners on its way.
    let function = |name: String| {
        format!(
            "(select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'midwatch' \
             and p.proname = {} and p.prosecdef and p.prosrc = {expected})",
            literal(&name)
        )
    };
    let marks = MARKS
        .replace("$1", &legacy.to_string())
        .replace("$2", &twin.to_string())
        .replace("$3", &function(format!("mark_legacy_{legacy}")))
        .replace("$4", &function(format!("mark_twin_{twin}")));
    format!(
        "{marks} select case when bool_and(m.row = 1 and m.truncate = 1) then md5(concat_ws(';', \
         string_agg(format('%s %s %s', c.oid, c.relfilenode, m.text), ';' order by c.oid), \
         (select string_agg(p.oid || ' ' || p.xmin, ' ' order by p.oid) from pg_proc p where p.oid in (select fn from side)), \
         pg_relation_filenode(to_regclass('midwatch.marks')))) end \
         from side s join pg_class c on c.oid = s.oid left join marks m on m.tgrelid = c.oid"
    )
}

#[derive(Deserialize)]
struct OwnObject {
    name: String,
    oid: i64,
    what: String,
    source: Option<String>,
    definer: bool,
    owner: String,
    /// Its text and its owner can be replaced, in one transaction: it is ours, or of a role that we may act as.
    known: bool,
    /// The owner may write marks.
    writes: bool,
}

// Not to_regclass: it fails where the role may not use the schema. Marks of a table that another than a superuser could make a view, or give a policy, are not read by a superuser.
const OURS: &str = "
select p.proname as name, p.oid::bigint as oid, format('%s %s', p.oid, p.xmin) as what, p.prosrc as source, p.prosecdef as definer,
       r.rolname as owner, r.rolsuper or pg_has_role(r.oid, 'usage') as known,
       coalesce(has_table_privilege(r.oid, (select c.oid from pg_class c where c.relnamespace = n.oid and c.relname = 'marks'), 'insert'), false) and has_schema_privilege(r.oid, n.oid, 'usage') as writes
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_roles r on r.oid = p.proowner
where n.nspname = 'midwatch' and (p.proname = any($1) or p.proname = 'append_only')
union all
select c.relname, c.oid::bigint, format('%s %s %s', c.oid, pg_relation_filenode(c.oid),
       (select string_agg(format('%s %s %s', t.oid, t.xmin, t.tgenabled), ',' order by t.oid) from pg_trigger t where t.tgrelid = c.oid)), null, true, r.rolname, true, true
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles r on r.oid = c.relowner
where n.nspname = 'midwatch' and c.relname = 'marks' and c.relkind = 'r' and not c.relrowsecurity
      and not exists (select from pg_inherits i where i.inhparent = c.oid)
      and (r.rolsuper or r.rolname = current_user or not (select m.rolsuper from pg_roles m where m.rolname = current_user))
      and has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage')";

/// What is wrong with a function of ours that is to belong to `owner`, and may it be made anew? A switchover gives the tables
/// other owners, and leaves their functions as they are.
fn fault(name: &str, found: Option<&OwnObject>, expected: &str, owner: &str) -> Option<(String, GapScope)> {
    let again = |why: String| Some((why, GapScope::All));
    match found {
        None => again("nothing marks writes (see watch)".to_owned()),
        Some(f) if f.owner != owner => {
            let why = format!("function midwatch.{name} belongs to {}, not to {owner}", f.owner);
            Some((why, if f.known { GapScope::All } else { GapScope::Never }))
        }
        Some(f) if f.source.as_deref() != Some(expected) || !f.definer => {
            again(format!("function midwatch.{name} is not as watch made it"))
        }
        Some(f) if !f.writes => again(format!("{owner} may not write midwatch.marks")),
        Some(_) => None,
    }
}

/// Are marks written of everything, and how are things? In the snapshot of the transaction.
pub(crate) async fn installed(
    tx: &mut dyn ReadTx,
    pair: &TwinTables,
    columns: &ComparedColumns,
    layout: &Layout,
) -> Result<CaptureState> {
    let Some(legacy) = &pair.legacy else { return Ok(Gap::everywhere("the legacy table is gone")) };
    let functions = functions(pair);
    let params = [Param::Texts(functions.iter().map(|(f, _)| f.name.clone()).collect())];
    let readable: Vec<OwnObject> = tx.fetch(&Sql::new(OURS).bind(params.clone())).await?;
    if readable.iter().all(|o| o.name != "marks") {
        return Ok(Gap::everywhere("midwatch.marks is not there or not readable"));
    }
    // Marks that are forgotten are gone for older snapshots too: which file the table has is asked once nobody can give
    // it another.
    tx.texts(&Sql::new("select 1::text from midwatch.marks limit 0")).await?;
    let ours: Vec<OwnObject> = tx.fetch(&Sql::new(OURS).bind(params.clone())).await?;
    let find = |name: &str| ours.iter().find(|o| o.name == name);
    let expected = body(columns, layout);
    let (mut params, mut wrong) = (vec![Param::Int(legacy.oid), Param::Int(pair.partitioned.oid)], None);
    for (function, owner) in &functions {
        let found = find(&function.name);
        params.push(Param::Int(found.map_or(0, |f| f.oid)));
        wrong = wrong.or(fault(&function.name, found, &expected, owner));
    }
    let states: Vec<State> = tx.fetch(&Sql::new(format!("{MARKS}{STATE}")).bind(params.clone())).await?;
    if let Some(s) = states.iter().find(|s| s.why.is_some()) {
        let why = format!("{} is {}", s.name, s.why.as_deref().unwrap_or_default());
        return Ok(CaptureState::Incomplete(Gap { why, lacks: GapScope::Never }));
    }
    if let Some((why, lacks)) = wrong {
        return Ok(CaptureState::Incomplete(Gap { why, lacks }));
    }
    let lacking: Vec<&State> = states.iter().filter(|s| (s.row, s.truncate) != (1, 1)).collect();
    if let Some(first) = lacking.first() {
        let what = if first.row == 1 { "TRUNCATE" } else { "changes of rows" };
        let is = if first.row == 1 { "is" } else { "are" };
        let more = match lacking.len() - 1 {
            0 => String::new(),
            more => format!("; {more} more relations lack marks"),
        };
        let why = format!("{what} of {} {is} not marked{more}", first.name);
        let tables = lacking.iter().any(|s| s.oid == legacy.oid || s.oid == pair.partitioned.oid);
        let lacks = if tables {
            GapScope::All
        } else {
            GapScope::Partitions(lacking.iter().map(|s| s.oid).collect())
        };
        return Ok(CaptureState::Incomplete(Gap { why, lacks }));
    }
    let mut print: BTreeMap<i64, ObjectPrint> =
        states.into_iter().map(|s| (s.oid, ObjectPrint { name: s.name, digest: s.what })).collect();
    print.extend(
        ours.into_iter()
            .map(|o| (o.oid, ObjectPrint { name: format!("midwatch.{}", o.name), digest: o.what })),
    );
    Ok(CaptureState::Complete(Fingerprint(print)))
}

/// Marks that a snapshot (given as SQL) does not know of, of relations (given as SQL of an `oid[]`).
pub(crate) fn since(snapshot: &str, relations: &str) -> String {
    // The relations are compared as the index on xid has nothing to say of them.
    format!(
        "select m.relation, m.op, m.key, m.part from midwatch.marks m \
         where m.xid >= pg_snapshot_xmin({snapshot}::pg_snapshot) \
         and not pg_visible_in_snapshot(m.xid, {snapshot}::pg_snapshot) and m.relation = any({relations})"
    )
}

/// All relations of a pair that marks name.
pub(crate) fn relations(pair: &TwinTables, layout: &Layout) -> String {
    let mut oids: Vec<i64> = layout.leaves.iter().map(|l| l.oid).collect();
    oids.extend(layout.node_oids.iter().copied());
    oids.extend(pair.legacy.iter().map(|l| l.oid));
    oids.push(pair.partitioned.oid);
    oids.sort_unstable();
    oids.dedup();
    let list: Vec<_> = oids.iter().map(i64::to_string).collect();
    format!("'{{{}}}'::oid[]", list.join(","))
}

/// The keys changed since a snapshot (given as SQL, `$1` or a literal), each once: `key text[]`. A TRUNCATE is a row
/// whose key is NULL.
pub(crate) fn changed_keys(pair: &TwinTables, layout: &Layout, snapshot: &str) -> String {
    format!("select distinct s.key from ({}) s", since(snapshot, &relations(pair, layout)))
}

/// The keys changed since a snapshot whose rows are not the same on both sides: all common columns, both directions,
/// stale and second copies included: `key text[]`. No rows: whatever was written since is equal. Usable while both tables
/// are locked; a TRUNCATE since then must be looked for in [`changed_keys`].
pub(crate) fn unequal(
    sql: &dyn CompareSql,
    pair: &TwinTables,
    columns: &ComparedColumns,
    layout: &Layout,
    snapshot: &str,
) -> String {
    let cells: Vec<_> = columns.common.iter().map(|c| sql.compared_value(c, "r")).collect();
    let keys: Vec<_> = columns.key.iter().map(|c| format!("r.{}::text", Ident(&c.name))).collect();
    let on: Vec<_> = (1..)
        .zip(&columns.key)
        .map(|(i, c)| {
            if c.foreign && c.as_text {
                format!("{} = k.key[{i}]", sql.compared_value(c, "r"))
            } else {
                format!("r.{} {} k.key[{i}]::{}", Ident(&c.name), equality(c), c.kind)
            }
        })
        .collect();
    let side = |relation: &str, n: i8| {
        format!(
            "select array[{}] as key, row({})::text as cells, {n} as n from k join {relation} r on {}",
            keys.join(", "),
            cells.join(", "),
            on.join(" and ")
        )
    };
    let legacy = pair.legacy.as_ref().map_or("", |l| l.relation.as_str());
    format!(
        "with k as materialized (select distinct s.key from ({}) s where s.key is not null) \
         select b.key from (select key, cells from ({} union all {}) a group by key, cells having sum(n) <> 0) b group by b.key",
        since(snapshot, &relations(pair, layout)),
        side(legacy, 1),
        side(&pair.partitioned.relation, -1)
    )
}

/// What the marks since a snapshot concern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ChangedParts {
    /// Slots.
    pub(crate) slots: std::collections::BTreeSet<usize>,
    /// Legacy rows that have no partition.
    pub(crate) homeless: bool,
    /// Everything: a TRUNCATE, or there is no telling.
    pub(crate) all: bool,
}

#[derive(Deserialize)]
struct Mark {
    relation: i64,
    bucket: Option<i64>,
    all: bool,
}

/// Which slots were written since a snapshot, as far as the transaction's own snapshot knows.
pub(crate) async fn touched(
    tx: &mut dyn ReadTx,
    pair: &TwinTables,
    layout: &Layout,
    snapshot: &str,
) -> Result<ChangedParts> {
    let kind = |name: &String| {
        let column = pair.partitioned.columns.iter().find(|c| &c.name == name);
        column.map_or("text", |c| c.kind.as_str())
    };
    let kinds: Vec<_> = layout.key.iter().map(kind).collect();
    let parts = layout.key.iter().zip(&kinds).enumerate();
    let parts: Vec<_> =
        parts.map(|(i, (name, kind))| format!(", m.part[{}]::{kind} as {}", i + 1, Ident(name))).collect();
    let parts = parts.concat();
    let legacy = pair.legacy.as_ref().map_or(0, |l| l.oid);
    let sql = format!(
        "select distinct q.\"mw:relation\"::bigint as relation, q.\"mw:all\" as all, \
         case when q.\"mw:relation\" = {legacy}::oid and not q.\"mw:all\" then ({})::bigint end as bucket \
         from (select m.relation as \"mw:relation\", m.key is null as \"mw:all\"{parts} from ({}) m) q",
        layout.bucket(),
        since(&literal(snapshot), &relations(pair, layout))
    );
    let marks: Vec<Mark> = tx.fetch(&over_values(&kinds.concat(), &sql)).await?;
    let mut out = ChangedParts::default();
    for mark in marks {
        if mark.all || matches!(layout.mapping, crate::features::parity::pair::partitions::Mapping::Whole) {
            out.all = true;
        } else if mark.relation == legacy {
            match layout.slot_of(mark.bucket) {
                Some(slot) => drop(out.slots.insert(slot)),
                None => out.homeless = true,
            }
        } else {
            match layout.leaves.iter().find(|l| l.oid == mark.relation) {
                Some(leaf) => drop(out.slots.insert(leaf.slot)),
                None => out.all = true,
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only types of the server's own are cast: the owner of another one may make the cast.
    #[test]
    fn marks_hold_what_the_output_function_of_a_type_of_others_gives() {
        let column = |name: &str, kind: &str| ComparedColumn {
            name: name.into(),
            kind: kind.into(),
            ..ComparedColumn::default()
        };
        let key = vec![column("id", "bigint"), column("mood", "shop.mood[]")];
        let columns = ComparedColumns { key, ..ComparedColumns::default() };
        let texts = texts("old", &["id".into(), "mood".into()], &columns);
        let output = r#"case when num_nonnulls(old."mood") = 1 then format('%s', old."mood") end"#;
        assert_eq!(texts, format!(r#"array[old."id"::text, {output}]::text[]"#));
    }
}
