//! Lines of the action list, and the questions before a plan.

use crate::engine::model::preflight::Risk;
use crate::engine::plan::operation::Offer;
use std::collections::BTreeMap;

/// A line of the action list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionLine {
    /// What it leads to.
    pub target: ActionTarget,
    /// The verb.
    pub verb: String,
    /// On what.
    pub name: String,
    /// What it would do.
    pub about: String,
    /// What a mistake would cost; `None`: its plan will say.
    pub risk: Option<Risk>,
    /// The strongest lock it takes.
    pub locks: String,
    /// Why not.
    pub disabled: Option<String>,
    /// It is about what is under the cursor.
    pub here: bool,
}

/// What a line of the action list leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionTarget {
    /// A plan of an operation.
    Plan(Box<Offer>),
    /// A plan of the way back of a run.
    Undo(String),
    /// The question whether to go on with a run.
    Resume(String),
}

/// What must be known before planning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterForm {
    /// What will be planned.
    pub offer: Box<Offer>,
    /// What is known already.
    pub params: BTreeMap<String, String>,
    /// What is asked.
    pub fields: Vec<Field>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The parameter.
    pub key: &'static str,
    /// For people.
    pub question: String,
    /// The answer so far.
    pub answer: String,
}

impl ParameterForm {
    pub(in crate::tui) fn new(offer: Offer, params: BTreeMap<String, String>) -> Self {
        let fields = offer.asks.iter().map(|(key, question)| {
            // `to whom? [nobody]`: what stands in brackets at the end is the answer unless another is given.
            let preset =
                question.strip_suffix(']').and_then(|q| q.rsplit_once('[')).map(|(_, d)| d.to_owned());
            Field { key, question: question.clone(), answer: preset.unwrap_or_default() }
        });
        let fields = fields.collect();
        Self { offer: Box::new(offer), params, fields }
    }
}
