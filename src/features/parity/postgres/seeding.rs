//! What makes the sides of a copy equal, and then writes differences of every class.

use crate::engine::model::comparison::ComparedColumn;
use crate::engine::model::comparison::ComparedColumns;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::query::Sql;
use crate::features::parity::pair::partitions::Layout;
use crate::features::parity::planting::{CopySides, Plant, Planting};

/// The script under way, and what it plants.
struct PlantScript<'a> {
    legacy: &'a str,
    twin: &'a str,
    columns: &'a ComparedColumns,
    layout: &'a Layout,
    keys: std::vec::IntoIter<Vec<String>>,
    script: Vec<String>,
    out: Planting,
}

fn list(names: &[String]) -> String {
    names.iter().map(|n| Ident(n).to_string()).collect::<Vec<_>>().join(", ")
}

fn names(columns: &[ComparedColumn]) -> Vec<String> {
    columns.iter().map(|c| c.name.clone()).collect()
}

/// What would refuse planted rows goes: constraints, unique indexes, generated columns, defaults.
fn loosen(relation: &str) -> String {
    let name = literal(relation);
    format!(
        "do $midwatch$ declare c record; begin
           for c in select conname from pg_constraint where conrelid = {name}::regclass and contype in ('c', 'f', 'x', 'u', 'p') and conparentid = 0 loop
             execute format('alter table %s drop constraint if exists %I cascade', {name}, c.conname); end loop;
           for c in select i.indexrelid::regclass as i from pg_index i where i.indrelid = {name}::regclass and i.indisunique loop
             execute format('drop index %s cascade', c.i); end loop;
           for c in select attname, attnotnull, attgenerated, attidentity, atthasdef from pg_attribute
                    where attrelid = {name}::regclass and attnum > 0 and not attisdropped loop
             if c.attgenerated = 's' then execute format('alter table %s alter %I drop expression', {name}, c.attname);
             elsif c.atthasdef then execute format('alter table %s alter %I drop default', {name}, c.attname); end if;
             if c.attidentity <> '' then execute format('alter table %s alter %I drop identity', {name}, c.attname); end if;
             if c.attnotnull then execute format('alter table %s alter %I drop not null', {name}, c.attname); end if;
           end loop;
         end $midwatch$"
    )
}

/// What would write one side as the other, or note it; since a switch some of it fires for replicas as well.
fn silence(tables: [&str; 2]) -> String {
    let [legacy, twin] = tables.map(literal);
    format!(
        "do $midwatch$ declare t record; begin
           for t in with recursive tree as (
                      select r::oid as oid from unnest(array[{legacy}, {twin}]::text[]::regclass[]) r
                      union all select i.inhrelid from pg_inherits i join tree on i.inhparent = tree.oid)
                    select g.tgname, g.tgrelid::regclass as relation from pg_trigger g join tree on g.tgrelid = tree.oid
                    where not g.tgisinternal and g.tgparentid = 0 loop
             execute format('drop trigger %I on %s', t.tgname, t.relation); end loop;
         end $midwatch$"
    )
}

/// Both sides with the same rows, enough of them.
pub(super) fn level(sides: &CopySides<'_>, wanted: usize) -> Result<Vec<Sql>> {
    let CopySides { legacy, twin, columns, layout } = *sides;
    let key = names(&columns.key);
    let mut index = key.clone();
    index.extend(layout.key.iter().filter(|k| !key.contains(k)).cloned());
    let mut out = vec![
        "set session_replication_role = replica".to_owned(),
        silence([legacy, twin]),
        format!("truncate {twin}"),
        // Since a switch its defaults take their numbers from the other's sequences.
        loosen(twin),
        loosen(legacy),
        // The comparison reads by it.
        format!("create index on {twin} ({})", list(&index)),
    ];
    // Every value has a partition then.
    if layout.default.is_none() && !layout.bounds.iter().any(|b| b.contains("modulus")) {
        out.push(format!("create table pg_temp_default_of_rehearsal partition of {twin} default"));
    }
    let cells: Option<Vec<_>> = columns
        .common
        .iter()
        .map(|c| Some((c, value(c, "i"))))
        .map(|x| match x {
            Some((c, Some(v))) => Some((c.name.clone(), v)),
            // What nothing can be made of stays empty, but for what rows are found by.
            Some((c, None)) if !index.contains(&c.name) => Some((c.name.clone(), "null".into())),
            _ => None,
        })
        .collect();
    let cells = cells.ok_or_else(|| Error::unobserved("no values can be made for the type of the key"))?;
    let (into, values): (Vec<String>, Vec<String>) = cells.into_iter().unzip();
    let common = list(&names(&columns.common));
    out.extend([
        // Where no index makes the key unique, what is planted is told apart by one in the copy.
        format!(
            "delete from {legacy} l using (select tableoid as part, ctid as place, row_number() over (partition by {}) as n from {legacy}) d \
             where l.tableoid = d.part and l.ctid = d.place and d.n > 1",
            list(&key)
        ),
        format!("create unique index on {legacy} ({})", list(&key)),
        format!(
            "insert into {legacy} ({}) select {} from generate_series(1, {wanted} - (select count(*) from {legacy})::int) i \
             on conflict do nothing",
            list(&into),
            values.join(", ")
        ),
        format!("delete from {legacy} where ({}) is null", list(&key).replace(", ", ") is null or (")),
        format!("insert into {twin} ({common}) select {common} from {legacy}"),
    ]);
    Ok(out.into_iter().map(Sql::new).collect())
}

pub(super) fn first_keys(sides: &CopySides<'_>, wanted: usize) -> Sql {
    let CopySides { legacy, columns, .. } = *sides;
    let keys: Vec<_> = columns.key.iter().map(|k| format!("{}::text", Ident(&k.name))).collect();
    Sql::new(format!(
        "select array[{}] as key from {legacy} order by {} limit {wanted}",
        keys.join(", "),
        list(&columns.key.iter().map(|k| k.name.clone()).collect::<Vec<_>>())
    ))
}

pub(super) fn plant(sides: &CopySides<'_>, keys: Vec<Vec<String>>) -> (Vec<Sql>, Planting) {
    let CopySides { legacy, twin, columns, layout } = *sides;
    let keys = keys.into_iter();
    let mut garden =
        PlantScript { legacy, twin, columns, layout, keys, script: vec![], out: Planting::default() };
    garden.rows();
    garden.cells();
    garden.copies();
    (garden.script.into_iter().map(Sql::new).collect(), garden.out)
}

pub(super) fn analyze(sides: &CopySides<'_>) -> Sql {
    Sql::new(format!("analyze {}; analyze {}", sides.legacy, sides.twin))
}

/// A value of the column's type, another for each number; `None`: nothing is known of the type.
fn value(column: &ComparedColumn, number: &str) -> Option<String> {
    let n = format!("({number})::int");
    let kind = &column.kind;
    let text = match column.base.as_str() {
        "int2" => format!("30000 + {n}"),
        "int4" | "int8" | "numeric" | "float4" | "float8" => format!("900000 + {n}"),
        "text" | "varchar" | "bpchar" | "citext" | "name" => {
            // The last digits first: a short column keeps what differs.
            return Some(format!("(reverse((10 + {n})::text) || 'x')::{kind}"));
        }
        "bool" => format!("{n} % 2 = 0"),
        "date" => format!("date '2025-01-01' + {n}"),
        "timestamp" => format!("timestamp '2025-01-01' + {n} * interval '1 hour'"),
        "timestamptz" => format!("timestamptz '2025-01-01Z' + {n} * interval '1 hour'"),
        "time" => format!("time '00:00' + {n} * interval '1 second'"),
        "interval" => format!("{n} * interval '1 second'"),
        "uuid" => format!("md5({n}::text)::uuid"),
        "json" | "jsonb" => format!("('{{\"n\": ' || {n} || '}}')"),
        "bytea" => format!("decode(md5({n}::text), 'hex')"),
        "inet" => format!("inet '10.0.0.0' + {n}"),
        _ if kind.ends_with("[]") => format!("('{{' || {n} % 100 || '}}')"),
        _ => return None,
    };
    Some(format!("({text})::{kind}"))
}

impl PlantScript<'_> {
    fn key(&mut self) -> Option<(String, String)> {
        let key = self.keys.next()?;
        let parts = self.columns.key.iter().zip(&key);
        let parts: Vec<_> =
            parts.map(|(c, v)| format!("{} = {}::{}", Ident(&c.name), literal(v), c.kind)).collect();
        Some((key.join("|"), parts.join(" and ")))
    }

    fn plant(&mut self, class: &'static str, key: String, columns: &[String]) {
        self.out.plants.push(Plant { class, key, columns: columns.to_vec() });
    }

    fn rows(&mut self) {
        let (legacy, twin) = (self.legacy.to_owned(), self.twin.to_owned());
        for (class, from) in [("missing_in_partitioned", twin), ("missing_in_legacy", legacy)] {
            if let Some((key, wherever)) = self.key() {
                self.script.push(format!("delete from {from} where {wherever}"));
                self.plant(class, key, &[]);
            }
        }
    }

    /// Each column that may change without changing which row it is: to NULL, from NULL, to another value.
    fn cells(&mut self) {
        let fixed: Vec<String> =
            names(&self.columns.key).into_iter().chain(self.layout.key.clone()).collect();
        let columns = self.columns;
        for column in columns.common.iter().filter(|c| !fixed.contains(&c.name)) {
            let name = Ident(&column.name);
            let (Some(one), Some(other)) = (value(column, "1"), value(column, "2")) else {
                self.out
                    .not_planted
                    .push(format!("{}: no value of type {} is made", column.name, column.kind));
                continue;
            };
            for (before, after) in
                [(one.as_str(), "null"), ("null", one.as_str()), (one.as_str(), other.as_str())]
            {
                let Some((key, wherever)) = self.key() else { return };
                for side in [self.legacy, self.twin] {
                    self.script.push(format!("update {side} set {name} = {before} where {wherever}"));
                }
                self.script.push(format!("update {} set {name} = {after} where {wherever}", self.twin));
                self.plant("different", key, std::slice::from_ref(&column.name));
            }
        }
    }

    /// A second row of the same key: under another partition key, and the very same.
    fn copies(&mut self) {
        let all = names(&self.columns.common);
        let key = names(&self.columns.key);
        if let Some((at, wherever)) = self.key() {
            self.script.push(format!(
                "insert into {0} ({1}) select {1} from {2} where {wherever}",
                self.twin,
                list(&all),
                self.legacy
            ));
            self.plant("duplicate", at, &[]);
        }
        let moved: Vec<&ComparedColumn> =
            self.columns.common.iter().filter(|c| self.layout.key.contains(&c.name)).collect();
        if moved.is_empty()
            || moved.len() != self.layout.key.len()
            || self.layout.key.iter().any(|k| key.contains(k))
        {
            self.out.not_planted.push("stale: the key of a row is what decides its partition".into());
            return;
        }
        let values: Option<Vec<_>> = moved.iter().map(|c| value(c, "7001")).collect();
        let Some(values) = values else {
            self.out.not_planted.push("stale: no value of the partition key's type is made".into());
            return;
        };
        let Some((at, wherever)) = self.key() else { return };
        let cells: Vec<_> = all
            .iter()
            .map(|n| {
                moved
                    .iter()
                    .position(|c| &c.name == n)
                    .and_then(|i| values.get(i).cloned())
                    .unwrap_or_else(|| Ident(n).to_string())
            })
            .collect();
        self.script.push(format!(
            "insert into {} ({}) select {} from {} where {wherever}",
            self.twin,
            list(&all),
            cells.join(", "),
            self.legacy
        ));
        self.plant("stale", at, &[]);
    }
}
