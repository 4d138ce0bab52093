//! Values that are not read or written as they are stored: a cast of their type runs a function that somebody defined.

use serde::Deserialize;

use super::error::{Class, Error};

/// A column that such a cast stands before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ForeignCast {
    /// Its table; a query's column has none.
    pub table: Option<String>,
    /// Its name.
    pub column: String,
    /// The cast, its function and whose that is, as the dialect names them.
    pub cast: String,
}

impl ForeignCast {
    /// Nothing is read or planned that would call it.
    pub fn refusal(&self) -> Error {
        let Self { table, column, cast } = self;
        let of = table.as_ref().map_or_else(String::new, |table| format!(" of {table}"));
        Error::new(Class::Refused, format!("the values of column {column}{of} pass through {cast}"))
            .hint("it would run with the rights of this role, and decide what is read: drop the cast")
    }

    /// The first of a table's columns that has one.
    pub fn refuse_any<'c>(
        table: &str,
        columns: impl IntoIterator<Item = (&'c str, Option<&'c str>)>,
    ) -> Result<(), Error> {
        let found = columns.into_iter().find_map(|(column, cast)| Some((column, cast?)));
        found.map_or(Ok(()), |(column, cast)| {
            Err(Self { table: Some(table.into()), column: column.into(), cast: cast.into() }.refusal())
        })
    }
}
