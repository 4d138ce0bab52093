//! Ownership of what is renamed and of the functions that are made, and triggers that would fire after ours.

use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::query::{Param, Sql};
use crate::engine::plan::operation::PlanCx;
use crate::engine::plan::tables::find_table;
use crate::engine::port::reader::ReadOptions;
use crate::features::parity::pair::TwinTables;
use crate::features::parity::pair::change_capture::{CaptureState, Gap, GapScope, functions};
use crate::features::parity::pair::sync_triggers::{REVERSE, moves};
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::texts;

/// We must own what we rename.
pub(crate) async fn ownership(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<Vec<Preflight>> {
    let mut out = Vec::new();
    for table in [&twin_pair.legacy, &twin_pair.partitioned] {
        let found = find_table(cx, &table.relation).await?;
        let line = found.privilege(&table.relation, "rename", found.owned, &cx.cx.server.role);
        out.push(line.copied_with(twin_pair.twin.name()));
    }
    Ok(out)
}

#[derive(Deserialize)]
struct Ownable {
    creates: bool,
    member: bool,
}

// What keeps a function from being given to a role.
const OWNABLE: &str =
    "select has_schema_privilege($1, $2, 'create') as creates, pg_has_role($1, 'member') as member";

/// A function that runs with the rights of its table's owner becomes that owner's: a superuser gives it to anybody, others
/// to whom may create functions there.
pub(crate) async fn may_be_owned(
    cx: &PlanCx<'_>,
    function: &Relation,
    owner: &str,
) -> Result<Option<Preflight>> {
    let server = cx.cx.server;
    if server.superuser || owner == server.role {
        return Ok(None);
    }
    let schema = function.schema.as_deref().unwrap_or_default();
    let sql = Sql::new(OWNABLE).bind([Param::from(owner), Param::from(schema)]);
    // Of the role that makes it, whoever looks.
    let mut rights = cx.cx.facts.rights().begin(ReadOptions::default()).await?;
    let found: Ownable = rights.one(&sql).await?;
    let lacks = if !found.member {
        texts::triggers::not_a_member(&server.role, owner)
    } else if !found.creates {
        texts::triggers::owner_may_not_create(owner, schema)
    } else {
        return Ok(None);
    };
    let text = texts::triggers::cannot_own(&function.to_string(), owner, &lacks);
    Ok(Some(Preflight::new("privilege", Ready::Fail, text)))
}

/// The same of the functions of change capture, where they are to be made.
pub(crate) async fn marks_may_be_owned(
    cx: &PlanCx<'_>,
    pair: &TwinTables,
    capture: &CaptureState,
) -> Result<Vec<Preflight>> {
    let mut out = Vec::new();
    if matches!(capture, CaptureState::Incomplete(Gap { lacks: GapScope::All, .. })) {
        for (function, owner) in functions(pair) {
            out.extend(may_be_owned(cx, &function, owner).await?);
        }
    }
    Ok(out)
}

// BEFORE, of rows, of UPDATE: 2, 1 and 16 of tgtype.
pub(crate) const LATE: &str = "
with recursive tree as (
  select $2::oid as oid
  union all
  select i.inhrelid from pg_inherits i join tree t on i.inhparent = t.oid)
select distinct format('%s of %s', t.tgname, regexp_replace(t.tgrelid::regclass::text, '^public[.]', '')) from pg_trigger t
where t.tgrelid in (select oid from tree union all select $1::oid) and not t.tgisinternal and t.tgparentid = 0
  and t.tgtype & 19 = 19 and t.tgname::text collate \"C\" > $3 order by 1";

/// BEFORE triggers that would come after ours: what they change in a key our reverse sync has not seen.
pub(crate) async fn late_triggers(
    cx: &PlanCx<'_>,
    twin_pair: &TwinPair<'_>,
    accepted: &Accepted,
) -> Result<Option<Preflight>> {
    let ours = moves(REVERSE);
    let params =
        [Param::Int(twin_pair.legacy.oid), Param::Int(twin_pair.partitioned.oid), Param::from(ours.as_str())];
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
    let text = texts::triggers::fires_late(twin_pair.twin.name(), &late, &ours);
    Ok(Some(accepted.unless("trigger_order", &text).copied_with(twin_pair.twin.name())))
}
