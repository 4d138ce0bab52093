//! What an operation asks of other features' reports before it acts: verdicts, by name.
//!
//! Names are resolved in the registry of verdicts, so that features stay apart. A name that is not registered is an
//! error when a target is opened, not when a plan is made.

use crate::engine::check::kind::{CheckCx, CheckProgress};
use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::param::Params;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::report::{CheckId, Status};
use crate::engine::plan::operation::{ALL, Operation, PlanCx};

fn find(registered: &[&'static [VerdictSpec]], verdict: &str) -> Option<&'static VerdictSpec> {
    let (check, name) = verdict.split_once('/')?;
    registered.iter().flat_map(|list| list.iter()).find(|v| v.check == check && v.name == name)
}

/// Refuses operations that ask for a verdict which no feature exports.
pub fn check_questions(operations: &[&dyn Operation], registered: &[&'static [VerdictSpec]]) -> Result<()> {
    for spec in operations.iter().map(|o| o.spec()) {
        if let Some(question) = spec.asks.iter().find(|q| find(registered, q.verdict).is_none()) {
            let known: Vec<_> = registered.iter().flat_map(|list| list.iter()).map(VerdictSpec::id).collect();
            let what =
                format!("{} asks for the verdict {}, which no feature has", spec.verb, question.verdict);
            return Err(Error::usage(what).hint(format!("verdicts: {}", known.join(" "))));
        }
    }
    Ok(())
}

impl PlanCx<'_> {
    /// Answers verdicts of one kind of check from one run of it on `name`, each answer beside the question that it
    /// belongs to. `doing` tells people what is run. An error is the reason why nothing is known.
    pub async fn ask(
        &self,
        verdicts: &[&str],
        name: &str,
        doing: &str,
    ) -> std::result::Result<Vec<(&'static str, CheckVerdict)>, String> {
        let declared = |verdict: &&str| {
            let question = self.questions.iter().find(|q| q.verdict == *verdict);
            question
                .and_then(|q| Some((q.verdict, find(self.verdicts, q.verdict)?)))
                .ok_or_else(|| format!("{verdict} is not declared"))
        };
        let verdicts = verdicts.iter().map(declared).collect::<std::result::Result<Vec<_>, _>>()?;
        let Some(kind) = verdicts.first().map(|(_, v)| v.check) else { return Ok(vec![]) };
        let check = self.checks.iter().find(|c| c.spec().kind == kind);
        let Some(check) = check.filter(|_| verdicts.iter().all(|(_, v)| v.check == kind)) else {
            return Err(format!("there is no {kind} check here"));
        };
        let tell = |news: CheckProgress| {
            (self.doing)(format!("{doing}: {}, {} rows so far", news.doing, news.rows));
        };
        (self.doing)(doing.to_owned());
        let cx = CheckCx { tell: &tell, ..self.cx };
        let id = CheckId { kind, name: name.to_owned() };
        let report = check.observe(&cx, &id, &Params::default()).await.map_err(|e| e.message)?;
        if let Status::Unknown { why } = &report.status {
            return Err(why.clone());
        }
        let answers = verdicts.iter().map(|(question, v)| (*question, (v.of)(&report)));
        Ok(answers.flat_map(|(question, all)| all.into_iter().map(move |a| (question, a))).collect())
    }

    /// The names that a kind of check watches among those planned for, or all where none of them is.
    fn watched(&self, kind: &str, planned: &str) -> Vec<String> {
        let check = self.checks.iter().find(|c| c.spec().kind == kind);
        let all = check.map(|c| c.names(self.profile())).unwrap_or_default();
        let chosen: Vec<String> =
            all.iter().filter(|n| planned.split(',').any(|p| p == n.as_str())).cloned().collect();
        if planned == ALL || chosen.is_empty() { all } else { chosen }
    }

    /// The answers to all that the operation leaves to the planner, each check run once.
    pub(in crate::engine) async fn answers(&self, planned: &str) -> Vec<Preflight> {
        let mut kinds: Vec<&str> = Vec::new();
        let questions: Vec<_> = self.questions.iter().filter(|q| !q.own_words).collect();
        for question in &questions {
            if !kinds.contains(&question.kind()) {
                kinds.push(question.kind());
            }
        }
        let mut out = Vec::new();
        for kind in kinds {
            let verdicts: Vec<_> = questions.iter().filter(|q| q.kind() == kind).map(|q| q.verdict).collect();
            for name in self.watched(kind, planned) {
                match self.ask(&verdicts, &name, &format!("checking {kind}/{name}")).await {
                    Ok(answers) => out.extend(
                        answers
                            .into_iter()
                            .map(|(_, a)| Preflight::new(a.about, a.status, format!("{name}: {}", a.text))),
                    ),
                    Err(why) => out.push(Preflight::new(kind, Ready::Unknown, format!("{name}: {why}"))),
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::check::verdict::VerdictQuestion;
    use crate::engine::model::preflight::Risk;
    use crate::engine::model::profile::Profile;
    use crate::engine::plan::operation::{Draft, Offer, OpSpec};
    use crate::engine::port::reader::Fut;

    struct Asks;

    static SPEC: OpSpec = OpSpec {
        verb: "purge",
        about: "",
        risk: Risk::Lossy,
        params: &[],
        example: "",
        bootstraps: false,
        many: false,
        asks: &[VerdictQuestion::for_planner("jobs/late"), VerdictQuestion::in_own_words("jobs/gone")],
    };

    impl Operation for Asks {
        fn spec(&self) -> &'static OpSpec {
            &SPEC
        }

        fn offers(&self, _: &Profile) -> Vec<Offer> {
            vec![]
        }

        fn plan<'a>(&'a self, _: &'a PlanCx<'a>, _: &'a str, _: &'a Params) -> Fut<'a, Result<Draft>> {
            Box::pin(async { Err(Error::usage("nothing to plan")) })
        }
    }

    #[test]
    fn a_verdict_that_no_feature_has_is_an_error() {
        const LATE: &[VerdictSpec] =
            &[VerdictSpec { check: "jobs", name: "late", about: "", of: |_| vec![] }];
        const GONE: &[VerdictSpec] =
            &[VerdictSpec { check: "jobs", name: "gone", about: "", of: |_| vec![] }];
        assert!(check_questions(&[&Asks], &[LATE, GONE]).is_ok());
        let error = check_questions(&[&Asks], &[LATE]).unwrap_err();
        assert_eq!(error.message, "purge asks for the verdict jobs/gone, which no feature has");
        assert_eq!(error.hint.as_deref(), Some("verdicts: jobs/late"));
    }
}
