//! The statements of a queue, from the columns its profile names.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

use std::fmt::Write as _;

use crate::engine::model::change::TypedColumn;
use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::profile::{FlaggedDays, Queue};
use crate::engine::model::query::{Param, ProfileSql};
use crate::features::queue::sql::{QueueRows, QueueSql};

/// PostgreSQL's statements. The table is the profile's, so they run under its path: everything with its schema.
pub(crate) struct PostgresQueue;

/// States are texts or enums, whose equality is the server's own.
const EQUAL: &str = "operator(pg_catalog.=)";
const NOW: &str = "pg_catalog.now()";

/// What varies from one failure to the next of the same cause, most specific first.
const VARIABLE: [(&str, &str); 7] = [
    ("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", "<uuid>"),
    (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "<email>"),
    (r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", "<time>"),
    (r"\m(0x)?[0-9a-fA-F]{12,}\M", "<hex>"),
    // The status of an answer tells causes apart: three digits at the start or after one of these words stay.
    (r"(?i)(?<!\d)(?<!^|\m(?:http|status|code) )\d+(\.\d+)*", "<n>"),
    (r"(?i)(?<=^|\m(?:http|status|code) )(?!\d{3}(?!\d|\.\d))\d+(\.\d+)*", "<n>"),
    (r"\s+", " "),
];

/// Longest message that is looked at.
const MESSAGE_CHARS: usize = 300;

fn table(q: &Queue) -> String {
    Relation::parse(&q.table).to_string()
}

/// A state that is NULL has a name as well: its rows are counted and can be opened.
fn state(q: &Queue) -> String {
    format!("coalesce({}::pg_catalog.text, '(null)')", Ident(&q.state))
}

/// When it was last tried; one that says nothing of it, when it came.
fn tried(q: &Queue) -> String {
    match &q.attempted {
        Some(attempted) => format!("coalesce({}, {})", Ident(attempted), Ident(&q.created)),
        None => Ident(&q.created).to_string(),
    }
}

/// Texts as an array that is read as the type of what it is compared with.
fn one_of<'s>(states: impl IntoIterator<Item = &'s String>) -> String {
    let quoted = |s: &String| format!("\"{}\"", s.replace('\\', r"\\").replace('"', "\\\""));
    let list: Vec<_> = states.into_iter().map(quoted).collect();
    literal(&format!("{{{}}}", list.join(",")))
}

/// Compares with the column's own type, so that an index on it serves; an absent state matches nothing.
fn state_in(q: &Queue, states: &[String]) -> String {
    format!("{} {EQUAL} any ({})", Ident(&q.state), one_of(states))
}

fn states(q: &Queue) -> String {
    format!(
        "select {} as state, pg_catalog.count(*) as rows from {} group by 1 order by 1",
        state(q),
        table(q)
    )
}

fn is_state(q: &Queue) -> String {
    format!("{} {EQUAL} $1", state(q))
}

fn is_exhausted(q: &Queue) -> String {
    match &q.attempts {
        Some(attempts) => {
            let made = format!("coalesce({}, 0)", Ident(attempts));
            format!("{} and {made} operator(pg_catalog.>=) {}", state_in(q, &q.states.failed), q.max_attempts)
        }
        None => "false".into(),
    }
}

fn is_stuck(q: &Queue) -> String {
    let since = tried(q);
    format!(
        "{} and {since} operator(pg_catalog.<) ({NOW} operator(pg_catalog.-) interval '{} s')",
        state_in(q, &q.states.processing),
        q.stuck_after_s
    )
}

fn is_late(q: &Queue) -> String {
    format!(
        "{} and {} operator(pg_catalog.<) ({NOW} operator(pg_catalog.-) interval '{} s')",
        state_in(q, &q.states.pending),
        Ident(&q.created),
        q.late_after_s
    )
}

fn is_failure(q: &Queue) -> String {
    let states: Vec<_> = q.states.failed.iter().chain(&q.states.permanent).cloned().collect();
    state_in(q, &states)
}

fn ages(q: &Queue) -> String {
    let age =
        format!("extract(epoch from {NOW} operator(pg_catalog.-) {})::pg_catalog.float8", Ident(&q.created));
    let pending = state_in(q, &q.states.pending);
    let open: Vec<_> =
        [&q.states.pending, &q.states.processing, &q.states.failed].into_iter().flatten().cloned().collect();
    format!(
        "select pg_catalog.max({age}) filter (where {pending}) as oldest_s,\n\
         \x20      pg_catalog.percentile_cont(0.5) within group (order by {age}) filter (where {pending}) as p50_s,\n\
         \x20      pg_catalog.percentile_cont(0.95) within group (order by {age}) filter (where {pending}) as p95_s,\n\
         \x20      pg_catalog.count(*) filter (where {}) as late, pg_catalog.count(*) filter (where {}) as stuck,\n\
         \x20      pg_catalog.count(*) filter (where {}) as exhausted\nfrom {} where {}",
        is_late(q),
        is_stuck(q),
        is_exhausted(q),
        table(q),
        state_in(q, &open),
    )
}

fn message(q: &Queue) -> String {
    let raw = q.message.as_deref().unwrap_or("null");
    let mut out =
        format!("pg_catalog.left(coalesce(({raw})::pg_catalog.text, 'no message'), {MESSAGE_CHARS})");
    for (pattern, stands_for) in VARIABLE {
        out = format!(
            "pg_catalog.regexp_replace({out}, {}, {}, 'g')",
            pattern_literal(pattern),
            literal(stands_for)
        );
    }
    format!("pg_catalog.btrim({out})")
}

/// Patterns hold backslashes; with `standard_conforming_strings` they are taken as they are.
fn pattern_literal(pattern: &str) -> String {
    format!("'{}'", pattern.replace('\'', "''"))
}

fn code(q: &Queue) -> String {
    format!("({})::pg_catalog.text", q.code.as_deref().unwrap_or("null"))
}

fn class(q: &Queue) -> String {
    let permanent = match &q.permanent_when {
        Some(condition) => format!("({condition}) or {}", state_in(q, &q.states.permanent)),
        None => state_in(q, &q.states.permanent),
    };
    format!("case when {permanent} then 'permanent' else 'retryable' end")
}

fn cause_id(code: &str, message: &str, class: &str) -> String {
    format!(
        "pg_catalog.left(pg_catalog.md5(pg_catalog.concat_ws('|', coalesce({code}, ''), {message}, {class})), 8)"
    )
}

fn is_cause(q: &Queue) -> String {
    format!("{} and {} {EQUAL} $1", is_failure(q), cause_id(&code(q), &message(q), &class(q)))
}

fn causes(q: &Queue, limit: usize) -> String {
    let (tried, class, id) = (tried(q), class(q), cause_id("code", "message", "class"));
    let mut recent = String::from("array[");
    for tenth in (0..10).rev() {
        let comma = if tenth == 9 { "" } else { ", " };
        let _ = write!(
            recent,
            "{comma}pg_catalog.count(*) filter (where tried operator(pg_catalog.>=) ({NOW} operator(pg_catalog.-) interval '{} min') \
             and tried operator(pg_catalog.<) ({NOW} operator(pg_catalog.-) interval '{} min'))",
            (tenth + 1) * 6,
            tenth * 6
        );
    }
    recent.push(']');
    format!(
        "select {id} as id, pg_catalog.concat_ws(' ', code, message) as fingerprint, class, code,\n\
         \x20      pg_catalog.count(*) as rows, pg_catalog.count(*) filter (where exhausted) as exhausted, pg_catalog.min(tried) as first, pg_catalog.max(tried) as last,\n\
         \x20      {recent} as recent, pg_catalog.count(*) over () as causes\n\
         from (select {} as code, {} as message, coalesce({}, false) as exhausted, {tried} as tried,\n\
         \x20            {class} as class\n\
         \x20     from {} where {}) f\n\
         group by code, message, class order by pg_catalog.count(*) desc, 1 limit {limit}",
        code(q),
        message(q),
        is_exhausted(q),
        table(q),
        is_failure(q),
    )
}

/// Per minute of the last half hour. Only rows that came within a day are looked at: they are found by
/// the index on the creation time that such tables have, where the time of finishing has none.
fn throughput(q: &Queue) -> String {
    let created = Ident(&q.created);
    let finished = tried(q);
    format!(
        "with recent as materialized (select {created} as came, case when {} then {finished} end as went\n\
         \x20  from {} where {created} operator(pg_catalog.>=) ({NOW} operator(pg_catalog.-) interval '1 day')),\n\
         came as (select pg_catalog.date_trunc('minute', came) as minute, pg_catalog.count(*) as rows from recent \
         where came operator(pg_catalog.>=) ({NOW} operator(pg_catalog.-) interval '30 min') group by 1),\n\
         went as (select pg_catalog.date_trunc('minute', went) as minute, pg_catalog.count(*) as rows from recent \
         where went operator(pg_catalog.>=) ({NOW} operator(pg_catalog.-) interval '30 min') group by 1)\n\
         select coalesce(came.rows, 0) as arrived, coalesce(went.rows, 0) as finished\n\
         from pg_catalog.generate_series(pg_catalog.date_trunc('minute', {NOW}) operator(pg_catalog.-) interval '29 min', \
         pg_catalog.date_trunc('minute', {NOW}), interval '1 min') m(minute)\n\
         left join came on came.minute operator(pg_catalog.=) m.minute \
         left join went on went.minute operator(pg_catalog.=) m.minute order by m.minute",
        state_in(q, &q.states.done),
        table(q),
    )
}

fn flagged_days(days: &FlaggedDays) -> String {
    format!("select * from {} where {}", Relation::parse(&days.table), Ident(&days.flag))
}

/// States that the profile gives no meaning.
fn is_unknown(q: &Queue) -> String {
    let known: Vec<_> = q.states.all().cloned().collect();
    if known.is_empty() {
        return "false".into();
    }
    format!("{} operator(pg_catalog.<>) all ({})", state(q), one_of(&known))
}

fn rows(q: &Queue, filter: &str) -> String {
    let mut columns = vec![format!("{} as state", state(q))];
    columns.extend(q.attempts.iter().map(|a| format!("{} as attempts", Ident(a))));
    columns.push(format!("{} as created", Ident(&q.created)));
    columns.extend(q.attempted.iter().map(|a| format!("{} as attempted", Ident(a))));
    columns.extend(q.code.iter().map(|c| format!("{c} as code")));
    columns.extend(q.message.iter().map(|m| format!("({m})::pg_catalog.text as message")));
    columns.push(Ident(&q.key).to_string());
    format!("select {}\nfrom {} where {filter}", columns.join(", "), table(q))
}

/// The table is the profile's, and so are the expressions over its columns.
impl QueueSql for PostgresQueue {
    fn states(&self, queue: &Queue) -> ProfileSql {
        ProfileSql::new(states(queue))
    }

    fn ages(&self, queue: &Queue) -> ProfileSql {
        ProfileSql::new(ages(queue))
    }

    fn causes(&self, queue: &Queue, limit: usize) -> ProfileSql {
        ProfileSql::new(causes(queue, limit))
    }

    fn throughput(&self, queue: &Queue) -> ProfileSql {
        ProfileSql::new(throughput(queue))
    }

    fn flagged_days(&self, days: &FlaggedDays) -> ProfileSql {
        ProfileSql::new(flagged_days(days))
    }

    fn count_flagged_days(&self, days: &FlaggedDays) -> ProfileSql {
        ProfileSql::new(format!("select pg_catalog.count(*) as rows from ({}) d", flagged_days(days)))
    }

    fn count(&self, rows: &ProfileSql) -> ProfileSql {
        ProfileSql::new(format!("select pg_catalog.count(*)::pg_catalog.text from ({}) s", rows.text()))
            .bind(rows.params().to_vec())
    }

    fn count_by_state(&self, queue: &Queue, rows: &ProfileSql, among: &[String]) -> ProfileSql {
        let state = Ident(&queue.state);
        let mut params = rows.params().to_vec();
        params.push(Param::Texts(among.to_vec()));
        let text = format!(
            "select s.{state}::pg_catalog.text as state, pg_catalog.count(*) as rows from ({}) s \
             where s.{state}::pg_catalog.text {EQUAL} any (${}) group by 1 order by 1",
            rows.text(),
            params.len(),
        );
        ProfileSql::new(text).bind(params)
    }

    fn rows(&self, queue: &Queue, which: QueueRows<'_>) -> ProfileSql {
        let (filter, params) = match which {
            QueueRows::Cause(cause) => (is_cause(queue), vec![Param::from(cause)]),
            QueueRows::State(state) => (is_state(queue), vec![Param::from(state)]),
            QueueRows::Exhausted => (is_exhausted(queue), vec![]),
            QueueRows::Stuck => (is_stuck(queue), vec![]),
            QueueRows::Late => (is_late(queue), vec![]),
            QueueRows::UnknownStates => (is_unknown(queue), vec![]),
        };
        ProfileSql::new(rows(queue, &filter)).bind(params)
    }

    fn canary(&self, queue: &Queue, table: &Relation, key: &TypedColumn) -> String {
        let state = Ident(&queue.state);
        let in_states = |states: &[&String]| {
            format!(
                "coalesce(t.{state}::pg_catalog.text {EQUAL} any ({}), false)",
                one_of(states.iter().copied())
            )
        };
        let failed: Vec<&String> = queue.states.failed.iter().chain(&queue.states.permanent).collect();
        let done: Vec<&String> = queue.states.done.iter().chain(&queue.states.skipped).collect();
        let waiting: Vec<&String> = queue.states.pending.iter().chain(&queue.states.processing).collect();
        let named: Vec<&String> = queue.states.all().collect();
        format!(
            "select pg_catalog.count(*) filter (where {}) as waiting, pg_catalog.count(*) filter (where {}) as failed, \
             pg_catalog.count(*) filter (where {}) as done, pg_catalog.count(*) filter (where not {}) as unknown \
             from run_rows i join {} t on t.{} {} (i.key operator(pg_catalog.->>) {})::{} where i.seq is not null",
            in_states(&waiting),
            in_states(&failed),
            in_states(&done),
            in_states(&named),
            table,
            Ident(&key.name),
            key.equality.as_deref().unwrap_or(EQUAL),
            literal(&key.name),
            key.type_name,
        )
    }
}
