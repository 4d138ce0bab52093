//! Names of prepared statements. The driver prepares a statement of ours once in a session and sends its name from then on.
//! A function of a table's owner that runs in that session, for a trigger, an index or a cast, can give the name to another
//! text. The server tells who prepared a statement: the driver, or SQL.

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::engine::model::error::{Class, Error};

/// One number: how many statements the session has; less than none where SQL has prepared one of them. It means the same
/// under any path, and is sent as text, so that it has no name itself.
pub(super) const COUNT: &str = "select case when pg_catalog.bool_or(from_sql) then '-1'::pg_catalog.int8 else pg_catalog.count(*) end \
    from pg_catalog.pg_prepared_statements";

/// Are the session's statements those that the driver knows, none more and none less?
pub(super) fn are_ours(connection: &PgConnection, count: i64) -> bool {
    usize::try_from(count).is_ok_and(|count| count == connection.cached_statements_size())
}

/// Nothing of the transaction that was at work is used.
pub(super) fn taken(class: Class) -> Error {
    let mut error = Error::new(
        class,
        "a function of the target has prepared or deallocated statements in our session: their names could be those of ours",
    )
    .hint("look for PREPARE and DEALLOCATE in functions of the tables' triggers, indexes, views and types");
    error.permanent = true;
    error
}
