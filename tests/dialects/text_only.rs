//! A dialect that is only text: backticks, no schemas, no oid, no casts after a value, no server behind it.
//!
//! What the engine's types ask of it that it could fill only with a dummy would be PostgreSQL in disguise.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use midwatch::engine::model::blocker::Blocker;
use midwatch::engine::model::cause::Cause;
use midwatch::engine::model::change::{Canary, Derived, RowChange, RowKind, TypedColumn};
use midwatch::engine::model::error::{Error, Result};
use midwatch::engine::model::name::Relation;
use midwatch::engine::model::page::{At, PageRequest, RowSource};
use midwatch::engine::model::preflight::Verification;
use midwatch::engine::model::profile::Source;
use midwatch::engine::model::query::{Column, Param, ProfileSql, Sql};
use midwatch::engine::model::row_query::{
    ColumnSide, Condition, Expr, ImagesOf, RowLimits, RowQuery, RowsFrom, Side,
};
use midwatch::engine::model::script::Script;
use midwatch::engine::model::step::LockStrength;
use midwatch::engine::model::table::{Constraint, Firing, Seen, Stored, Table, Trigger};
use midwatch::engine::port::catalog::{Catalog, WantedLocks};
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::{Fut, ReadTx};
use midwatch::engine::port::row_sql::{
    BatchRequirement, Bypass, Bypassed, CheckMethod, CheckedStatement, Obstacle, RowSql,
};

pub(crate) struct TextOnly;

pub(crate) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

impl Dialect for TextOnly {
    fn script(&self, _: &str) -> Result<Script, String> {
        Err("this dialect has no scripts".into())
    }
    fn id(&self) -> &'static str {
        "text"
    }
    fn shown_name(&self) -> &'static str {
        "Text"
    }
    fn cause(&self, _: &str) -> (Cause, bool) {
        (Cause::Other, false)
    }
    fn code(&self, _: Cause) -> Option<&'static str> {
        None
    }
    fn lock_mode(&self, strength: LockStrength) -> &'static str {
        match strength {
            LockStrength::Rows => "rows",
            LockStrength::Writers => "write lock",
            LockStrength::Everyone => "metadata lock",
        }
    }
    fn parse(&self, text: &str) -> Relation {
        let bare = text.strip_prefix('`').and_then(|t| t.strip_suffix('`'));
        Relation { schema: None, name: bare.map_or_else(|| text.to_owned(), |t| t.replace("``", "`")) }
    }
    fn relation(&self, relation: &Relation) -> String {
        quote(&relation.name)
    }
}

/// Tables whose triggers this role may not see.
fn is_hidden(name: &Relation) -> bool {
    name.schema.is_none() && ["hidden", "a.b"].contains(&name.name.as_str())
}

fn trigger(name: &str, journal: bool) -> Trigger {
    Trigger {
        name: name.into(),
        state: Firing::Ordinary,
        function: None,
        journal,
        before: false,
        row: true,
        on_insert: true,
        on_update: true,
        on_delete: false,
        columns: vec![],
    }
}

/// Any table.
impl Catalog for TextOnly {
    fn tables<'a>(&'a self, _: &'a mut dyn ReadTx, names: &'a [Relation]) -> Fut<'a, Result<Vec<Table>>> {
        let stored = |name: &str, type_name: &str| Stored {
            name: name.into(),
            type_name: type_name.into(),
            qualified: type_name.into(),
            equality: None,
            foreign_cast: None,
            generated: false,
            numbered: false,
            may_update: true,
            may_insert: true,
        };
        let table = |name: &Relation| Table {
            name: name.clone(),
            columns: [("id", "bigint"), ("st`ate", "varchar(20)"), ("pin", "char(4)")]
                .into_iter()
                .filter(|(column, _)| *column != "pin" || name.name == "jobs")
                .map(|(column, type_name)| stored(column, type_name))
                .collect(),
            triggers: if is_hidden(name) {
                Seen::Hidden { needs: "TRIGGER".into() }
            } else {
                Seen::Known(vec![trigger("audit", false), trigger("mark", true)])
            },
            referrers: Seen::default(),
            checks: if is_hidden(name) {
                Seen::Hidden { needs: "a privilege".into() }
            } else {
                Seen::Known(vec![Constraint {
                    name: "filled".into(),
                    definition: "CHECK (`st``ate` <> '')".into(),
                    expression: "`st``ate` <> ''".into(),
                    columns: vec!["st`ate".into()],
                }])
            },
            unique_keys: vec![vec!["id".into()]],
            unique_columns: vec!["id".into()],
            owned: true,
            may_select: true,
            may_delete: true,
            may_silence: None,
        };
        let found = names.iter().map(table).collect();
        Box::pin(async move { Ok(found) })
    }
    fn blockers<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _: &'a WantedLocks<'a>,
    ) -> Fut<'a, Result<Vec<Blocker>>> {
        Box::pin(async { Err(Error::unobserved("who holds locks is not visible")) })
    }
    fn now<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<DateTime<Utc>>> {
        Box::pin(async { Ok(DateTime::UNIX_EPOCH) })
    }
}

fn expr(value: &Expr) -> String {
    match value {
        Expr::Null => "NULL".into(),
        Expr::Text(text) => text.clone(),
        Expr::Column { of: ColumnSide::Table, name } => format!("t.{}", quote(name)),
        Expr::Column { of: ColumnSide::Row, name } => format!("r.{}", quote(name)),
        Expr::Stored { text, type_name } => format!("CAST(({text}) AS {type_name})"),
        Expr::Given { text, type_name } => format!("CAST({} AS {type_name})", literal(text)),
        Expr::Image { side, name } => {
            let side = match side {
                Side::Key => "key",
                Side::Before => "before",
                Side::After => "after",
            };
            format!("JSON_VALUE(i.{}, {})", quote(side), literal(&format!("$.\"{name}\"")))
        }
        Expr::Start(text) => format!("LEFT({text}, 120)"),
    }
}

fn condition(of: &Condition, params: &mut Vec<Param>) -> String {
    match of {
        Condition::Every => "TRUE".into(),
        Condition::Text(text) => format!("({text})"),
        Condition::All(all) => {
            let all: Vec<_> = all.iter().map(|c| condition(c, params)).collect();
            all.join(" AND ")
        }
        Condition::Not(not) => format!("NOT ({})", condition(not, params)),
        Condition::KeyIn { key, texts } => {
            params.extend(texts.iter().map(|t| Param::from(t.as_str())));
            let marks = vec!["?"; texts.len()];
            format!("CAST({} AS CHAR) IN ({})", expr(key), marks.join(", "))
        }
        Condition::KeyOf { key, sql } => {
            format!("t.{0} IN (SELECT q.{0} FROM ({sql}\n) q)", quote(&key.name))
        }
        Condition::StateIn { column, states } => {
            let list: Vec<_> = states.iter().map(|s| literal(s)).collect();
            format!("COALESCE(t.{}, '(null)') IN ({})", quote(column), list.join(", "))
        }
        Condition::Changes { column, to } => format!("NOT (t.{} <=> {})", quote(&column.name), expr(to)),
        Condition::Absent { table, key } => {
            let same: Vec<_> =
                key.iter().map(|(k, e)| format!("x.{} = {}", quote(&k.name), expr(e))).collect();
            format!("NOT EXISTS (SELECT 1 FROM {} x WHERE {})", TextOnly.relation(table), same.join(" AND "))
        }
    }
}

fn from(from: &RowsFrom, params: &mut Vec<Param>) -> String {
    let beside = |join: &Option<String>| join.clone().unwrap_or_default();
    match from {
        RowsFrom::Table { table, join } => {
            format!("FROM {} t {}", TextOnly.relation(table), beside(join))
        }
        RowsFrom::Query { sql, join } => format!("FROM ({sql}\n) r {}", beside(join)),
        RowsFrom::Written { run, .. } => {
            params.push(Param::from(run.as_str()));
            "FROM `midwatch_images` r WHERE r.run = ?".into()
        }
        RowsFrom::Images(images) => {
            params.push(Param::from(images.run.as_str()));
            let table = TextOnly.relation(&TextOnly.parse(&images.inverse.table));
            let kept = "(SELECT * FROM `midwatch_images` WHERE run = ?)";
            format!("FROM {kept} i LEFT JOIN {table} t ON {}", key_of(&images.inverse.key))
        }
        RowsFrom::Text(text) => format!("FROM {text}"),
    }
}

fn key_of(key: &[TypedColumn]) -> String {
    let one = |c: &TypedColumn| {
        format!("t.{} = {}", quote(&c.name), expr(&Expr::Image { side: Side::Key, name: c.name.clone() }))
    };
    key.iter().map(one).collect::<Vec<_>>().join(" AND ")
}

fn pairs(of: &[(String, Expr)]) -> String {
    let one = |(name, e): &(String, Expr)| format!("{}, CAST({} AS CHAR)", literal(name), expr(e));
    if of.is_empty() {
        return "NULL".into();
    }
    format!("JSON_OBJECT({})", of.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// `b >= x AND (b > x OR (b = x AND …))`, without NULLs.
fn beyond(keys: &[String], at: &[Option<String>], op: &str, params: &mut Vec<Param>) -> String {
    let (Some((key, rest)), Some((value, later))) = (keys.split_first(), at.split_first()) else {
        return "FALSE".into();
    };
    let (key, value) = (quote(key), Param::Text(value.clone()));
    params.extend([value.clone(), value.clone(), value]);
    let tail = beyond(rest, later, op, params);
    format!("(q.{key} {op}= ? AND (q.{key} {op} ? OR (q.{key} = ? AND {tail})))")
}

impl RowSql for TextOnly {
    fn with_sources(&self, sources: &BTreeMap<String, Source>, sql: &str) -> String {
        let mut out = String::new();
        for (name, source) in sources {
            let word = if out.is_empty() { "WITH" } else { "," };
            let _ = write!(out, "{word} {} AS ({}\n)", quote(name), source.sql);
        }
        if out.is_empty() { sql.to_owned() } else { format!("{out}\nSELECT * FROM ({sql}\n) rule") }
    }
    fn page(&self, request: &PageRequest, columns: &[Column]) -> ProfileSql {
        let mut params = request.source.params.clone();
        let list = |names: &mut dyn Iterator<Item = &String>| {
            names.map(|n| format!("CAST(q.{} AS CHAR)", quote(n))).collect::<Vec<_>>().join(", ")
        };
        let back = matches!(request.at, At::Last | At::Before(_));
        let bound = match &request.at {
            At::First | At::Last => String::new(),
            At::After(at) | At::Before(at) => {
                let op = if back { "<" } else { ">" };
                format!("\nWHERE {}", beyond(&request.source.key, at, op, &mut params))
            }
        };
        let by: Vec<_> = request
            .source
            .key
            .iter()
            .map(|k| format!("q.{} {}", quote(k), if back { "DESC" } else { "ASC" }))
            .collect();
        let text = format!(
            "SELECT JSON_ARRAY(JSON_ARRAY({}), JSON_ARRAY({}))\nFROM ({}\n) q{bound}\nORDER BY {}\nLIMIT {}",
            list(&mut columns.iter().map(|c| &c.name)),
            list(&mut request.source.key.iter()),
            request.source.sql,
            by.join(", "),
            request.limit,
        );
        ProfileSql::new(text).bind(params)
    }
    fn page_total(&self, request: &PageRequest, _: &[Column]) -> ProfileSql {
        ProfileSql::new(format!("SELECT COUNT(*) FROM ({}\n) q", request.source.sql))
    }
    fn is_keyed(&self, source: &RowSource) -> ProfileSql {
        let key: Vec<_> = source.key.iter().map(|k| quote(k)).collect();
        ProfileSql::new(format!(
            "SELECT COUNT(DISTINCT {}) = COUNT(*) FROM ({}\n) q",
            key.join(", "),
            source.sql
        ))
    }
    fn first_rows(&self, sql: &ProfileSql, _: &[Column], limit: usize) -> ProfileSql {
        ProfileSql::new(format!("SELECT * FROM ({}\n) q LIMIT {limit}", sql.text())).bind(sql.params())
    }
    fn placeholder(&self, _: usize) -> String {
        "?".into()
    }
    fn planned(&self, rows: &RowQuery, portion: RowLimits<'_>) -> ProfileSql {
        let mut params = rows.params.clone();
        let from = from(&rows.from, &mut params);
        let filter = condition(&rows.filter, &mut params);
        let among = portion.among.map_or_else(String::new, |keys| {
            let mut out = String::new();
            for ((_, e), values) in rows.key.iter().zip(&keys.values) {
                params.extend(values.iter().map(|v| Param::from(v.as_str())));
                let _ = write!(out, " AND {} IN ({})", expr(e), vec!["?"; values.len()].join(", "));
            }
            out
        });
        let limit = portion.limit.map_or_else(String::new, |n| format!(" LIMIT {n}"));
        let order: Vec<_> = if rows.order.is_empty() {
            rows.key.iter().map(|(_, e)| expr(e)).collect()
        } else {
            rows.order.iter().map(expr).collect()
        };
        let text = format!(
            "SELECT JSON_OBJECT('key', {}, 'before', {}, 'after', {}) {from} WHERE {filter}{among} ORDER BY {}{limit}",
            pairs(&rows.key),
            pairs(&rows.before),
            pairs(&rows.after),
            order.join(", "),
        );
        ProfileSql::new(text).bind(params)
    }
    fn planned_key(&self, rows: &RowQuery) -> ProfileSql {
        let key: Vec<_> = rows.key.iter().map(|(n, e)| format!("{} AS {}", expr(e), quote(n))).collect();
        ProfileSql::new(format!("SELECT {} {} LIMIT 0", key.join(", "), from(&rows.from, &mut vec![])))
    }
    fn planned_values(&self, _: &RowQuery) -> Option<ProfileSql> {
        None
    }
    fn touched(&self, _: &RowQuery, _: &RowChange, derived: &Derived) -> ProfileSql {
        ProfileSql::new(format!("SELECT COUNT(*) FROM ({}) q", derived.rows))
    }
    fn column_of_rows(&self, rows: &RowQuery, column: &str) -> ProfileSql {
        let mut params = rows.params.clone();
        let (from, column) = (from(&rows.from, &mut params), quote(column));
        let filter = condition(&rows.filter, &mut params);
        ProfileSql::new(format!("SELECT t.{column} {from} WHERE {filter}")).bind(params)
    }
    fn column_of(&self, rows: &RowsFrom, column: &str) -> ProfileSql {
        ProfileSql::new(format!("SELECT {} {}", quote(column), from(rows, &mut vec![])))
    }
    fn as_written(&self, column: &Column, texts: &[String]) -> ProfileSql {
        let one = format!("SELECT CAST(CAST(? AS {}) AS CHAR)", column.type_name);
        let params: Vec<_> = texts.iter().map(|t| Param::from(t.as_str())).collect();
        ProfileSql::new(vec![one; texts.len()].join(" UNION ALL ")).bind(params)
    }
    fn type_word(&self, column: &Column) -> String {
        column.type_name.clone()
    }
    fn statements_for_people(&self, change: &RowChange) -> Vec<String> {
        let table = TextOnly.relation(&TextOnly.parse(&change.table));
        let sets: Vec<_> = change.columns.iter().map(|c| format!("{0} = new.{0}", quote(&c.name))).collect();
        let change = match change.kind {
            RowKind::Update => format!("UPDATE {table} SET {}", sets.join(", ")),
            RowKind::Insert => format!("INSERT INTO {table}"),
            RowKind::Delete => format!("DELETE FROM {table}"),
            RowKind::Compute => String::new(),
        };
        vec!["START TRANSACTION".into(), change, "COMMIT".into()]
    }
    fn checked_statements(&self, change: &RowChange) -> Vec<CheckedStatement> {
        let sql = ProfileSql::new(self.statements_for_people(change).swap_remove(1));
        vec![CheckedStatement {
            what: format!("the change of {}", change.table),
            sql,
            method: CheckMethod::Prepare,
        }]
    }
    fn batch_requirement(&self) -> Option<BatchRequirement> {
        None
    }
    fn verification(&self, change: &RowChange, step: usize) -> Option<Verification> {
        let table = TextOnly.relation(&TextOnly.parse(&change.table));
        let sql = format!(
            "SELECT i.`key` FROM run_rows i LEFT JOIN {table} t ON {} WHERE i.step = {step}",
            key_of(&change.key)
        );
        Some(Verification { title: format!("rows written to {table} hold what was planned"), sql, own: true })
    }
    fn verification_query(&self, question: &Verification, run: &str) -> ProfileSql {
        ProfileSql::new(format!("SELECT COUNT(*) FROM ({}\n) q", question.sql)).bind([Param::from(run)])
    }
    fn own_verification_query(&self, question: &Verification, run: &str) -> Sql {
        Sql::new(format!("SELECT COUNT(*) FROM ({}\n) q", question.sql)).bind([Param::from(run)])
    }
    fn canary_counts(&self, canary: &Canary, run: &str, _: u64) -> ProfileSql {
        ProfileSql::new(&canary.sql).bind([Param::from(run)])
    }
    fn changed_since(&self, images: &ImagesOf, _: usize) -> ProfileSql {
        let mut params = vec![];
        let from = from(&RowsFrom::Images(Box::new(images.clone())), &mut params);
        ProfileSql::new(format!("SELECT COUNT(*) AS `rows`, NULL AS named {from}")).bind(params)
    }
    fn refused(&self, images: &ImagesOf, check: &Constraint) -> ProfileSql {
        let text =
            format!("SELECT COUNT(*) FROM `midwatch_images` WHERE run = ? AND NOT ({})", check.expression);
        ProfileSql::new(text).bind([Param::from(images.run.as_str())])
    }
    fn bypass(&self, _: &str, _: Obstacle<'_>) -> Result<Bypass> {
        Err(Error::usage("neither triggers nor CHECKs can be switched off here"))
    }
    fn bypassed(&self, _: &RowChange) -> Vec<Bypassed> {
        vec![]
    }
}
