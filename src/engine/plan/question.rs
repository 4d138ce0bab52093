//! What is asked of other features' reports before a change: verdicts, by name.
//!
//! An operation asks by itself ([`OpSpec::asks`]) and words the answers. The planner asks what the profile names for a
//! change ([`Write::verdicts`]) and adds the answers to the preflight. Names are resolved in the registry of verdicts, so
//! that features stay apart. One that is not registered is an error when a target is opened, not when a plan is made: an
//! operation's own are checked here, the profile's where it is read.
//!
//! [`OpSpec::asks`]: crate::engine::plan::operation::OpSpec::asks

use crate::engine::check::kind::{CheckCx, CheckProgress};
use crate::engine::check::verdict::{CheckVerdict, VerdictSpec, find, no_such_verdict};
use crate::engine::model::error::Result;
use crate::engine::model::param::Params;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::profile::Write;
use crate::engine::model::report::{CheckId, Status};
use crate::engine::plan::operation::{ALL, Operation, PlanCx};

/// Refuses operations that ask for a verdict which no feature exports.
pub fn check_questions(operations: &[&dyn Operation], registered: &[&'static [VerdictSpec]]) -> Result<()> {
    for spec in operations.iter().map(|o| o.spec()) {
        if let Some(id) = spec.asks.iter().find(|id| find(registered, id).is_none()) {
            return Err(no_such_verdict(registered, spec.verb, id));
        }
    }
    Ok(())
}

impl PlanCx<'_> {
    /// Answers verdicts that the operation declares, of one kind of check, from one run of it on `name`, each answer
    /// beside the question that it belongs to. `doing` tells people what is run. An error is the reason why nothing is
    /// known.
    pub async fn ask<'v>(
        &self,
        verdicts: &[&'v str],
        name: &str,
        doing: &str,
    ) -> std::result::Result<Vec<(&'v str, CheckVerdict)>, String> {
        match verdicts.iter().find(|v| !self.questions.contains(v)) {
            Some(undeclared) => Err(format!("{undeclared} is not declared")),
            None => self.run_and_answer(verdicts, name, doing).await,
        }
    }

    async fn run_and_answer<'v>(
        &self,
        verdicts: &[&'v str],
        name: &str,
        doing: &str,
    ) -> std::result::Result<Vec<(&'v str, CheckVerdict)>, String> {
        let known = |id: &&'v str| {
            let verdict = find(self.verdicts, id).ok_or_else(|| format!("no feature has the verdict {id}"));
            verdict.map(|v| (*id, v))
        };
        let verdicts = verdicts.iter().map(known).collect::<std::result::Result<Vec<_>, _>>()?;
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
        let answers: Vec<_> =
            answers.flat_map(|(question, all)| all.into_iter().map(move |a| (question, a))).collect();
        // A part that could not be looked at may hold what is asked for; a proved failure stands without it.
        match report.unobserved() {
            Some(why) if answers.iter().all(|(_, answer)| answer.status != Ready::Fail) => {
                Err(why.to_owned())
            }
            _ => Ok(answers),
        }
    }

    /// The names that a kind of check watches among those planned for, or all where none of them is.
    fn watched(&self, kind: &str, planned: &str) -> Vec<String> {
        let check = self.checks.iter().find(|c| c.spec().kind == kind);
        let all = check.map(|c| c.names(self.profile())).unwrap_or_default();
        let chosen: Vec<String> =
            all.iter().filter(|n| planned.split(',').any(|p| p == n.as_str())).cloned().collect();
        if planned == ALL || chosen.is_empty() { all } else { chosen }
    }

    /// The answers to the verdicts that the profile names for a change, each check run once.
    pub(in crate::engine) async fn answers(&self, write: Option<&Write>, planned: &str) -> Vec<Preflight> {
        let mut kinds: Vec<(&str, Vec<&str>)> = vec![];
        for id in write.map(Write::verdicts).unwrap_or_default() {
            let kind = id.split_once('/').map_or(id, |(kind, _)| kind);
            match kinds.iter_mut().find(|(k, _)| *k == kind) {
                Some((_, ids)) if ids.contains(&id) => {}
                Some((_, ids)) => ids.push(id),
                None => kinds.push((kind, vec![id])),
            }
        }
        let mut out = Vec::new();
        for (kind, of_kind) in kinds {
            let names = self.watched(kind, planned);
            if names.is_empty() {
                let why = format!("profile {} declares no {kind} checks", self.profile().name);
                out.push(Preflight::new(kind, Ready::Unknown, why));
            }
            for name in names {
                match self.run_and_answer(&of_kind, &name, &format!("checking {kind}/{name}")).await {
                    Ok(answers) => out.extend(self.lines(&of_kind, &name, &answers)),
                    Err(why) => out.push(Preflight::new(kind, Ready::Unknown, format!("{name}: {why}"))),
                }
            }
        }
        out
    }

    /// The same before an undo of the change: no answer blocks it. An undo is needed most where something is wrong, and
    /// the profile may have got the verdict after the run.
    pub(in crate::engine) async fn answers_before_undo(
        &self,
        write: Option<&Write>,
        planned: &str,
    ) -> Vec<Preflight> {
        let warn = |line: Preflight| match line.status {
            Ready::Fail | Ready::Unknown => {
                let message = format!("{}; an undo is not blocked by this", line.message);
                Preflight { status: Ready::Warn, message, ..line }
            }
            Ready::Ok | Ready::Warn => line,
        };
        self.answers(write, planned).await.into_iter().map(warn).collect()
    }

    /// A line for each answer to these verdicts. Where a verdict has none, nothing is wrong: its line says so.
    fn lines(&self, verdicts: &[&str], name: &str, answers: &[(&str, CheckVerdict)]) -> Vec<Preflight> {
        let fine = |id: &str| {
            let spec = find(self.verdicts, id)?;
            Some(Preflight::new(spec.name, Ready::Ok, format!("{name}: {}", spec.about)))
        };
        let line = |answer: &CheckVerdict| {
            Preflight::new(answer.about, answer.status, format!("{name}: {}", answer.text))
        };
        let lines_of = |id: &&str| {
            let lines: Vec<_> = answers.iter().filter(|(of, _)| of == id).map(|(_, a)| line(a)).collect();
            if lines.is_empty() { fine(id).into_iter().collect() } else { lines }
        };
        verdicts.iter().flat_map(lines_of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::error::Error;
    use crate::engine::model::preflight::Risk;
    use crate::engine::model::profile::Profile;
    use crate::engine::plan::operation::{Draft, Offer, OpSpec};
    use crate::engine::port::dialect::Dialect;
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
        asks: &["jobs/late", "jobs/gone"],
    };

    impl Operation for Asks {
        fn spec(&self) -> &'static OpSpec {
            &SPEC
        }

        fn offers(&self, _: &Profile, _: &dyn Dialect) -> Vec<Offer> {
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
