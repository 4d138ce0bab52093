//! The driver's errors as an operator should read them, and what the engine decides by.

use sqlx::postgres::PgDatabaseError;

use super::certificate::Refused;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error};

/// In place of an `SQLSTATE`: no answer came.
pub(super) const LOST: &str = "08006";
/// A statement that was cancelled, by its timeout too.
pub(super) const TIMED_OUT: &str = "57014";
/// Sessions that the server has ended: at its end, by a timeout of idle or of long transactions, or of idle sessions.
const ENDED: [&str; 6] = ["57P01", "57P02", "57P03", "57P05", "25P03", "25P04"];
/// A lock that was not available in time.
pub(super) const LOCKED: &str = "55P03";
/// The code of work inside locks that took longer than its budget.
pub(super) const OVER_BUDGET: &str = "MW001";
/// The code of rows that differ where they must be equal.
const UNEQUAL: &str = "MW002";
/// Raised by a test block of ours (`raise sqlstate`) that ran to its end, so that nothing of it stays.
const TEST_ENDED: &str = "MW000";

/// What an `SQLSTATE` means to the engine, and whether a retry fails again until its reason is gone.
pub(super) fn cause(code: &str) -> (Cause, bool) {
    let cause = match code {
        LOCKED | "40P01" | "40001" => Cause::Busy,
        LOST | "08003" => Cause::ConnectionLost,
        _ if ENDED.contains(&code) => Cause::ConnectionLost,
        TIMED_OUT => Cause::Cancelled,
        "42501" => Cause::NotAllowed,
        "42P01" | "42704" | "42883" | "3F000" => Cause::NoSuchObject,
        "25006" => Cause::ReadOnly,
        OVER_BUDGET => Cause::OverBudget,
        UNEQUAL => Cause::Unequal,
        TEST_ENDED => Cause::TestEnded,
        _ => match code.get(..2) {
            Some("22") => Cause::InvalidValue,
            Some("23") => Cause::Constraint,
            Some("53") => Cause::Full,
            _ => Cause::Other,
        },
    };
    (cause, permanent(code))
}

/// The code under which an error that the engine raises itself is recorded.
pub(super) fn code(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::Busy => Some(LOCKED),
        Cause::OverBudget => Some(OVER_BUDGET),
        Cause::Unequal => Some(UNEQUAL),
        _ => None,
    }
}

/// `SQLSTATE`s that speak of the statement, the data, the schema or the role, not of the moment.
fn permanent(code: &str) -> bool {
    const CLASSES: [&str; 18] = [
        "0A", "21", "22", "23", "27", "28", "2B", "2F", "38", "39", "3D", "3F", "42", "44", "54", "P0", "0L",
        "0P",
    ];
    // A server that was made read-only, an object not in the state that is needed.
    const CODES: [&str; 2] = ["25006", "55000"];
    CODES.contains(&code) || code.get(..2).is_some_and(|class| CLASSES.contains(&class))
}

/// With a server's code, and what is decided by it.
pub(super) trait Coded {
    fn sqlstate(self, code: &str) -> Self;
}

impl Coded for Error {
    fn sqlstate(self, code: &str) -> Self {
        self.code(code, cause(code))
    }
}

/// A pooler that does not pass settings through.
pub(super) fn unsupported_startup(e: &sqlx::Error) -> bool {
    database(e).is_some_and(|d| d.code() == "08P01" && d.message().contains("startup parameter"))
}

/// The connection is gone, rather than the statement wrong.
pub(super) fn is_disconnect(e: &sqlx::Error) -> bool {
    match e {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        other => {
            database(other).is_some_and(|d| matches!(d.code(), LOST | "08003") || ENDED.contains(&d.code()))
        }
    }
}

fn database(e: &sqlx::Error) -> Option<&PgDatabaseError> {
    match e {
        sqlx::Error::Database(d) => d.try_downcast_ref::<PgDatabaseError>(),
        _ => None,
    }
}

/// What the driver says, without the place in its own source.
fn driver_message(e: &sqlx::Error) -> String {
    let text = e.to_string();
    match text.rsplit_once(" (sqlx") {
        Some((said, _)) => said.to_owned(),
        None => text,
    }
}

/// No other server is asked: this one answered, and refused what the others would be told as well.
pub(super) fn stops_the_search(e: &sqlx::Error) -> bool {
    database(e).is_some_and(|d| d.code() != "57P03")
}

/// Another attempt, with or without TLS, may be taken.
pub(super) fn refuses_encryption(e: &sqlx::Error) -> bool {
    refused(e).is_some() || database(e).is_some_and(|d| d.code() == "28000")
}

/// What we ourselves found wrong with a connection.
fn refused(e: &sqlx::Error) -> Option<&Refused> {
    match e {
        sqlx::Error::Io(io) => io.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// What a server says stays in one line: it forges no other.
fn one_line(said: &str) -> String {
    said.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A failure to connect to `place`.
pub(super) fn connect_error(e: &sqlx::Error, place: &str) -> Error {
    let wrap = |what: &str| Error::unobserved(format!("failed to connect to {place}: {what}"));
    if let Some(d) = database(e) {
        let hint = match d.code() {
            "28P01" => {
                "wrong password: check the url, PGPASSWORD or PGPASSFILE (a file that others may read is not used)"
            }
            "28000" => {
                "the server refuses this role or address: check pg_hba.conf, the role's name, and sslmode"
            }
            "3D000" => "no such database on this server: check the end of the url",
            "53300" => "the server is full: raise max_connections or close sessions",
            "57P03" => "the server is starting, stopping or recovering: midwatch will keep trying",
            "42501" => "the role lacks CONNECT on the database",
            _ => "check the url and the server's log",
        };
        return wrap(&one_line(d.message())).sqlstate(d.code()).hint(hint);
    }
    if let Some(Refused { what, hint }) = refused(e) {
        return wrap(what).hint(*hint);
    }
    match e {
        sqlx::Error::Io(io) => {
            let hint = match io.kind() {
                std::io::ErrorKind::ConnectionRefused => {
                    "nothing listens there: is the server up, are host and port right?"
                }
                std::io::ErrorKind::NotFound => "no socket there: is the server up, is the directory right?",
                std::io::ErrorKind::PermissionDenied => "this user may not use that socket",
                std::io::ErrorKind::TimedOut => {
                    "no answer: a firewall, a wrong address, or a server in trouble"
                }
                _ => "check host, port and network",
            };
            wrap(&io.to_string()).cause(Cause::ConnectionLost).hint(hint)
        }
        sqlx::Error::Configuration(c) => Error::usage(format!("failed to connect to {place}: {c}")),
        other => wrap(&driver_message(other)).hint("check the url and the server's log"),
    }
}

/// A failure of a statement that writes. Nothing of its transaction stays, unless it was the commit.
pub(super) fn write_error(e: &sqlx::Error, what: &str) -> Error {
    let Some(d) = database(e) else {
        let said = match e {
            sqlx::Error::Io(io) => format!("the connection was lost ({io})"),
            other => driver_message(other),
        };
        return Error::new(Class::Failed, format!("failed to {what}: {said}")).sqlstate(LOST);
    };
    let mut out =
        Error::new(Class::Failed, format!("failed to {what}: {}", one_line(d.message()))).sqlstate(d.code());
    // A whole row may hold secrets; which one it is, its key tells.
    let detail = d.detail().filter(|t| !t.starts_with("Failing row contains"));
    for part in [detail, d.r#where()].into_iter().flatten() {
        let line = part.lines().next().unwrap_or_default();
        out.message = format!("{} ({line})", out.message);
    }
    let hint = match d.code() {
        "55P03" => Some("another session holds a lock that is needed: look at locks (L)"),
        "57014" if d.message().contains("statement timeout") => {
            Some("a statement took too long: look at locks (L); statement_timeout_ms in [policy]")
        }
        "57014" => Some("somebody cancelled the statement on the server"),
        "53100" => Some("the server's disk is full: make room, then resume"),
        "42501" => Some("the role lacks a privilege: see the plan's preflight"),
        "23514" => Some("a CHECK of the table forbids it: see the plan's preflight"),
        "23001" => Some("a trigger forbids it: see the plan's guard"),
        "25P03" | "25P04" => {
            Some("the server ended the session: this program was stopped, or its network slow")
        }
        "57P01" | "57P02" | "57P03" => Some("the server is stopping, starting, or has ended our session"),
        _ => None,
    };
    out.hint = hint.map(str::to_owned).or_else(|| d.hint().map(one_line));
    out
}

/// A failure of a statement on a reader session.
pub(super) fn read_error(e: &sqlx::Error) -> Error {
    let Some(d) = database(e) else {
        return match e {
            sqlx::Error::Io(io) => {
                Error::unobserved(format!("failed to read: the connection was lost ({io})"))
                    .cause(Cause::ConnectionLost)
                    .hint("midwatch reconnects by itself")
            }
            other => Error::unobserved(format!("failed to read: {}", driver_message(other))),
        };
    };
    let timeout = d.message().contains("statement timeout");
    let class = if d.code() == "57014" && !timeout { Class::Cancelled } else { Class::Unobserved };
    if class == Class::Cancelled {
        return Error::new(class, "cancelled, as asked").sqlstate(d.code());
    }
    let said = one_line(
        &d.detail().map_or_else(|| d.message().to_owned(), |detail| format!("{} ({detail})", d.message())),
    );
    let mut out = Error::new(class, format!("failed to read: {said}")).sqlstate(d.code());
    out.said = Some(said);
    let hint = match d.code() {
        "42501" if d.message().contains("row-level security") => {
            Some("row security would hide rows from this role: use one with BYPASSRLS, or the table's owner")
        }
        "42501" => {
            Some("grant SELECT on it to this role; midwatch doctor --grants prints what a reader needs")
        }
        "42P01" => {
            Some("this database lacks what the profile names: is it the right profile and search_path?")
        }
        "42703" => Some("this table lacks a column that the profile names"),
        "57014" if timeout => {
            Some("the server is slow or the table large: look at locks (L), or try again at a quieter time")
        }
        "55P03" => Some("another session holds a strong lock: look at locks (L)"),
        "53200" => Some("the server ran out of lock or memory space: raise max_locks_per_transaction"),
        "25006" => Some("midwatch reads only: this statement would have written"),
        "42601" => Some("a query of the profile is not valid SQL"),
        "57P01" | "57P02" | "57P03" => {
            Some("the server is stopping or starting; midwatch reconnects by itself")
        }
        _ => None,
    };
    out.hint = hint.map(str::to_owned).or_else(|| d.hint().map(one_line));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_is_known_by_its_class() {
        let of = |code: &str| Error::new(Class::Failed, "x").sqlstate(code).permanent;
        for code in [
            "42601", "42P01", "42501", "22001", "22P02", "23505", "23001", "0A000", "P0001", "54000", "25006",
        ] {
            assert!(of(code), "{code}");
        }
        let moments = [
            "08006", "55P03", "53100", "53200", "53300", "57014", "57P01", "40001", "40P01", "XX000", "58030",
        ];
        for code in moments {
            assert!(!of(code), "{code}");
        }
        assert!(!Error::new(Class::Cancelled, "stopped").permanent);
    }

    #[test]
    fn each_code_has_the_cause_that_is_decided_by() {
        let all = [
            (Cause::Busy, &["55P03", "40P01", "40001"][..]),
            (
                Cause::ConnectionLost,
                &["08003", "08006", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04"],
            ),
            (Cause::Cancelled, &["57014"]),
            (Cause::OverBudget, &["MW001"]),
            (Cause::Unequal, &["MW002"]),
            (Cause::TestEnded, &["MW000"]),
            (Cause::NotAllowed, &["42501"]),
            (Cause::NoSuchObject, &["42P01", "42704", "42883", "3F000"]),
            (Cause::InvalidValue, &["22001", "22P02", "22003"]),
            (Cause::Constraint, &["23505", "23514", "23001"]),
            (Cause::ReadOnly, &["25006"]),
            (Cause::Full, &["53100", "53200", "53300"]),
            // A column that is missing, a message of a trigger, a role that may not log in, and no code at all.
            (Cause::Other, &["42703", "P0001", "28P01", "28000", "55000", "XX000", "08P01", "", "é"]),
        ];
        for (expected, codes) in all {
            for code in codes {
                assert_eq!(cause(code).0, expected, "{code}");
            }
        }
    }

    #[test]
    fn an_error_of_the_engine_is_recorded_under_a_code_with_its_cause() {
        for made in [Cause::Busy, Cause::OverBudget, Cause::Unequal] {
            assert_eq!(cause(code(made).unwrap()), (made, false));
        }
        assert_eq!(code(Cause::Other), None);
    }
}
