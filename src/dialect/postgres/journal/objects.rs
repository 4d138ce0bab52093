//! Is schema midwatch what midwatch made, and whose is it? Compared with the list of its objects in `objects.txt`.
//!
//! A trigger, rule, policy, default or view there runs with the rights of who writes or reads the journal. So two things
//! are asked before that is done: that no role with less rights could put one there, and that there is none.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::query::{Param, Sql};
use crate::engine::port::reader::ReadTx;

/// Kind, name and definition of each object, as every version of the server writes them.
const LIST: &str = include_str!("objects.txt");

/// The same of a server, by the names of the journal's relations. `tests/security` holds the list against it.
pub const OBJECTS: &str = include_str!("objects.sql");

/// An object of the journal.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Object {
    kind: String,
    name: String,
    definition: String,
}

/// What the list says, by kind and name.
fn listed() -> BTreeMap<(&'static str, &'static str), &'static str> {
    let mut out = BTreeMap::new();
    for line in LIST.lines() {
        let mut parts = line.splitn(3, '\t');
        if let (Some(kind), Some(name), Some(definition)) = (parts.next(), parts.next(), parts.next()) {
            out.insert((kind, name), definition);
        }
    }
    out
}

/// The journal's tables, views and sequences, and what each is to the catalog.
fn relations() -> (Vec<String>, Vec<String>) {
    let all = listed();
    let relations = all.iter().filter(|((kind, _), _)| *kind == "relation");
    relations.map(|((_, name), kind)| ((*name).to_owned(), (*kind).to_owned())).unzip()
}

/// Two questions of one command, or of one look of the console, have one answer: each costs some milliseconds.
const NOTHING_FOREIGN: &str = "nothing of schema midwatch is another's";
const AS_MADE: &str = "schema midwatch is whole, and as midwatch made it";

/// What a role with less rights than ours could have something run by.
pub(super) async fn foreign(tx: &mut dyn ReadTx) -> Result<Vec<String>> {
    if tx.knows(NOTHING_FOREIGN) {
        return Ok(vec![]);
    }
    let (names, kinds) = relations();
    let sql = Sql::new(include_str!("foreign.sql")).bind([Param::Texts(names), Param::Texts(kinds)]);
    let found: Vec<String> = tx.texts(&sql).await?.into_iter().flatten().collect();
    if found.is_empty() {
        tx.learned(NOTHING_FOREIGN);
    }
    Ok(found)
}

/// What is not as midwatch made it. Of a journal of an earlier version (not `whole`) nothing is missing, and only what
/// runs something is looked at. A trigger more is left to [`added_triggers`]: its function is a superuser's.
pub(super) async fn altered(tx: &mut dyn ReadTx, whole: bool) -> Result<Vec<String>> {
    if whole && tx.knows(AS_MADE) {
        return Ok(vec![]);
    }
    let found: Vec<Object> = tx.fetch(&Sql::new(OBJECTS).bind([Param::Texts(relations().0)])).await?;
    let mut listed = listed();
    let mut out = vec![];
    for o in &found {
        let named = format!("{} {}", o.kind, named(&o.name));
        match listed.remove(&(o.kind.as_str(), o.name.as_str())) {
            Some(definition) if definition == o.definition => {}
            Some(_) if whole || runs(&o.kind) => out.push(format!("{named} was altered")),
            None if (whole || runs(&o.kind)) && o.kind != TRIGGER => out.push(format!("{named} was added")),
            _ => {}
        }
    }
    if whole {
        let missing = listed.keys().map(|(kind, name)| format!("{kind} {} is missing", self::named(name)));
        out.extend(missing);
        if out.is_empty() {
            tx.learned(AS_MADE);
        }
    }
    Ok(out)
}

fn named(name: &str) -> String {
    if name.starts_with("midwatch.") { name.to_owned() } else { format!("midwatch.{name}") }
}

const TRIGGER: &str = "trigger";

/// Something happens by it when a row is written.
fn runs(kind: &str) -> bool {
    matches!(kind, TRIGGER | "function")
}

/// Triggers that midwatch did not make.
pub(super) async fn added_triggers(tx: &mut dyn ReadTx) -> Result<Vec<String>> {
    let found: Vec<Object> = tx.fetch(&Sql::new(OBJECTS).bind([Param::Texts(relations().0)])).await?;
    let listed = listed();
    let more =
        found.iter().filter(|o| o.kind == TRIGGER && !listed.contains_key(&(TRIGGER, o.name.as_str())));
    Ok(more.map(|o| format!("{TRIGGER} {} was added", named(&o.name))).collect())
}
