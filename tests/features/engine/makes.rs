//! Operations of statements alone, on an engine of their own.

use midwatch::engine::Engine;
use midwatch::engine::model::error::Result;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::preflight::Risk;
use midwatch::engine::model::profile::Profile;
use midwatch::engine::model::step::Step;
use midwatch::engine::plan::operation::{Draft, Offer, OpSpec, Operation, PlanCx};
use midwatch::engine::plan::request::Request;
use midwatch::engine::port::dialect::Dialect;
use midwatch::engine::port::reader::Fut;

use crate::common;
use crate::world::World;

/// What makes a table.
struct Makes {
    spec: OpSpec,
    steps: fn() -> Vec<Step>,
}

const fn spec(verb: &'static str) -> OpSpec {
    OpSpec {
        verb,
        about: "makes a table",
        risk: Risk::Reversible,
        params: &[],
        example: "",
        bootstraps: false,
        many: false,
        asks: &[],
    }
}

/// In a transaction; outside of one; in two steps.
static MAKES: [Makes; 3] = [
    Makes { spec: spec("together"), steps: || vec![step(true)] },
    Makes { spec: spec("alone"), steps: || vec![step(false)] },
    Makes {
        spec: spec("twice"),
        steps: || {
            vec![step(true), Step::new("more", "make more", vec!["create table public.more ()".into()])]
        },
    },
];

/// Makes `public.made`.
pub(crate) fn step(in_transaction: bool) -> Step {
    Step { in_transaction, ..Step::new("make", "make a table", vec!["create table public.made ()".into()]) }
}

impl Operation for Makes {
    fn spec(&self) -> &'static OpSpec {
        &MAKES.iter().find(|m| m.spec.verb == self.spec.verb).unwrap().spec
    }
    fn offers(&self, _: &Profile, _: &dyn Dialect) -> Vec<Offer> {
        vec![Offer {
            verb: self.spec.verb,
            name: "made".into(),
            about: String::new(),
            mends: None,
            risk: self.spec.risk,
            locks: String::new(),
            disabled: None,
            asks: vec![],
            takes_rows: false,
        }]
    }
    fn plan<'a>(&'a self, _: &'a PlanCx<'a>, _: &'a str, _: &'a Params) -> Fut<'a, Result<Draft>> {
        let steps = (self.steps)();
        let draft = Draft { count: steps.len() as u64, steps, ..Draft::default() };
        Box::pin(async move { Ok(draft) })
    }
}

/// With these operations besides its own.
pub(crate) async fn engine(world: &World) -> Engine {
    let mut parts = common::engine(&world.database.url(), "name = \"p\"\n").await.into_parts();
    let more = MAKES.iter().map(|m| m as &dyn Operation);
    let operations: Vec<&dyn Operation> = parts.operations.iter().copied().chain(more).collect();
    parts.operations = operations.leak();
    Engine::new(parts)
}

pub(crate) fn request(verb: &str) -> Request {
    Request::Operation { verb: verb.into(), name: None, params: Params::default() }
}
