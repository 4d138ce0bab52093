//! `init`: the journal's own tables. Nothing else creates them.

use crate::engine::Result;
use crate::engine::bootstrap;
use crate::engine::guard::JournalState;
use crate::engine::ident::literal;
use crate::engine::operation::{Draft, Offer, OpSpec, Operation, Params, PlanCx, Risk, lock};
use crate::engine::plan::{Action, Preflight, Ready, Reversible, Step, Unit, Verification};
use crate::engine::ports::{Fut, Param};
use crate::engine::profile::Profile;
use crate::engine::{Class, Error};

pub(super) struct Init;

static SPEC: OpSpec = OpSpec {
    verb: "init",
    about: "create the journal's schema, without which nothing is changed",
    risk: Risk::Additive,
    params: &[],
    bootstraps: true,
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

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, _name: &'a str, _params: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(draft(cx))
    }
}

async fn draft(cx: &PlanCx<'_>) -> Result<Draft> {
    let pending = match bootstrap::state(cx.cx.facts).await {
        JournalState::Missing { pending } => pending,
        JournalState::Ready => {
            return Err(Error::new(Class::Refused, "the journal is there already: nothing to do"));
        }
        JournalState::Unknown { why } => return Err(Error::unobserved(why)),
    };
    let statements = bootstrap::statements(&pending)?;
    let may = cx
        .cx
        .read()
        .await?
        .texts("select has_database_privilege(current_database(), 'create')::text", &[] as &[Param])
        .await?;
    let may = may.first().and_then(|t| t.as_deref()) == Some("true");
    let role = &cx.cx.server.role;
    let privilege = if may {
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
        changes: vec!["schema midwatch: runs, planned rows, before-images, a chain of entries".into()],
        obstacle: None,
        reversible: Reversible::No,
        undo: "impossible: taking the journal away would take the record of everything done with it away"
            .into(),
        frozen: false,
        count: statements.len() as u64,
        steps: vec![Step {
            id: "init".into(),
            title: "create the journal".into(),
            locks: vec![lock("schema midwatch", "ACCESS EXCLUSIVE on its new tables")],
            in_transaction: true,
            action: Action::Bootstrap,
            statements,
        }],
        preflight: vec![privilege],
        verify: vec![Verification {
            title: "every file of the journal is recorded as applied".into(),
            sql: format!(
                "select f.name from (values {}) f(name) where not exists (select from midwatch.migrations m \
                 where m.folder = 'midwatch' and m.file = f.name)",
                pending.iter().map(|p| format!("({})", literal(p))).collect::<Vec<_>>().join(", ")
            ),
        }],
        rows: None,
        unit: Unit::Statements,
    })
}
