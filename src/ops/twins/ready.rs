//! Is a set of twins ready to be switched over? What is looked at besides what every change looks at.

use serde::Deserialize;
use serde_json::Value;

use super::Couple;
use super::carry::{Belongings, Publication};
use crate::engine::Result;
use crate::engine::check::Cx;
use crate::engine::operation::PlanCx;
use crate::engine::plan::{Preflight, Ready};
use crate::engine::ports::Param;
use crate::engine::report::{CheckId, Severity, Status};
use crate::engine::switch::{BLOCKERS, Blocker};
use crate::engine::tables::Table;
use crate::engine::twin::Standing;

/// What an operator may accept openly: `--set accept=…`.
#[derive(Debug, Clone, Default)]
pub(in crate::ops) struct Accepted(pub(in crate::ops) Vec<String>);

impl Accepted {
    pub(in crate::ops) fn of(text: Option<&str>) -> Self {
        let list = text.unwrap_or_default().split(',').map(str::trim).filter(|t| !t.is_empty());
        Self(list.map(str::to_owned).collect())
    }

    /// What would stop the switch, unless it is accepted.
    pub(in crate::ops) fn unless(&self, id: &str, text: &str) -> Preflight {
        if self.0.iter().any(|a| a == id) {
            Preflight::new(id, Ready::Warn, format!("{text} (accepted)"))
        } else {
            Preflight::new(id, Ready::Fail, format!("{text}; --set accept={id} goes on with it"))
        }
    }
}

fn warn(id: &str, text: String) -> Preflight {
    Preflight::new(id, Ready::Warn, text)
}

fn ok(id: &str, text: String) -> Preflight {
    Preflight::new(id, Ready::Ok, text)
}

/// What the parity check says of the twin: rows, columns, partitions, sequences.
pub(in crate::ops) async fn parity(cx: &PlanCx<'_>, couple: &Couple<'_>) -> Vec<Preflight> {
    let name = couple.twin.name();
    let Some(check) = cx.checks.iter().find(|c| c.spec().kind == "parity") else {
        return vec![Preflight::new(
            "parity",
            Ready::Unknown,
            format!("{name}: there is no parity check here"),
        )];
    };
    let id = CheckId { kind: "parity", name: name.to_owned() };
    let look = Cx { quick: false, ..cx.cx };
    let report = match check.observe(&look, &id).await {
        Ok(report) => report,
        Err(e) => return vec![Preflight::new("parity", Ready::Unknown, format!("{name}: {}", e.message))],
    };
    if let Status::Unknown { why } = &report.status {
        return vec![Preflight::new("parity", Ready::Unknown, format!("{name}: {why}"))];
    }
    let mut out = Vec::new();
    let rows = report.facts["legacy_rows"].as_u64().unwrap_or_default();
    let differs = |what: &str| {
        matches!(
            what,
            "different"
                | "missing_in_partitioned"
                | "missing_in_legacy"
                | "stale"
                | "duplicate"
                | "not_classified"
                | "partitions_not_read"
        )
    };
    let wrong: Vec<_> = report.findings.iter().filter(|f| differs(f.what())).collect();
    out.push(if wrong.is_empty() {
        ok("parity", format!("{name}: {rows} rows equal ({})", text(&report.facts["compared"])))
    } else {
        let said: Vec<_> = wrong.iter().map(|f| f.message.as_str()).collect();
        let text = format!("{name}: {}; midwatch plan repair {name}", said.join("; "));
        Preflight::new("parity", Ready::Fail, text)
    });
    for f in report.findings.iter().filter(|f| !differs(f.what())) {
        let message = format!("{name}: {}", f.message);
        let what = f.what().split('/').next().unwrap_or_default();
        out.push(match what {
            // The switch hands the legacy table's own over.
            "sequence" if couple.standing == Standing::Before => {
                ok("sequence", format!("{message} (handed over in the switch)"))
            }
            // Fired in a copy, which says more.
            "trigger" | "trigger_columns" | "unmirrored" => continue,
            "coverage" | "columns_missing" | "sums" => Preflight::new(
                what,
                Ready::Fail,
                format!("{message}; midwatch plan copy-missing {name} makes partitions"),
            ),
            _ if f.severity == Severity::Critical => Preflight::new(what, Ready::Fail, message),
            _ => warn(what, message),
        });
    }
    out
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What cannot be carried, or changes for whoever uses the name.
pub(in crate::ops) fn dependants(couple: &Couple<'_>, b: &Belongings, accepted: &Accepted) -> Vec<Preflight> {
    let name = couple.twin.name();
    let mut out = Vec::new();
    for k in &b.referrers {
        out.push(warn(
            "foreign_key",
            format!(
                "{name}: {} of {} keeps pointing at the retired table, which reverse sync keeps complete: it cannot refer to {}",
                k.name, k.table, couple.partitioned.relation
            ),
        ));
    }
    for k in &b.constraints {
        let text = format!(
            "{name}: {} ({}) is on the legacy table only: it holds through reverse sync, and ends with cleanup",
            k.name, k.definition
        );
        out.push(warn("constraint", text));
    }
    for key in &b.lost_keys {
        let key = key.join(", ");
        let users: Vec<_> =
            b.conflicts.iter().filter(|c| same(&c.columns, &key)).map(|c| c.function.as_str()).collect();
        let text = format!(
            "{name}: unique ({key}) is not on the twin; it holds through reverse sync, and ends with cleanup"
        );
        out.push(if users.is_empty() {
            warn("unique_key", text)
        } else {
            accepted.unless(
                "on_conflict",
                &format!("{text}; ON CONFLICT ({key}) in {} would fail", users.join(", ")),
            )
        });
    }
    for view in b.views.iter().filter(|v| v.materialized) {
        out.push(warn("materialized_view", format!("{name}: {} keeps reading the retired table", view.name)));
    }
    if !couple.columns.retyped.is_empty() {
        let views: Vec<_> = b.views.iter().filter(|v| !v.materialized).map(|v| v.name.as_str()).collect();
        if !views.is_empty() {
            let text = format!(
                "{name}: {} keep their column types by casts: they cannot be written through meanwhile",
                views.join(", ")
            );
            out.push(warn("view", text));
        }
    }
    for t in b.triggers.iter().filter(|t| t.constraint && !t.mirrors) {
        out.push(accepted.unless(
            "constraint_trigger",
            &format!("{name}: constraint trigger {} is not carried over", t.name),
        ));
    }
    if !b.row_type.is_empty() {
        let text = format!(
            "{name}: {} use the legacy table's row type, which stays the retired table's",
            b.row_type.join(", ")
        );
        out.push(accepted.unless("row_type", &text));
    }
    if !b.bound.is_empty() {
        let text = format!(
            "{name}: bound to the table itself, not to its name, these would read and write the retired one: {}",
            b.bound.join(", ")
        );
        out.push(accepted.unless("bound", &text));
    }
    if !b.rules.is_empty() {
        out.push(
            accepted.unless("rules", &format!("{name}: rules are not carried over: {}", b.rules.join(", "))),
        );
    }
    if !b.indexes.is_empty() {
        out.push(warn("indexes", format!("{name}: no like on the twin of {}", b.indexes.join("; "))));
    }
    out.extend(b.publications.iter().map(|p| published(name, p)));
    let order = |t: &crate::engine::twin::catalog::Table| {
        t.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>()
    };
    if order(&couple.legacy) != order(&couple.partitioned) {
        out.push(warn(
            "column_order",
            format!(
                "{name}: the columns come in another order: a session with a prepared SELECT * gets \"cached plan must not change result type\" once, INSERT without column names writes elsewhere"
            ),
        ));
    }
    if out.is_empty() {
        out.push(ok("dependants", format!("{name}: nothing else hangs on the table")));
    }
    out
}

/// How a publication goes on.
fn published(name: &str, p: &Publication) -> Preflight {
    let text = if p.all_tables {
        format!("{name}: publication {} publishes every table: after the switch the retired one, too", p.name)
    } else if p.via_root {
        format!("{name}: publication {}: the retired table leaves it, the partitioned one comes", p.name)
    } else {
        format!("{name}: publication {} gets publish_via_partition_root for all its tables", p.name)
    };
    warn("publication", text)
}

fn same(columns: &str, key: &str) -> bool {
    let set = |t: &str| {
        let mut all: Vec<_> = t.split(',').map(|c| c.trim().trim_matches('"').to_owned()).collect();
        all.sort();
        all
    };
    set(columns) == set(key)
}

/// We must own what we rename.
pub(in crate::ops) async fn ownership(cx: &PlanCx<'_>, couple: &Couple<'_>) -> Result<Vec<Preflight>> {
    let mut out = Vec::new();
    for table in [&couple.legacy, &couple.partitioned] {
        let found = Table::find(cx, &table.relation).await?;
        out.push(found.privilege(&table.relation, "rename", found.owned, &cx.cx.server.role));
    }
    Ok(out)
}

#[derive(Deserialize)]
struct Around {
    prepared: Vec<String>,
    wraparound: Vec<String>,
    slots: Vec<String>,
    sizes: i64,
    statements: bool,
}

const AROUND: &str = "
select array(select p.gid || ' since ' || p.prepared::text from pg_prepared_xacts p where p.database = current_database()) as prepared,
       array(select a.query from pg_stat_activity a where a.backend_type = 'autovacuum worker' and a.query like '%to prevent wraparound%'
             and a.datname = current_database()) as wraparound,
       array(select s.slot_name || case when s.active then ' is ' else ' (inactive) is ' end
                    || pg_size_pretty(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, s.restart_lsn)) || ' behind'
             from pg_replication_slots s
             where not s.active or pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, s.restart_lsn) > 1e9) as slots,
       (select coalesce(sum(pg_table_size(t::regclass)), 0)::bigint from unnest($1::text[]) t) as sizes,
       exists (select from pg_extension where extname = 'pg_stat_statements') as statements";

/// What else the server has to do.
pub(in crate::ops) async fn around(cx: &PlanCx<'_>, couples: &[Couple<'_>]) -> Result<(Vec<Preflight>, u64)> {
    let tables: Vec<String> =
        couples.iter().flat_map(|c| [c.legacy.relation.clone(), c.partitioned.relation.clone()]).collect();
    let legacy: Vec<String> = couples.iter().map(|c| c.legacy.relation.clone()).collect();
    let mut tx = cx.cx.read().await?;
    let a: Around = tx.one(AROUND, &[Param::Texts(legacy)]).await?;
    let mut out = Vec::new();
    let blockers: Vec<Blocker> = tx.fetch(BLOCKERS, &[Param::Texts(tables), Param::Int(5_000)]).await?;
    out.extend(blockers.iter().map(|b| warn("long_transaction", format!("in the way now: {}", b.text()))));
    if blockers.is_empty() {
        out.push(ok("long_transaction", "no transaction has held one of the tables for 5 s".into()));
    }
    if !a.prepared.is_empty() {
        let text =
            format!("prepared transactions hold their locks until they are ended: {}", a.prepared.join("; "));
        out.push(Preflight::new("prepared_transaction", Ready::Fail, text));
    }
    if !a.wraparound.is_empty() {
        let text = format!("a vacuum that must not be cancelled is at work: {}", a.wraparound.join("; "));
        out.push(Preflight::new("wraparound", Ready::Fail, text));
    }
    if !a.slots.is_empty() {
        out.push(warn("replication_slot", a.slots.join("; ")));
    }
    if !a.statements {
        out.push(ok(
            "statements",
            "pg_stat_statements is not here: what applications send was not searched for ON CONFLICT".into(),
        ));
    }
    Ok((out, u64::try_from(a.sizes).unwrap_or(0)))
}

/// Statements seen by the server that would miss a unique key.
pub(in crate::ops) async fn sent(
    cx: &PlanCx<'_>,
    couple: &Couple<'_>,
    b: &Belongings,
    accepted: &Accepted,
) -> Vec<Preflight> {
    let table = crate::engine::ident::Relation::parse(&couple.legacy.relation).name;
    let sql = "select left(regexp_replace(s.query, '\\s+', ' ', 'g'), 160) || e'\\t' || lower(m.found[1]) from pg_stat_statements s \
               cross join lateral regexp_matches(s.query, '\\mon\\s+conflict\\s*\\(([^)]*)\\)', 'gi') m(found) \
               where s.query ~* ('\\minto\\s+(\"?\\w+\"?\\.)?\"?' || regexp_replace($1, '\\W', '\\\\\\&', 'g') || '\"?\\M') limit 100";
    let Ok(mut tx) = cx.cx.read().await else { return vec![] };
    // Without the extension there is nothing to search.
    let Ok(found) = tx.texts(sql, &[Param::from(table.as_str())]).await else { return vec![] };
    let mut out = Vec::new();
    for key in &b.lost_keys {
        let key = key.join(", ");
        let uses = found.iter().flatten().filter_map(|t| t.split_once('\t')).find(|(_, c)| same(c, &key));
        if let Some((query, _)) = uses {
            let text = format!(
                "{}: applications send ON CONFLICT ({key}), which would fail: {query}",
                couple.twin.name()
            );
            out.push(accepted.unless("on_conflict", &text));
        }
    }
    out
}
