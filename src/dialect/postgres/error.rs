//! The driver's errors as an operator should read them.

use sqlx::postgres::PgDatabaseError;

use crate::engine::model::error::{Class, Error};

/// A pooler that does not pass settings through.
pub(super) fn unsupported_startup(e: &sqlx::Error) -> bool {
    database(e).is_some_and(|d| d.code() == "08P01" && d.message().contains("startup parameter"))
}

/// The connection is gone, rather than the statement wrong.
pub(super) fn is_disconnect(e: &sqlx::Error) -> bool {
    match e {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        other => database(other)
            .is_some_and(|d| matches!(d.code(), "57P01" | "57P02" | "57P03" | "08006" | "08003")),
    }
}

fn database(e: &sqlx::Error) -> Option<&PgDatabaseError> {
    match e {
        sqlx::Error::Database(d) => d.try_downcast_ref::<PgDatabaseError>(),
        _ => None,
    }
}

/// What the driver says, without the place in its own source.
fn said(e: &sqlx::Error) -> String {
    let text = e.to_string();
    match text.rfind(" (sqlx") {
        Some(place) => text[..place].to_owned(),
        None => text,
    }
}

/// A failure to connect to `place`.
pub(super) fn connect_error(e: &sqlx::Error, place: &str) -> Error {
    let wrap = |what: &str| Error::unobserved(format!("failed to connect to {place}: {what}"));
    if let Some(d) = database(e) {
        let hint = match d.code() {
            "28P01" => "wrong password: check the url, PGPASSWORD or PGPASSFILE",
            "28000" => {
                "the server refuses this role or address: check pg_hba.conf, the role's name, and sslmode"
            }
            "3D000" => "no such database on this server: check the end of the url",
            "53300" => "the server is full: raise max_connections or close sessions",
            "57P03" => "the server is starting, stopping or recovering: midwatch will keep trying",
            "42501" => "the role lacks CONNECT on the database",
            _ => "check the url and the server's log",
        };
        return wrap(d.message()).code(d.code()).hint(hint);
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
            wrap(&io.to_string()).hint(hint)
        }
        sqlx::Error::Tls(tls) => wrap(&format!("TLS: {tls}"))
            .hint("check sslmode and sslrootcert in the url; sslmode=require needs a server with TLS"),
        sqlx::Error::Configuration(c) => Error::usage(format!("failed to connect to {place}: {c}")),
        other => wrap(&said(other)).hint("check the url and the server's log"),
    }
}

/// A failure of a statement that writes. Nothing of its transaction stays, unless it was the commit.
pub(super) fn write_error(e: &sqlx::Error, what: &str) -> Error {
    let Some(d) = database(e) else {
        let said = match e {
            sqlx::Error::Io(io) => format!("the connection was lost ({io})"),
            other => said(other),
        };
        return Error::new(Class::Failed, format!("failed to {what}: {said}")).code(LOST);
    };
    let mut out = Error::new(Class::Failed, format!("failed to {what}: {}", d.message())).code(d.code());
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
        "57P01" | "57P02" | "57P03" => Some("the server is stopping, starting, or has ended our session"),
        _ => None,
    };
    out.hint = hint.map(str::to_owned).or_else(|| d.hint().map(str::to_owned));
    out
}

/// In place of an `SQLSTATE`: no answer came.
pub(super) const LOST: &str = "08006";

/// A failure of a statement on a reader session.
pub(super) fn read_error(e: &sqlx::Error) -> Error {
    let Some(d) = database(e) else {
        return match e {
            sqlx::Error::Io(io) => {
                Error::unobserved(format!("failed to read: the connection was lost ({io})"))
                    .hint("midwatch reconnects by itself")
            }
            other => Error::unobserved(format!("failed to read: {}", said(other))),
        };
    };
    let timeout = d.message().contains("statement timeout");
    let class = if d.code() == "57014" && !timeout { Class::Cancelled } else { Class::Unobserved };
    if class == Class::Cancelled {
        return Error::new(class, "cancelled, as asked").code(d.code());
    }
    let mut out = Error::new(class, format!("failed to read: {}", d.message())).code(d.code());
    if let Some(detail) = d.detail() {
        out.message = format!("{} ({detail})", out.message);
    }
    let hint = match d.code() {
        "42501" if d.message().contains("row-level security") => {
            Some("row security would hide rows from this role: use one with BYPASSRLS, or the table's owner")
        }
        "42501" => Some("grant SELECT on it to this role, e.g. GRANT pg_read_all_data TO …"),
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
    out.hint = hint.map(str::to_owned).or_else(|| d.hint().map(str::to_owned));
    out
}
