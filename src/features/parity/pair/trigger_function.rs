//! Trigger functions of ours: who may use them, how they go.

use crate::engine::model::name::{Ident, literal};

/// Whoever may attach a function to a table of their own could have it write for them. The owners of the tables may: a
/// partition that they make gets their triggers.
pub(crate) fn closed(function: &str, owners: &[&str]) -> Vec<String> {
    let mut owners: Vec<&str> = owners.to_vec();
    owners.sort_unstable();
    owners.dedup();
    let mut out = vec![format!("REVOKE ALL ON FUNCTION {function}() FROM PUBLIC")];
    out.extend(owners.iter().map(|o| format!("GRANT EXECUTE ON FUNCTION {function}() TO {}", Ident(o))));
    out
}

/// A function goes, and the triggers that run it, wherever they are by now: on partitions that came later, and on those
/// that were detached. Clones on partitions go with their origin.
pub(crate) fn dropped(function: &str) -> Vec<String> {
    let triggers = format!(
        "DECLARE t record; BEGIN FOR t IN SELECT tgname, tgrelid::regclass AS relation FROM pg_trigger \
         WHERE tgfoid = to_regprocedure({}) AND tgparentid = 0 LOOP \
         EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.relation); END LOOP; END",
        literal(&format!("{function}()"))
    );
    vec![format!("DO {}", literal(&triggers)), format!("DROP FUNCTION IF EXISTS {function}()")]
}
