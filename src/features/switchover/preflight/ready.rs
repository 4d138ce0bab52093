//! Is a set of twins ready to be switched over? What is looked at besides what every change looks at.

use crate::engine::model::query::Sql;
use serde_json::Value;

use crate::engine::check::kind::{CheckNews, Cx};
use crate::engine::model::error::Result;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::query::Param;
use crate::engine::model::report::{CheckId, Severity, Status};
use crate::engine::plan::operation::PlanCx;
use crate::engine::plan::tables::Table;
use crate::features::parity::pair::sync_triggers::{REVERSE, moves};
use crate::features::parity::pair::{Standing, about_rows};
use crate::features::switchover::copy::trigger_body::besides;
use crate::features::switchover::plan::dependents::{Belongings, Publication};
use crate::features::switchover::preflight::unique_keys::lost;
use crate::features::switchover::twins::Couple;

/// What an operator may accept openly: `--set accept=…`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accepted(pub(crate) Vec<String>);

impl Accepted {
    pub(crate) fn of(text: Option<&str>) -> Self {
        let list = text.unwrap_or_default().split(',').map(str::trim).filter(|t| !t.is_empty());
        Self(list.map(str::to_owned).collect())
    }

    /// What would stop the switch, unless it is accepted.
    pub(crate) fn unless(&self, id: &str, text: &str) -> Preflight {
        if self.0.iter().any(|a| a == id) {
            Preflight::new(id, Ready::Warn, format!("{text} (accepted)"))
        } else {
            Preflight::new(id, Ready::Fail, format!("{text}; --set accept={id} goes on with it"))
        }
    }
}

pub(crate) fn warn(id: &str, text: String) -> Preflight {
    Preflight::new(id, Ready::Warn, text)
}

pub(crate) fn ok(id: &str, text: String) -> Preflight {
    Preflight::new(id, Ready::Ok, text)
}

/// What the parity check says of the twin: rows, columns, partitions, sequences.
pub(crate) async fn parity(cx: &PlanCx<'_>, couple: &Couple<'_>) -> Vec<Preflight> {
    let name = couple.twin.name();
    let Some(check) = cx.checks.iter().find(|c| c.spec().kind == "parity") else {
        return vec![Preflight::new(
            "parity",
            Ready::Unknown,
            format!("{name}: there is no parity check here"),
        )];
    };
    let id = CheckId { kind: "parity", name: name.to_owned() };
    let tell =
        |news: CheckNews| (cx.doing)(format!("comparing {name}: {}, {} rows so far", news.doing, news.rows));
    (cx.doing)(format!("comparing {name}"));
    let look = Cx { quick: false, tell: &tell, ..cx.cx };
    let report = match check.observe(&look, &id).await {
        Ok(report) => report,
        Err(e) => return vec![Preflight::new("parity", Ready::Unknown, format!("{name}: {}", e.message))],
    };
    if let Status::Unknown { why } = &report.status {
        return vec![Preflight::new("parity", Ready::Unknown, format!("{name}: {why}"))];
    }
    let mut out = Vec::new();
    let rows = report.facts["legacy_rows"].as_u64().unwrap_or_default();
    let wrong: Vec<_> = report.findings.iter().filter(|f| about_rows(f.what())).collect();
    out.push(if wrong.is_empty() {
        ok("parity", format!("{name}: {rows} rows equal ({})", text(&report.facts["compared"])))
    } else {
        let said: Vec<_> = wrong.iter().map(|f| f.message.as_str()).collect();
        let text = format!("{name}: {}; midwatch plan repair {name}", said.join("; "));
        Preflight::new("parity", Ready::Fail, text)
    });
    for f in report.findings.iter().filter(|f| !about_rows(f.what())) {
        let message = format!("{name}: {}", f.message);
        let what = f.what().split('/').next().unwrap_or_default();
        out.push(match what {
            // The switch hands the legacy table's own over.
            "sequence" if couple.standing == Standing::Before => {
                ok("sequence", format!("{message} (handed over in the switch)"))
            }
            // Fired in a copy, which says more.
            "trigger" | "trigger_columns" | "unmirrored" if couple.standing == Standing::Before => continue,
            "trigger" | "trigger_columns" | "unmirrored" => {
                warn(what, format!("{message}; midwatch plan repair-triggers {name}"))
            }
            "coverage" => Preflight::new(
                what,
                Ready::Fail,
                format!("{message}; midwatch plan copy-missing {name} makes partitions"),
            ),
            "columns_missing" => Preflight::new(
                what,
                Ready::Fail,
                format!("{message}; add them, then midwatch plan repair-triggers {name} and repair {name}"),
            ),
            "sums" => Preflight::new(what, Ready::Fail, message),
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
pub(crate) fn dependants(couple: &Couple<'_>, b: &Belongings, accepted: &Accepted) -> Vec<Preflight> {
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
    out.extend(lost(name, b, accepted));
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
    out.extend(reached(name, &couple.partitioned.relation, b, accepted));
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
    let order = |t: &crate::features::parity::pair::catalog::Table| {
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

/// Who else uses one of the names, and what for: nothing of it may change unseen.
fn reached(name: &str, twin: &str, b: &Belongings, accepted: &Accepted) -> Vec<Preflight> {
    let mut out = Vec::new();
    let mut stops = |id: &str, text: String| out.push(accepted.unless(id, &format!("{name}: {text}")));
    for c in &b.named {
        stops("on_conflict", format!("ON CONFLICT ON CONSTRAINT {} in {} would fail", c.columns, c.function));
    }
    if !b.readers_of_both.is_empty() {
        let views = b.readers_of_both.join(", ");
        stops("reads_both", format!("{views} read both tables, and would read the new one twice"));
    }
    for t in b.triggers.iter().filter(|t| !t.ours && !t.mirrors && t.namesakes.iter().any(|n| !n.same)) {
        let on: Vec<_> = t.namesakes.iter().map(|n| n.table.as_str()).collect();
        let text =
            format!("trigger {} is not carried over: another of that name is on {}", t.name, on.join(", "));
        stops("trigger_name", text);
    }
    for t in b.triggers.iter().filter(|t| t.mirrors && !t.ours && t.state != "D") {
        let more = besides(&t.body, twin, t.before);
        if !more.is_empty() {
            let text = format!(
                "trigger {} keeps the twin in step and does more, which ends with the switch: {}",
                t.name,
                more.join(", ")
            );
            stops("trigger_body", text);
        }
    }
    let widened = b.widened();
    if !widened.is_empty() {
        stops("privileges", format!("the live name lets in whom only the twin did: {}", widened.join(", ")));
    }
    let unlike = b.policies_unlike();
    if !unlike.is_empty() {
        stops("policy", format!("the live name shows other rows than it did: {}", unlike.join(", ")));
    }
    for c in b.legacy.columns.iter().filter(|c| !c.always) {
        if b.twin.columns.iter().any(|t| t.name == c.name && t.always) {
            let text = format!(
                "column {} of the twin is GENERATED ALWAYS AS IDENTITY, the legacy table's is not: INSERT and UPDATE that give it a value would fail",
                c.name
            );
            stops("identity", text);
        }
    }
    out.extend(seen(name, b));
    if !b.leaf_owners.is_empty() {
        let text = format!(
            "{name}: partitions belong to {}, the table to {}",
            b.leaf_owners.join(", "),
            b.legacy.owner
        );
        out.push(warn("owner", text));
    }
    if !b.unlike.is_empty() {
        out.push(warn(
            "not_carried",
            format!("{name}: stays with the retired table: {}", b.unlike.join(", ")),
        ));
    }
    out
}

/// What is carried over and still tells that the table is another.
fn seen(name: &str, b: &Belongings) -> Vec<Preflight> {
    let mut out = Vec::new();
    let numbered = |c: &str| b.twin.columns.iter().any(|t| t.name == c && t.sequence.is_some());
    for c in b.legacy.columns.iter().filter(|c| c.identity && !numbered(&c.name)) {
        let text = format!(
            "{name}: the identity of column {} becomes a default: pg_get_serial_sequence of it is NULL after the switch",
            c.name
        );
        out.push(warn("serial_sequence", text));
    }
    for t in b.triggers.iter().filter(|t| t.by_name && t.carried()) {
        let text = format!(
            "{name}: trigger {} asks for its table's name or number: after the switch that is the partition's",
            t.name
        );
        out.push(warn("trigger_table", text));
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

/// We must own what we rename.
pub(crate) async fn ownership(cx: &PlanCx<'_>, couple: &Couple<'_>) -> Result<Vec<Preflight>> {
    let mut out = Vec::new();
    for table in [&couple.legacy, &couple.partitioned] {
        let found = Table::find(cx, &table.relation).await?;
        out.push(found.privilege(&table.relation, "rename", found.owned, &cx.cx.server.role));
    }
    Ok(out)
}

// BEFORE, of rows, of UPDATE: 2, 1 and 16 of tgtype.
const LATE: &str = "
with recursive tree as (
  select $2::oid as oid
  union all
  select i.inhrelid from pg_inherits i join tree t on i.inhparent = t.oid)
select distinct format('%s of %s', t.tgname, t.tgrelid::regclass) from pg_trigger t
where t.tgrelid in (select oid from tree union all select $1::oid) and not t.tgisinternal and t.tgparentid = 0
  and t.tgtype & 19 = 19 and t.tgname::text collate \"C\" > $3 order by 1";

/// BEFORE triggers that would come after ours: what they change in a key our reverse sync has not seen.
pub(crate) async fn late_triggers(
    cx: &PlanCx<'_>,
    couple: &Couple<'_>,
    accepted: &Accepted,
) -> Result<Option<Preflight>> {
    let ours = moves(REVERSE);
    let params =
        [Param::Int(couple.legacy.oid), Param::Int(couple.partitioned.oid), Param::from(ours.as_str())];
    let late: Vec<String> = cx
        .cx
        .read()
        .await?
        .texts(&Sql::new(LATE).bind(params.clone()))
        .await?
        .into_iter()
        .flatten()
        .collect();
    if late.is_empty() {
        return Ok(None);
    }
    let text = format!(
        "{}: triggers fire in the order of their names, and {} would come after {ours}: a key that they change reverse sync learns too late; rename them",
        couple.twin.name(),
        late.join(", ")
    );
    Ok(Some(accepted.unless("trigger_order", &text)))
}
