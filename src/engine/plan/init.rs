//! `init`: the journal's own tables. Nothing else creates them.

use crate::engine::journal::state;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::preflight::{Preflight, Risk};
use crate::engine::model::profile::Profile;
use crate::engine::model::step::{Action, Step};
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx, UndoText};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadOptions};

pub(crate) struct Init;

/// Its verb.
pub(crate) const VERB: &str = "init";

static SPEC: OpSpec = OpSpec {
    verb: VERB,
    about: "create the journal's schema, without which nothing is changed",
    risk: Risk::Additive,
    params: &[ParamSpec {
        name: "operators",
        about: "roles that may work with the journal besides its owner",
        takes: Takes::List("ROLE"),
        default: DefaultValue::Nothing,
    }],
    example: "--set operators=dba,oncall",
    bootstraps: true,
    many: false,
    asks: &[],
};

impl Operation for Init {
    fn spec(&self) -> &'static OpSpec {
        &SPEC
    }

    fn offers(&self, _profile: &Profile, _: &dyn Dialect) -> Vec<Offer> {
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
        (JournalState::Missing { pending } | JournalState::Older { pending }, _) => {
            create(cx, pending, &roles).await
        }
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
    let facts = cx.cx.facts;
    let unknown = facts.dialect().unknown_grantees(&mut *cx.cx.read().await?, &roles).await?;
    if unknown.is_empty() {
        return Ok(roles);
    }
    Err(Error::usage(format!("no role {} on this server", unknown.join(", ")))
        .hint("names as the server spells them; midwatch creates no roles"))
}

/// May this role do it?
async fn privilege(cx: &PlanCx<'_>, pending: &[String]) -> Result<Preflight> {
    let mut tx = cx.cx.facts.rights().begin(ReadOptions::default()).await?;
    cx.cx.facts.dialect().may_install(&mut *tx, &cx.cx.server.role, pending).await
}

/// The journal is there: other roles are let in.
async fn admit(cx: &PlanCx<'_>, roles: &[String]) -> Result<Draft> {
    let install = cx.cx.facts.dialect().install(&[], roles)?;
    let statements = install.statements();
    let names = roles.join(", ");
    Ok(Draft {
        why: format!("{names} shall work with the journal"),
        changes: vec![format!("privileges of {names} on schema midwatch")],
        undo: install.revoke.map_or_else(UndoText::default, |by| format!("by hand: {by}").into()),
        count: statements.len() as u64,
        steps: vec![Step::new("admit", format!("let {names} work with the journal"), statements)],
        preflight: vec![privilege(cx, &[]).await?],
        verify: install.verify,
        ..Draft::default()
    })
}

async fn create(cx: &PlanCx<'_>, pending: &[String], roles: &[String]) -> Result<Draft> {
    let install = cx.cx.facts.dialect().install(pending, roles)?;
    let statements = install.statements();
    Ok(Draft {
        why: format!("the journal lacks {}", pending.join(", ")),
        changes: std::iter::once(
            "schema midwatch: runs, planned rows, before-images, a chain of entries".into(),
        )
        .chain((!roles.is_empty()).then(|| format!("privileges of {} on it", roles.join(", "))))
        .collect(),
        undo: "impossible: taking the journal away would take the record of everything done with it away"
            .into(),
        count: statements.len() as u64,
        steps: vec![Step {
            locks: install.locks,
            action: Action::Bootstrap,
            ..Step::new("init", "create the journal", statements)
        }],
        preflight: vec![privilege(cx, pending).await?],
        verify: install.verify,
        ..Draft::default()
    })
}
