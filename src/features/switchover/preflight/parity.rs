//! What the parity check says of a twin before a switchover.

use crate::engine::check::verdict::CheckVerdict;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::plan::operation::PlanCx;
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::pair::SwitchState;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::finding_effect::FindingEffect;
use crate::features::switchover::texts::preflight as texts;

const ROWS: &str = "parity/rows";
const STRUCTURE: &str = "parity/structure";

/// What operations ask that call [`parity`].
pub(crate) const QUESTIONS: &[&str] = &[ROWS, STRUCTURE];

/// What the parity check says of the twin: rows, columns, partitions, sequences.
pub(crate) async fn parity(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Vec<Preflight> {
    let name = twin_pair.twin.name();
    match cx.ask(&[ROWS, STRUCTURE], name, &texts::comparing(name)).await {
        Err(why) => vec![Preflight::new("parity", Ready::Unknown, texts::verdict(name, &why))],
        Ok(answers) => lines(name, twin_pair.standing, &answers),
    }
}

/// The answers to the two questions, each beside its question, as a switchover takes them.
pub(crate) fn lines(name: &str, state: SwitchState, answers: &[(&str, CheckVerdict)]) -> Vec<Preflight> {
    answers.iter().filter_map(|(question, answer)| worded(name, state, question, answer)).collect()
}

fn worded(name: &str, state: SwitchState, question: &str, answer: &CheckVerdict) -> Option<Preflight> {
    match answer.source::<FindingKind>() {
        _ if question == ROWS => Some(rows(name, answer)),
        Some(kind) => besides(name, state, kind, answer),
        // Not read, or of a kind that is not known here.
        None => {
            let line = Preflight::new(answer.about, answer.status, texts::verdict(name, &answer.text));
            Some(line.copied_with(name))
        }
    }
}

/// The verdict on rows, with what makes them equal.
fn rows(name: &str, verdict: &CheckVerdict) -> Preflight {
    let text = match verdict.status {
        Ready::Fail => texts::rows_differ(name, &verdict.text),
        _ => texts::verdict(name, &verdict.text),
    };
    Preflight::new("parity", verdict.status, text)
}

/// What else the comparison says, as a switchover takes it.
fn besides(name: &str, state: SwitchState, kind: FindingKind, verdict: &CheckVerdict) -> Option<Preflight> {
    let effect = FindingEffect::new(Some(kind), verdict.status, state);
    let text = verdict.text.as_str();
    let text = match kind {
        FindingKind::Sequence if effect == FindingEffect::Settled => texts::sequence_behind(name, text),
        FindingKind::Coverage => texts::partitions_missing(name, text),
        FindingKind::ColumnsMissing => texts::columns_missing(name, text),
        kind if kind.is_about_sync() => texts::triggers_differ(name, text),
        _ => texts::verdict(name, text),
    };
    let line = Preflight::new(kind.word(), effect.status()?, text);
    // A copy of some rows has other numbers.
    Some(if kind == FindingKind::Sequence { line } else { line.copied_with(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_worded_by_its_question() {
        let before = SwitchState::Before;
        let line = |question, answer: &CheckVerdict| {
            let line = worded("orders", before, question, answer).unwrap();
            (line.id, line.status, line.message)
        };
        let said = |id: &str, status, text: &str| (id.to_owned(), status, text.to_owned());
        let unread = |about| CheckVerdict::new(about, Ready::Unknown, "no facts");
        // One line of each: an unread structure is no second verdict on rows.
        assert_eq!(line(ROWS, &unread("parity")), said("parity", Ready::Unknown, "orders: no facts"));
        let structure = said("structure", Ready::Unknown, "orders: no facts");
        assert_eq!(line(STRUCTURE, &unread("structure")), structure);
        let differ = |about| CheckVerdict::new(about, Ready::Fail, "2 rows differ");
        let hint = "orders: 2 rows differ; midwatch plan repair orders";
        assert_eq!(line(ROWS, &differ("parity")), said("parity", Ready::Fail, hint));
        // Whatever its word: it is asked about rows.
        assert_eq!(line(ROWS, &differ("sums")), said("parity", Ready::Fail, hint));
        assert_eq!(line(STRUCTURE, &differ("odd")), said("odd", Ready::Fail, "orders: 2 rows differ"));
        // Its source counts, no word.
        let in_part =
            CheckVerdict::new("odd", Ready::Warn, "2 rows differ").with_source(FindingKind::Trigger);
        assert!(worded("orders", before, STRUCTURE, &in_part).is_none(), "fired in a copy");
        let trigger = differ("odd").with_source(FindingKind::Trigger);
        assert_eq!(line(STRUCTURE, &trigger).1, Ready::Fail, "off: no copy is needed to know it");
        assert_eq!(line(STRUCTURE, &differ("trigger")).1, Ready::Fail);
        let after = worded("orders", SwitchState::Switched, STRUCTURE, &trigger).unwrap();
        let hint = "orders: 2 rows differ; midwatch plan repair-triggers orders";
        assert_eq!((after.status, after.message.as_str()), (Ready::Warn, hint));
    }
}
