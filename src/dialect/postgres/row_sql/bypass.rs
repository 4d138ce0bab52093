//! What forbids a change, switched off for the length of a batch.

use crate::dialect::postgres::lock_modes::{EVERYONE, WRITERS};
use crate::engine::model::change::RowChange;
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::table::Firing;
use crate::engine::port::row_sql::{Bypass, Bypassed, Obstacle};

const SETTING: &str = "session_replication_role";
const SILENT: &str = "set local session_replication_role = replica";
const HEARD: &str = "set local session_replication_role = origin";
const TRIGGER: &str = " disable trigger ";
const CHECK: &str = " drop constraint ";

pub(super) fn bypass(table: &str, obstacle: Obstacle<'_>) -> Bypass {
    let relation = Relation::parse(table);
    match obstacle {
        Obstacle::OrdinaryTriggers => Bypass {
            off: vec![SILENT.into()],
            on: vec![HEARD.into()],
            setting: Some(SETTING),
            ..Bypass::default()
        },
        Obstacle::Trigger(trigger) => {
            let again = match trigger.state {
                Firing::Always => "enable always",
                Firing::Replica => "enable replica",
                Firing::Ordinary | Firing::Off => "enable",
            };
            let name = Ident(&trigger.name);
            Bypass {
                off: vec![format!("alter table {relation}{TRIGGER}{name}")],
                on: vec![format!("alter table {relation} {again} trigger {name}")],
                excludes_writers: true,
                lock: Some(WRITERS),
                ..Bypass::default()
            }
        }
        Obstacle::Check(check) => {
            let name = Ident(&check.name);
            let definition = check.definition.trim_end_matches(" NOT VALID");
            Bypass {
                off: vec![format!("alter table {relation}{CHECK}{name}")],
                on: vec![format!("alter table {relation} add constraint {name} {definition} NOT VALID")],
                excludes_writers: true,
                how: Some("dropped for each batch (ACCESS EXCLUSIVE) and added again as NOT VALID"),
                lock: Some(EVERYONE),
                ..Bypass::default()
            }
        }
    }
}

/// A statement of these as a batch sends it. The plan has it for people to read, with the table as the profile names it.
pub(in crate::dialect::postgres) fn sent(change: &RowChange, statement: &str) -> String {
    let on = |table: Relation| format!("alter table {table} ");
    match statement.strip_prefix(&on(Relation::parse(&change.table))) {
        Some(rest) => on(change.relation(&Relation::parse)) + rest,
        None => statement.to_owned(),
    }
}

/// Read from the statements themselves: plans of earlier versions say it nowhere else.
pub(super) fn bypassed(change: &RowChange) -> Vec<Bypassed> {
    let one = |statement: &String| {
        let named = |word: &str| statement.split_once(word).map(|(_, name)| Relation::parse(name).name);
        if statement == SILENT {
            return Some(Bypassed::OrdinaryTriggers);
        }
        named(TRIGGER).map(Bypassed::Trigger).or_else(|| named(CHECK).map(Bypassed::Check))
    };
    change.before_batch.iter().filter_map(one).collect()
}
