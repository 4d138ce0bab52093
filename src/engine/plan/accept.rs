//! `journal-accept`: a journal that is not the one that was seen from this machine, taken as it is. An older state that was
//! restored on purpose looks like one that was cut: only the operator can tell the two apart.

use serde::{Deserialize, Serialize};

use crate::engine::journal::copied::KeptJournal;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::param::Params;
use crate::engine::model::plan::Unit;
use crate::engine::model::preflight::Risk;
use crate::engine::model::profile::Profile;
use crate::engine::model::step::{Action, Step, Task};
use crate::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::Fut;

pub(crate) struct AcceptJournal;

/// The word of its task.
pub(in crate::engine) const TASK: &str = "accept-journal";
/// What mends a refusal.
pub(in crate::engine) const HINT: &str = "midwatch journal verify lists what differs; if this state was restored on purpose, or came with a failover \
     to a standby that had not received all of it: midwatch plan journal-accept --out FILE, then apply it";

/// The same of an upgrade, before which the journal has no place for the entry that accepts it. `kept`: the copy's file.
pub(in crate::engine) fn before_upgrade(kept: Option<String>) -> String {
    let kept = kept.map_or_else(String::new, |file| {
        format!(
            "; where that has no journal-accept, move {file} and the .mark.json of that name aside, which hold what this machine has \
             seen of it"
        )
    });
    format!(
        "midwatch journal verify lists what differs; if this state was restored on purpose, accept it first with the version of \
         midwatch that wrote it: midwatch plan journal-accept --out FILE, then apply it{kept}"
    )
}

static SPEC: OpSpec = OpSpec {
    verb: "journal-accept",
    about: "accept a journal restored to an older state, in which entries seen before are missing",
    // It changes no row of the database, and must be possible where only the command line is.
    risk: Risk::Additive,
    params: &[],
    example: "",
    bootstraps: false,
    many: false,
    asks: &[],
};

/// The state that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct AcceptedState {
    /// The last entry of the journal.
    pub(in crate::engine) entry: i64,
    /// Its hash.
    pub(in crate::engine) hash: String,
    /// The highest entry that was seen from this machine, where that is known.
    pub(in crate::engine) seen: Option<i64>,
    /// The first entry of it that this installation has signed: a state from before that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) signed_from: Option<i64>,
    /// What differs, in words: the first of it.
    pub(in crate::engine) found: String,
}

impl Operation for AcceptJournal {
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
            locks: "none".into(),
            disabled: None,
            asks: vec![],
            takes_rows: false,
        }]
    }

    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, _name: &'a str, _: &'a Params) -> Fut<'a, Result<Draft>> {
        Box::pin(draft(cx))
    }
}

async fn draft(cx: &PlanCx<'_>) -> Result<Draft> {
    let target = &Identity::from_server(cx.cx.server);
    let kept = KeptJournal { facts: cx.cx.facts, copy: cx.journal_copy, signer: cx.signer, target };
    let differences = kept.differences().await?;
    let Some(found) = differences.found.first().cloned() else {
        let why = "the journal is as it was last seen from this machine: nothing to accept";
        return Err(Error::new(Class::Refused, why));
    };
    let entry = differences.entry;
    let state = AcceptedState {
        entry,
        hash: differences.hash,
        seen: differences.seen,
        signed_from: differences.signed_from,
        found: found.clone(),
    };
    let gaps = "what is missing before its last entry stays a finding of every verification: nothing can put it back";
    let changes = differences
        .found
        .into_iter()
        .skip(1)
        .chain(differences.has_gaps.then(|| gaps.into()))
        .chain([
        format!("this machine takes the journal as it is, with entry {entry} as its last"),
        "the copy and the highest entry seen of the other state at this address are set aside, not removed"
            .into(),
    ]);
    Ok(Draft {
        why: found,
        changes: changes.collect(),
        undo: "impossible: the entry that says so stays in the journal, and every verification shows it"
            .into(),
        unit: Unit::new("journals"),
        count: 1,
        steps: vec![Step {
            action: Action::Task(Task::new(TASK, &state)),
            ..Step::new("accept", "accept the journal as it is", vec![])
        }],
        ..Draft::default()
    })
}
