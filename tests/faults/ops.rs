//! The operations that are hurt, and what each of them touches.

use serde_json::Value;

use crate::servers::Template;

/// What an undo of it gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Everything.
    Full,
    /// Not everything: the plan says so.
    Lossy,
    /// Nothing: the plan says so.
    None,
}

/// An operation with its parameters.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a table of what is so and what is not")]
pub(crate) struct Op {
    pub(crate) name: &'static str,
    pub(crate) template: Template,
    /// `plan …`; `undo`: of the last run.
    pub(crate) args: &'static [&'static str],
    /// The table whose planned rows change, and their key.
    pub(crate) table: &'static str,
    pub(crate) key: &'static [&'static str],
    /// Does the plan write that table's rows itself, or only have them computed?
    pub(crate) writes: bool,
    /// Does another table follow from it?
    pub(crate) derived: bool,
    pub(crate) audit: &'static str,
    /// A table that planning and proving read.
    pub(crate) reads: &'static str,
    /// A guard trigger is off for each batch.
    pub(crate) guard: bool,
    /// Is anything asked afterwards?
    pub(crate) proved: bool,
    pub(crate) way: Way,
    /// Rows of its first batch.
    pub(crate) first: u64,
    /// What others do to a planned row.
    pub(crate) moves: Moves,
}

/// What others do to a planned row: `{key}` stands for the key's values.
#[derive(Debug)]
pub(crate) struct Moves {
    /// After planning.
    pub(crate) before: &'static str,
    /// Before its batch comes.
    pub(crate) between: &'static str,
    /// The row does not hold what was planned any more, and is left alone.
    pub(crate) drifts: bool,
}

const LEDGER: &[&str] = &["id"];
const DAYS: &[&str] = &["employee_id", "business_date_ist"];

const REDATED: Moves = Moves {
    before: "set session_replication_role = replica; \
             update attendance_events set business_date_ist = business_date_ist - 3 where id = '{id}'",
    between: "set session_replication_role = replica; \
              update attendance_events set business_date_ist = business_date_ist - 3 where id = '{id}'",
    drifts: true,
};

const REPAIRED: &str = "update daily_cash_balances_partitioned set closing_balance_cents = closing_balance_cents + 7 \
                        where id = {id} and org_id = {org_id}";

/// Somebody else copies it, and not as it is.
const COPIED: &str = "insert into revenues_partitioned select (jsonb_populate_record(null::revenues_partitioned, \
                      to_jsonb(r) || jsonb_build_object('amount_cents', r.amount_cents + 7))).* from revenues r where id = {id}";

const BACKFILL: Op = Op {
    name: "backfill in_place",
    template: Template::Ready,
    args: &["plan", "backfill", "--set", "limit=24"],
    table: "attendance_events",
    key: LEDGER,
    writes: true,
    derived: true,
    audit: "audit_logs",
    reads: "attendance_events",
    guard: true,
    proved: true,
    way: Way::Full,
    first: 7,
    moves: REDATED,
};

/// Each of them.
pub(crate) static ALL: [&Op; 11] = [
    &BACKFILL,
    &Op {
        name: "backfill repairs",
        args: &["plan", "backfill", "--set", "strategy=repairs", "--set", "limit=24"],
        table: "repairs.business_dates",
        key: &["event_id"],
        guard: false,
        moves: Moves {
            before: "insert into repairs.business_dates (event_id, old_date, new_date, reason) \
                     select id, business_date_ist, business_date_ist + 1, 'by hand' from attendance_events where id = '{event_id}'",
            between: "insert into repairs.business_dates (event_id, old_date, new_date, reason) \
                      select id, business_date_ist, business_date_ist + 1, 'by hand' from attendance_events where id = '{event_id}'",
            drifts: true,
        },
        ..BACKFILL
    },
    &Op {
        name: "backfill replica_role",
        args: &["plan", "backfill", "--set", "strategy=replica_role", "--set", "limit=24"],
        guard: false,
        moves: REDATED,
        ..BACKFILL
    },
    &Op {
        name: "fix duplicate_clock_in",
        args: &["plan", "fix", "duplicate_clock_in", "--set", "limit=24"],
        guard: false,
        way: Way::Lossy,
        moves: Moves {
            // Somebody else compensates it.
            before: "insert into attendance_events (employee_id, event_type, event_timestamp_utc, payload) \
                     select employee_id, 'ADMIN_ADJUST', event_timestamp_utc, jsonb_build_object('compensates', id) \
                     from attendance_events where md5('midwatch compensates ' || id || ' 0')::uuid = '{id}'",
            // Somebody else takes the id that the compensation has.
            between: "set session_replication_role = replica; \
                      insert into attendance_events (id, employee_id, event_type, event_timestamp_utc, business_date_ist) \
                      select '{id}', employee_id, 'SYSTEM_NOTE', event_timestamp_utc, business_date_ist \
                      from attendance_events order by id limit 1",
            drifts: true,
        },
        ..BACKFILL
    },
    &Op {
        name: "fix status_mismatch",
        args: &["plan", "fix", "status_mismatch", "--set", "limit=24"],
        table: "daily_status",
        key: DAYS,
        writes: false,
        guard: false,
        moves: Moves {
            before: "update daily_status set break_minutes_used = break_minutes_used + 7 \
                     where employee_id = '{employee_id}' and business_date_ist = '{business_date_ist}'",
            between: "update daily_status set break_minutes_used = break_minutes_used + 7 \
                      where employee_id = '{employee_id}' and business_date_ist = '{business_date_ist}'",
            drifts: true,
        },
        ..BACKFILL
    },
    &Op {
        name: "resolve keka-sync",
        args: &[
            "plan",
            "resolve",
            "keka-sync",
            "--set",
            "finding=state/FAILED",
            "--set",
            "to=SKIPPED",
            "--set",
            "reason=a test",
            "--set",
            "limit=24",
        ],
        guard: false,
        moves: Moves {
            before: "update attendance_events set sync_status = 'SUCCESS' where id = '{id}'",
            // Without the day that follows: it would be theirs to explain.
            between: "set session_replication_role = replica; update attendance_events set sync_status = 'SUCCESS' where id = '{id}'",
            drifts: true,
        },
        ..BACKFILL
    },
    &Op {
        name: "requeue jobs",
        template: Template::Jobs,
        args: &["plan", "requeue", "jobs", "--set", "finding=state/failed", "--set", "limit=24"],
        table: "jobs",
        derived: false,
        audit: "job_log",
        reads: "jobs",
        guard: false,
        proved: false,
        way: Way::Lossy,
        first: 3,
        moves: Moves {
            before: "update jobs set state = 'dead' where id = {id}",
            between: "update jobs set state = 'dead' where id = {id}",
            drifts: true,
        },
        ..BACKFILL
    },
    // Three kinds of rows in three tables, a step each: the first two batches are of different steps.
    &Op {
        name: "repair",
        template: Template::Unequal,
        args: &["plan", "repair"],
        table: "daily_cash_balances_partitioned",
        key: &["id", "org_id"],
        derived: false,
        audit: "",
        reads: "daily_cash_balances_partitioned",
        guard: false,
        first: 6,
        moves: Moves { before: REPAIRED, between: REPAIRED, drifts: true },
        ..BACKFILL
    },
    &Op {
        name: "copy-missing",
        template: Template::Unequal,
        args: &["plan", "copy-missing", "revenues"],
        table: "revenues_partitioned",
        key: &["id", "occurred_at"],
        derived: false,
        audit: "",
        reads: "revenues_partitioned",
        guard: false,
        moves: Moves { before: COPIED, between: COPIED, drifts: true },
        ..BACKFILL
    },
    &Op {
        name: "undo of a backfill",
        template: Template::Backfilled,
        args: &["undo"],
        // The last batch of the backfill had the three that were left.
        first: 3,
        moves: REDATED,
        ..BACKFILL
    },
    &Op {
        name: "init",
        template: Template::Bare,
        args: &["plan", "init"],
        table: "",
        key: &[],
        writes: false,
        derived: false,
        audit: "",
        reads: "midwatch.migrations",
        guard: false,
        proved: true,
        way: Way::None,
        moves: Moves { before: "", between: "", drifts: false },
        ..BACKFILL
    },
];

impl Op {
    /// By name.
    pub(crate) fn named(name: &str) -> &'static Self {
        ALL.iter().find(|o| o.name == name).unwrap()
    }

    /// All tables whose planned rows change.
    pub(crate) fn tables(&self) -> Vec<&'static str> {
        match self.name {
            "repair" => vec![self.table, "revenues_partitioned", "expenses_partitioned"],
            _ => vec![self.table],
        }
    }

    /// Nothing but statements.
    pub(crate) fn is_init(&self) -> bool {
        self.table.is_empty()
    }
}

/// A statement for one planned row.
pub(crate) fn filled(sql: &str, key: &Value) -> String {
    key.as_object().unwrap().iter().fold(sql.to_owned(), |sql, (name, value)| {
        sql.replace(&format!("{{{name}}}"), value.as_str().unwrap())
    })
}
