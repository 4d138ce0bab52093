//! A change as a person reads it, and what is asked after it.

use super::values::{holds, holds_key};
use crate::dialect::postgres::journal::rows::IMAGES;
use crate::engine::model::change::{Canary, Derived, RowChange, RowKind};
use crate::engine::model::name::{Ident, Relation};
use crate::engine::model::preflight::Verification;
use crate::engine::model::query::{Param, ProfileSql, Sql};

/// The images of a run, as the plan's questions read them. What a changed row was has its key too.
fn run_rows(and: &str) -> String {
    format!(
        "with run_rows as not materialized (select i.step, i.seq, i.batch, i.relation, i.key, \
         i.key operator(pg_catalog.||) i.before as before, i.after \
         from {IMAGES} i where i.run operator(pg_catalog.=) $1::bigint{and})"
    )
}

fn wrong_rows(question: &Verification) -> String {
    format!("{} select pg_catalog.count(*)::pg_catalog.text from ({}\n) q", run_rows(""), question.sql)
}

pub(super) fn verification_query(question: &Verification, run: &str) -> ProfileSql {
    ProfileSql::new(wrong_rows(question)).bind([Param::from(run)])
}

pub(super) fn own_verification_query(question: &Verification, run: &str) -> Sql {
    Sql::over_rows(wrong_rows(question)).bind([Param::from(run)])
}

pub(super) fn canary_counts(canary: &Canary, run: &str, batch: u64) -> ProfileSql {
    let batch = i64::try_from(batch).unwrap_or(i64::MAX);
    let text = format!("{} {}", run_rows(" and i.batch operator(pg_catalog.=) $2"), canary.sql);
    ProfileSql::new(text).bind([Param::from(run), Param::Int(batch)])
}

/// A statement of a profile over the given `batch` and `run`, its own WITH going on after ours.
pub(super) fn over(batch: &str, run: &str, statement: &str) -> String {
    let text = statement.trim();
    let is_with = |(word, rest): &(&str, &str)| {
        word.eq_ignore_ascii_case("with") && rest.starts_with(char::is_whitespace)
    };
    match text.split_at_checked(4).filter(is_with) {
        Some((_, rest)) => format!("with {batch}, {run}, {}", rest.trim_start()),
        None => format!("with {batch}, {run} {text}"),
    }
}

/// The statements of a batch as a person should read them; the journal's own bookkeeping is said in words.
pub(super) fn statements_for_people(change: &RowChange) -> Vec<String> {
    let table = Relation::parse(&change.table);
    let key: Vec<_> =
        change.key.iter().map(|c| format!("{} = planned.{}", Ident(&c.name), Ident(&c.name))).collect();
    let names: Vec<_> = change.columns.iter().map(|c| Ident(&c.name).to_string()).collect();
    let mut out = vec!["begin".to_owned()];
    out.extend(change.before_batch.iter().cloned());
    if let Some(source) = &change.source {
        out.push(if source.present {
            format!(
                "select … from {} for share: rows that no longer hold what is copied are left alone",
                Relation::parse(&source.table)
            )
        } else {
            format!("rows that {} has (again) are left alone", Relation::parse(&source.table))
        });
    }
    let key = key.join(" and ");
    out.extend(match change.kind {
        RowKind::Compute => None,
        RowKind::Update => {
            let sets: Vec<_> =
                names.iter().map(|n| format!("{n} = planned.new_{}", n.trim_matches('"'))).collect();
            let same: Vec<_> = names
                .iter()
                .map(|n| format!("{n} is not distinct from planned.old_{}", n.trim_matches('"')))
                .collect();
            Some(format!("update {table} set {} where {key} and {}", sets.join(", "), same.join(" and ")))
        }
        RowKind::Insert => Some(format!(
            "insert into {table} ({}) select … from planned on conflict do nothing",
            names.join(", ")
        )),
        RowKind::Delete => Some(format!("delete from {table} where {key} and it is as this run left it")),
    });
    out.push("insert into midwatch.image_blocks: every row written, before and after".into());
    out.extend(change.after_batch.iter().cloned());
    out.extend(change.audit.iter().cloned());
    if let Some(run) = &change.restores {
        out.extend(change.derived.iter().map(|d| {
            format!("update, insert or delete rows of {}: as run {run} found them, where nobody has touched them since", d.table)
        }));
    }
    out.extend(change.after_change.iter().cloned());
    out.push("update midwatch.runs: the checkpoint; insert into midwatch.events: the batch".into());
    out.push("commit".into());
    out
}

/// Do the rows that a run wrote hold what it wrote?
/// `step`: its place among the plan's steps.
pub(super) fn verification(change: &RowChange, step: usize) -> Option<Verification> {
    if let Some(derived) = change.computed() {
        return Some(computed(derived, step));
    }
    let (table, key) = (change.relation(&Relation::parse), holds_key("t", &change.key, "i.key"));
    let (title, wrong) = match change.kind {
        RowKind::Compute => return None,
        RowKind::Delete => {
            (format!("rows deleted from {} are gone", change.table), "t.tableoid is not null".to_owned())
        }
        RowKind::Update | RowKind::Insert => (
            format!("rows written to {} hold what was planned", change.table),
            format!("t.tableoid is null or not ({})", holds("t", &change.columns, "i.after")),
        ),
    };
    let sql = format!(
        "select i.key from run_rows i left join {table} t on {key} where i.seq is not null and i.step operator(pg_catalog.=) {step} and ({wrong})"
    );
    Some(Verification { title, sql, own: true })
}

/// Do the rows that were computed again hold what came of it?
fn computed(derived: &Derived, step: usize) -> Verification {
    let sql = format!(
        "select i.key from (select distinct on (r.key) r.key, r.after from run_rows r where r.seq is null and r.step operator(pg_catalog.=) {step} \
         order by r.key, r.batch desc) i left join {} t on {} \
         where (i.after is null) operator(pg_catalog.<>) (t.tableoid is null) or t.tableoid is not null and not ({})",
        derived.relation(&Relation::parse),
        holds_key("t", &derived.key, "i.key"),
        holds("t", &derived.columns, "i.after"),
    );
    Verification {
        title: format!("rows of {} hold what was computed or put back", derived.table),
        sql,
        own: true,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_statement_with_its_own_with_goes_on_after_ours() {
        let over = |sql: &str| super::over("batch as (b)", "run as (r)", sql);
        assert_eq!(
            over("  WITH x as (select 1) insert"),
            "with batch as (b), run as (r), x as (select 1) insert"
        );
        assert_eq!(over("without"), "with batch as (b), run as (r) without");
        assert_eq!(over("insert into t"), "with batch as (b), run as (r) insert into t");
    }
}
