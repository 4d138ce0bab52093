//! What a plan's steps need that the connected server cannot do: each a block or a warning, with the server's reason.

use crate::engine::model::abilities::Abilities;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::step::{Action, Step};

/// Nothing where the server can do all of it.
pub(in crate::engine) fn lacking(can: &Abilities, steps: &[Step]) -> Vec<Preflight> {
    let mut out = Vec::new();
    if let Some(why) = can.transactional_ddl.lacking() {
        // What a statement does is the dialect's to know: any of them may change a definition.
        let shared = steps.iter().filter(|s| s.in_transaction && matches!(s.action, Action::Statements));
        out.extend(shared.map(|step| {
            let what = format!("step {}: its statements could not be rolled back together: {why}", step.id);
            Preflight::new("transaction", Ready::Fail, what)
        }));
    }
    if let Some(why) = can.write_limit.lacking().filter(|_| !steps.is_empty()) {
        let what = format!("a session whose client is stopped can keep its locks: {why}");
        out.push(Preflight::new("limits", Ready::Warn, what));
    }
    if let Some(why) = can.lock_holders.lacking().filter(|_| steps.iter().any(|s| !s.locks.is_empty())) {
        let what = format!("sessions that hold a lock are not shown: {why}");
        out.push(Preflight::new("blockers", Ready::Warn, what));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::abilities::Ability;
    use crate::engine::plan::operation::lock;

    fn able() -> Abilities {
        Abilities {
            session_lock: Ability::Yes,
            transactional_ddl: Ability::Yes,
            write_limit: Ability::Yes,
            shared_snapshot: Ability::Yes,
            lock_holders: Ability::Yes,
        }
    }

    fn told(can: &Abilities, step: Step) -> Vec<(Ready, String)> {
        lacking(can, &[step]).into_iter().map(|p| (p.status, p.message)).collect()
    }

    #[test]
    fn what_is_lacking_is_told_with_its_reason_where_a_step_needs_it() {
        let step = || Step { locks: vec![lock("t", "m")], ..Step::new("s", "t", vec!["x".into()]) };
        assert_eq!(told(&able(), step()), []);
        let no = || Ability::no("why", "");
        let ddl = Abilities { transactional_ddl: no(), ..able() };
        let block = "step s: its statements could not be rolled back together: why".to_owned();
        assert_eq!(told(&ddl, step()), [(Ready::Fail, block)]);
        assert_eq!(told(&ddl, Step { in_transaction: false, ..step() }), []);
        assert_eq!(told(&ddl, Step { action: Action::Bootstrap, ..step() }), [], "its parts have probes");
        let limit = Abilities { write_limit: no(), ..able() };
        let warning = "a session whose client is stopped can keep its locks: why".to_owned();
        assert_eq!(told(&limit, step()), [(Ready::Warn, warning)]);
        let holders = Abilities { lock_holders: no(), ..able() };
        assert_eq!(told(&holders, step()).len(), 1);
        assert_eq!(told(&holders, Step { locks: vec![], ..step() }), []);
    }

    #[test]
    fn what_nobody_has_said_is_not_relied_on() {
        assert!(Abilities::default().session_lock.lacking().is_some());
    }
}
