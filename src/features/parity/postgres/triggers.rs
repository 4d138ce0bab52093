//! The triggers that keep the twin in step, and what they leave out.

use crate::engine::model::query::Sql;
use crate::features::parity::facts::SyncTriggerState;
use serde::Deserialize;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::Twin;
use crate::engine::model::query::Param;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::facts::SyncTrigger;
use crate::features::parity::pair::catalog::TwinTable;
use crate::features::parity::pair::sync_triggers::{REVERSE, moves};
use crate::features::parity::pair::{SwitchState, TwinTables};

#[derive(Deserialize)]
struct Row {
    name: String,
    enabled: String,
    kind: i32,
    mentions: bool,
    condition: Option<String>,
    columns: Vec<String>,
    source: String,
}

const TRIGGERS: &str = r"
select t.tgname as name, t.tgenabled::text as enabled, t.tgtype::int as kind,
       p.prosrc ~ ('\m' || $2 || '\M') as mentions, p.prosrc as source,
       case when t.tgqual is not null then substring(pg_get_triggerdef(t.oid) from ' WHEN \((.*)\) EXECUTE ') end as condition,
       array(select a.attname::text from unnest(t.tgattr::int2[]) n
             join pg_attribute a on a.attrelid = t.tgrelid and a.attnum = n order by n) as columns
from pg_trigger t join pg_proc p on p.oid = t.tgfoid
where t.tgrelid = $1::oid and not t.tgisinternal
order by t.tgname";

// A partition that came after the switch, or from elsewhere: it does not inherit a trigger of statements.
const LACKING: &str = "
with recursive tree as (
  select i.inhrelid from pg_inherits i where i.inhparent = $1::oid
  union all
  select i.inhrelid from pg_inherits i join tree t on i.inhparent = t.inhrelid)
select c.relname::text from tree t join pg_class c on c.oid = t.inhrelid
where c.relkind <> 'p'
  and not exists (select from pg_trigger g where g.tgrelid = c.oid and g.tgname = $2 and g.tgenabled = 'A')
order by 1";

/// The declared triggers, present or not, and any other whose function names the table that is kept in step.
pub(super) async fn read(tx: &mut dyn ReadTx, pair: &TwinTables, twin: &Twin) -> Result<Vec<SyncTrigger>> {
    let Some(legacy) = &pair.legacy else { return Ok(vec![]) };
    // After a switchover the applications write the partitioned table, and what keeps the retired one in step hangs there.
    let reversed = pair.standing == SwitchState::Switched;
    let (written, kept) = if reversed { (&pair.partitioned, legacy) } else { (legacy, &pair.partitioned) };
    let declared = if reversed { &[][..] } else { twin.triggers.as_slice() };
    let name = Relation::parse(&kept.relation).name;
    let escaped: String = name
        .chars()
        .flat_map(|c| if c.is_alphanumeric() || c == '_' { vec![c] } else { vec!['\\', c] })
        .collect();
    let rows: Vec<Row> =
        tx.fetch(&Sql::new(TRIGGERS).bind([Param::Int(written.oid), Param::Text(Some(escaped))])).await?;
    let mut out: Vec<SyncTrigger> = rows
        .iter()
        .filter(|r| r.mentions || declared.contains(&r.name))
        .map(|r| r.judge(written, kept))
        .collect();
    for declared in declared {
        if !out.iter().any(|t| &t.name == declared) {
            out.push(SyncTrigger {
                name: declared.clone(),
                state: SyncTriggerState::Missing,
                ..SyncTrigger::default()
            });
        }
    }
    let ours = format!("{REVERSE}_truncate");
    if reversed && rows.iter().any(|r| r.name == ours) {
        let params = [Param::Int(written.oid), Param::from(ours.as_str())];
        let lacking = tx.texts(&Sql::new(LACKING).bind(params.clone())).await?;
        out.extend(lacking.into_iter().flatten().map(|leaf| SyncTrigger {
            name: format!("{ours} on {leaf}"),
            state: SyncTriggerState::Missing,
            events: vec!["TRUNCATE".into()],
            ..SyncTrigger::default()
        }));
    }
    Ok(out)
}

impl Row {
    fn judge(&self, written: &TwinTable, kept: &TwinTable) -> SyncTrigger {
        let mut out = SyncTrigger {
            name: self.name.clone(),
            state: state(&self.enabled),
            events: events(self.kind),
            unknown_columns: unknown_columns(&self.source, kept),
            ..SyncTrigger::default()
        };
        // Leaves out only what changes nothing.
        let harmless = |c: &str| c.trim_matches(['(', ')']).to_lowercase() == "old.* is distinct from new.*";
        let whole = self.columns.is_empty() || written.columns.iter().all(|c| self.columns.contains(&c.name));
        // Ours, which prepares what the other one of the pair writes: it leaves nothing out.
        let prepares = self.name == moves(REVERSE);
        if let Some(condition) = self.condition.as_deref().filter(|c| !prepares && !harmless(c)) {
            out.only = Some(format!("when {condition}"));
            out.partial.clone_from(&out.events);
        } else if !whole {
            out.only = Some(format!("for updates of {}", self.columns.join(", ")));
            out.partial = vec!["UPDATE".into()];
        }
        if out.only.is_some() && out.state.is_whole() {
            out.state = SyncTriggerState::Conditional;
        }
        out
    }
}

fn state(enabled: &str) -> SyncTriggerState {
    match enabled {
        "O" => SyncTriggerState::Enabled,
        "A" => SyncTriggerState::Always,
        "R" => SyncTriggerState::Replica,
        _ => SyncTriggerState::Disabled,
    }
}

/// `pg_trigger.tgtype` is a bit set.
fn events(kind: i32) -> Vec<String> {
    [(4, "INSERT"), (16, "UPDATE"), (8, "DELETE"), (32, "TRUNCATE")]
        .into_iter()
        .filter(|(bit, _)| kind & bit != 0)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Columns that the function's text inserts into the twin, or names as its conflict's, and the twin lacks.
/// Nothing where no such list is written out.
fn unknown_columns(source: &str, twin: &TwinTable) -> Vec<String> {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, source).tokenize() else { return vec![] };
    let tokens: Vec<Token> = tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect();
    let relation = Relation::parse(&twin.relation);
    let mut out: Vec<String> = Vec::new();
    for statement in tokens.split(|t| *t == Token::SemiColon) {
        for rest in suffixes(statement) {
            let Some(rest) = after(rest, &["insert", "into"]) else { continue };
            let Some(rest) = after_relation(rest, &relation) else { continue };
            let conflict = suffixes(rest).find_map(|rest| after(rest, &["on", "conflict"]));
            let lists = [column_list(rest), conflict.and_then(column_list)];
            for column in lists.into_iter().flatten().flatten() {
                if !twin.columns.iter().any(|c| c.name == column) && !out.contains(&column) {
                    out.push(column);
                }
            }
        }
    }
    out
}

/// As the server folds it.
fn name(token: &Token) -> Option<String> {
    let Token::Word(w) = token else { return None };
    Some(if w.quote_style.is_some() { w.value.clone() } else { w.value.to_lowercase() })
}

/// What begins at each token.
fn suffixes(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    (0..tokens.len()).filter_map(|at| tokens.get(at..))
}

fn after<'t>(tokens: &'t [Token], words: &[&str]) -> Option<&'t [Token]> {
    let (head, rest) = tokens.split_at_checked(words.len())?;
    let same = |(t, w): (&Token, &&str)| matches!(t, Token::Word(x) if x.quote_style.is_none() && x.value.eq_ignore_ascii_case(w));
    head.iter().zip(words).all(same).then_some(rest)
}

fn after_relation<'t>(tokens: &'t [Token], relation: &Relation) -> Option<&'t [Token]> {
    let first = name(tokens.first()?)?;
    let (schema, table, rest) = match tokens.get(1) {
        Some(Token::Period) => (Some(first), name(tokens.get(2)?)?, tokens.get(3..)?),
        _ => (None, first, tokens.get(1..)?),
    };
    (table == relation.name && (schema.is_none() || schema == relation.schema)).then_some(rest)
}

/// `(a, b)` right here; anything but plain names in it is not such a list.
fn column_list(tokens: &[Token]) -> Option<Vec<String>> {
    let rest = tokens.strip_prefix(&[Token::LParen])?;
    let end = rest.iter().position(|t| *t == Token::RParen)?;
    rest.get(..end)?
        .split(|t| *t == Token::Comma)
        .map(|part| match part {
            [one] => name(one),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::comparison::ComparedColumn;

    #[test]
    fn trigger_bits_are_events() {
        assert_eq!(events(4 | 16 | 1), ["INSERT", "UPDATE"]);
        assert_eq!(events(8 | 1), ["DELETE"]);
    }

    #[test]
    fn only_written_lists_of_this_table_are_judged() {
        let column = |name: &str| ComparedColumn { name: name.into(), ..ComparedColumn::default() };
        let columns = vec![column("id"), column("Mixed")];
        let twin = TwinTable { relation: "\"public\".\"p\"".into(), oid: 1, owner: String::new(), columns };
        let unknown = |source: &str| unknown_columns(source, &twin);
        assert_eq!(unknown("begin insert INTO P (ID, \"Mixed\", mixed) values (1); end"), ["mixed"]);
        assert_eq!(
            unknown("insert into public.p (id) select 1 on conflict (id, month) do nothing;"),
            ["month"]
        );
        for fine in [
            "insert into p values (new.*)",
            "insert into other.p (x) values (1)",
            "insert into p_old (x) values (1)",
            "insert into p (id) select f(x) from t on conflict (lower(x)) do nothing",
            "-- insert into p (x)\nselect 'insert into p (x)'",
            "insert into p select x from (select 1) s(x)",
        ] {
            assert_eq!(unknown(fine), Vec::<String>::new(), "{fine}");
        }
    }
}
