//! Trigger functions of ours: how they are made, whose they are, who may use them, how they go.
//!
//! A SECURITY DEFINER function runs with the rights of its owner, whenever a row is written, whoever writes it. It belongs
//! to the owner of the table that it writes, never to the role that makes it: triggers, defaults and casts that this owner
//! made, or makes later, then run with no more than the owner's own rights.

use serde::Deserialize;

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::preflight::Verification;
use crate::engine::model::query::{Param, Sql};
use crate::engine::port::reader::ReadTx;

/// Is there a function of the name?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Making {
    /// None: one that came meanwhile is refused by the server, and not taken over.
    New,
    /// Ours, or its table's owner's: its text is replaced.
    Again,
}

impl Making {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::New => "CREATE FUNCTION",
            Self::Again => "CREATE OR REPLACE FUNCTION",
        }
    }
}

/// The function is its owner's from then on.
pub(crate) fn owned(function: &str, owner: &str) -> String {
    format!("ALTER FUNCTION {function}() OWNER TO {}", Ident(owner))
}

/// The function is there, runs with the rights of this role, and belongs to it: else one row.
pub(crate) fn verification(title: String, function: &str, owner: &str) -> Verification {
    let sql = format!(
        "select {0} where not exists (select from pg_proc p where p.oid = to_regprocedure({0}) and p.prosecdef \
         and pg_get_userbyid(p.proowner) = {1})",
        literal(&format!("{function}()")),
        literal(owner)
    );
    Verification { title, sql, own: true }
}

#[derive(Deserialize)]
struct Namesake {
    owner: String,
    known: bool,
}

const NAMESAKE: &str = "
select r.rolname as owner, r.rolsuper or r.rolname in ($2, current_user) as known
from pg_proc p join pg_roles r on r.oid = p.proowner where p.oid = to_regprocedure($1)";

/// How a function of this name is made that is to belong to `owner`. Refused is one that belongs to a role which is
/// neither a superuser nor the owner: REPLACE would leave it there.
pub(crate) async fn making(tx: &mut dyn ReadTx, function: &str, owner: &str) -> Result<Making> {
    let params = [Param::Text(Some(format!("{function}()"))), Param::from(owner)];
    let found: Vec<Namesake> = tx.fetch(&Sql::new(NAMESAKE).bind(params)).await?;
    match found.into_iter().next() {
        None => Ok(Making::New),
        Some(n) if n.known => Ok(Making::Again),
        Some(n) => Err(Error::new(
            Class::Refused,
            format!("function {function}() exists already and belongs to {}, not to {owner}", n.owner),
        )
        .hint("its owner could replace what it does: rename or drop it first")),
    }
}

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
