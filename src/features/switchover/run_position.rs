//! What the journal has of a run that swaps tables besides its record: how far it is, and what its plan asks for.

use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::plan::Plan;
use crate::engine::model::preflight::Ready;
use crate::engine::model::query::{Param, Sql};
use crate::engine::port::reader::{ReadOptions, Reader};
use crate::features::switchover::task::Swap;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Position {
    /// The step it is at.
    pub(crate) at: usize,
    /// The ids of all its steps.
    pub(crate) stages: Vec<String>,
    /// What its plan asks for.
    pub(crate) asked: Option<SwapParams>,
}

/// Of a run's plan, what tells how far the run is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SwapParams {
    /// How long the locks may be held (milliseconds).
    pub budget_ms: Option<u64>,
    /// How many attempts there may be.
    pub attempts: Option<u64>,
    /// The preflight's verdicts.
    #[serde(default)]
    pub preflight: Option<Vec<Ready>>,
}

/// `$1`: the run.
const POSITION: &str = "
select r.step as at,
       (select json_agg(e.value ->> 'id' order by e.ordinality) from json_array_elements(r.plan_text::json -> 'steps') with ordinality e) as stages,
       (select json_build_object('budget_ms', e.value #> '{action,budget_ms}', 'attempts', e.value #> '{action,attempts}',
          'preflight', (select json_agg(p.value -> 'status') from json_array_elements(r.plan_text::json -> 'preflight') p))
        from json_array_elements(r.plan_text::json -> 'steps') e where e.value #>> '{action,do}' = 'swap' limit 1) as asked
from midwatch.runs r where r.id = $1::bigint";

impl Position {
    /// Of a run, by the journal.
    pub(crate) async fn read(facts: &dyn Reader, run: &str) -> Result<Self> {
        let mut tx = facts.begin(ReadOptions::default()).await?;
        tx.one(&Sql::new(POSITION).bind([Param::from(run)])).await
    }

    /// Of a run at a step, by its plan.
    pub(crate) fn at_step(plan: &Plan, at: usize) -> Self {
        let stages = plan.steps.iter().map(|s| s.id.clone()).collect();
        Self { at, stages, asked: Some(SwapParams::from_plan(plan)) }
    }
}

impl SwapParams {
    fn from_plan(plan: &Plan) -> Self {
        let swap = plan.steps.iter().find_map(|s| s.task::<Swap>(Swap::TASK));
        Self {
            budget_ms: swap.as_ref().map(|s| s.budget_ms),
            attempts: swap.as_ref().map(|s| u64::from(s.attempts)),
            preflight: Some(plan.preflight.iter().map(|p| p.status).collect()),
        }
    }
}
