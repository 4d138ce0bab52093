//! `init`: the journal's own tables. Nothing else creates them.

use crate::engine::journal::state;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::literal;
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::{Preflight, Ready, Reversible, Risk, Verification};
use crate::engine::model::profile::Profile;
use crate::engine::model::query::{Param, Sql};
use crate::engine::model::record::JournalState;
use crate::engine::model::step::{Action, Step};
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, ParamSpec, Params, PlanCx, lock};
use crate::engine::port::reader::Fut;

pub(crate) struct Init;

static SPEC: OpSpec = OpSpec {
    verb: "init",
    about: "create the journal's schema, without which nothing is changed",
    risk: Risk::Additive,
    params: &[ParamSpec {
        name: "operators",
        about: "roles, comma separated, that may work with the journal besides its owner",
    }],
    bootstraps: true,
    many: false,
};

impl Operation for Init {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, _profile: &Profile) -> Vec<Offer> {
        vec![Offer {
            verb: SPEC.verb,
            name: "journal".into(),
            about: SPEC.about.into(),
            mends: None,
            risk: SPEC.risk,
            locks: "none on existing tables".into(),
            disabled: None,
            asks: vec![],
            takes_rows: false,
        }]
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, _name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(draft(cx, params))
    }
}

async fn draft(cx: &PlanCx<'_>, params: &Params) -> Result<Draft> {
    let roles = roles(cx, params).await?;
    let state = state::state(cx.cx.facts).await;
    match (&state, state.refusal()) {
        (JournalState::Missing { pending }, _) => create(cx, pending, &roles).await,
        (JournalState::Ready | JournalState::Denied { .. }, _) if !roles.is_empty() => {
            admit(cx, &roles).await
        }
        (JournalState::Unknown { why }, _) => Err(Error::unobserved(why)),
        (_, None) => Err(Error::new(Class::Refused, "the journal is there already: nothing to do")
            .hint("--set operators=ROLE lets another role work with it")),
        (_, Some(e)) => Err(e),
    }
}

/// Roles that are there: a grant to a misspelt one is found before, not by the server half-way.
async fn roles(cx: &PlanCx<'_>, params: &Params) -> Result<Vec<String>> {
    let Some(given) = params.get("operators") else { return Ok(vec![]) };
    let roles: Vec<String> =
        given.split(',').map(str::trim).filter(|r| !r.is_empty()).map(str::to_owned).collect();
    if roles.is_empty() {
        return Err(Error::usage("operators names no role").hint("--set operators=ROLE,ROLE"));
    }
    let sql =
        "select r from unnest($1::text[]) r where not exists (select from pg_roles p where p.rolname = r)";
    let unknown = cx.cx.read().await?.texts(&Sql::new(sql).bind([Param::Texts(roles.clone())])).await?;
    let unknown: Vec<String> = unknown.into_iter().flatten().collect();
    if unknown.is_empty() {
        return Ok(roles);
    }
    Err(Error::usage(format!("no role {} on this server", unknown.join(", ")))
        .hint("roles as pg_roles spells them; CREATE ROLE is not midwatch's to do"))
}

async fn may(cx: &PlanCx<'_>, condition: &str) -> Result<bool> {
    let sql = format!("select ({condition})::text");
    let said = cx.cx.read().await?.texts(&Sql::new(&sql)).await?;
    Ok(said.first().and_then(|t| t.as_deref()) == Some("true"))
}

/// Roles that lack what an operator needs: one row each.
fn admitted(roles: &[String]) -> Verification {
    let among: Vec<_> = roles.iter().map(|r| literal(r)).collect();
    let sql = format!(
        "select r.rolname from pg_roles r where r.rolname in ({}) and not (\
         has_schema_privilege(r.oid, 'midwatch', 'usage') and has_table_privilege(r.oid, 'midwatch.runs', 'update') \
         and has_table_privilege(r.oid, 'midwatch.head', 'update') and has_table_privilege(r.oid, 'midwatch.events', 'insert'))",
        among.join(", ")
    );
    Verification { title: format!("{} may work with the journal", roles.join(", ")), sql }
}

/// The journal is there: other roles are let in.
async fn admit(cx: &PlanCx<'_>, roles: &[String]) -> Result<Draft> {
    let statements = state::grants(roles);
    let role = &cx.cx.server.role;
    let owns = "select pg_has_role(n.nspowner, 'usage') from pg_namespace n where n.nspname = 'midwatch'";
    let privilege = if may(cx, owns).await? {
        Preflight::new("privilege", Ready::Ok, format!("{role} owns schema midwatch"))
    } else {
        let what = format!("role {role} does not own schema midwatch: let its owner run this");
        Preflight::new("privilege", Ready::Fail, what)
    };
    let names = roles.join(", ");
    Ok(Draft {
        why: format!("{names} shall work with the journal"),
        changes: vec![format!("privileges of {names} on schema midwatch")],
        obstacle: None,
        reversible: Reversible::No,
        undo: format!("by hand: REVOKE ALL ON ALL TABLES IN SCHEMA midwatch FROM {names}"),
        frozen: false,
        count: statements.len() as u64,
        undoes: None,
        steps: vec![Step::new("admit", format!("let {names} work with the journal"), statements)],
        preflight: vec![privilege],
        verify: vec![admitted(roles)],
        rows: vec![],
        unit: Unit::STATEMENTS,
        lock_timeout_ms: None,
        continues_after_window: false,
    })
}

async fn create(cx: &PlanCx<'_>, pending: &[String], roles: &[String]) -> Result<Draft> {
    let mut statements = state::statements(pending)?;
    if !roles.is_empty() {
        statements.extend(state::grants(roles));
    }
    let role = &cx.cx.server.role;
    let privilege = if may(cx, "has_database_privilege(current_database(), 'create')").await? {
        Preflight::new("privilege", Ready::Ok, format!("{role} may create schemas here"))
    } else {
        Preflight::new(
            "privilege",
            Ready::Fail,
            format!(
                "role {role} may not create a schema: GRANT CREATE ON DATABASE, or let the owner run init"
            ),
        )
    };
    Ok(Draft {
        why: format!("the journal lacks {}", pending.join(", ")),
        changes: std::iter::once(
            "schema midwatch: runs, planned rows, before-images, a chain of entries".into(),
        )
        .chain((!roles.is_empty()).then(|| format!("privileges of {} on it", roles.join(", "))))
        .collect(),
        obstacle: None,
        reversible: Reversible::No,
        undo: "impossible: taking the journal away would take the record of everything done with it away"
            .into(),
        frozen: false,
        count: statements.len() as u64,
        undoes: None,
        steps: vec![Step {
            locks: vec![lock("schema midwatch", "ACCESS EXCLUSIVE on its new tables")],
            action: Action::Bootstrap,
            ..Step::new("init", "create the journal", statements)
        }],
        preflight: vec![privilege],
        verify: std::iter::once(Verification {
            title: "every file of the journal is recorded as applied".into(),
            sql: format!(
                "select f.name from (values {}) f(name) where not exists (select from midwatch.migrations m \
                 where m.folder = 'midwatch' and m.file = f.name)",
                pending.iter().map(|p| format!("({})", literal(p))).collect::<Vec<_>>().join(", ")
            ),
        })
        .chain((!roles.is_empty()).then(|| admitted(roles)))
        .collect(),
        rows: vec![],
        unit: Unit::STATEMENTS,
        lock_timeout_ms: None,
        continues_after_window: false,
    })
}
