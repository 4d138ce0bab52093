//! A statement, the values bound to it, and the columns of its result.

/// A statement of ours and the values bound to it. It means the same under any search path: names of user objects, in its
/// text and in its values, stand with their schema. What a profile's name leads to is asked by a [`ProfileSql`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    text: String,
    params: Vec<Param>,
    rows: bool,
}

impl Sql {
    /// Over the catalog and the journal alone. Only a dialect, or a feature's file for one, calls this.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), params: vec![], rows: false }
    }

    /// Over rows of tables, or over values of types, that are others': functions of their indexes, views and types run in
    /// it. What these set or prepare does not outlast it.
    pub fn over_rows(text: impl Into<String>) -> Self {
        Self { text: text.into(), params: vec![], rows: true }
    }

    /// Made by [`Sql::over_rows`].
    pub fn reads_rows(&self) -> bool {
        self.rows
    }

    /// With values for `$1`, `$2`, ….
    #[must_use]
    pub fn bind(self, params: impl Into<Vec<Param>>) -> Self {
        Self { params: params.into(), ..self }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its values, in order.
    pub fn params(&self) -> &[Param] {
        &self.params
    }
}

/// A statement that a profile wrote, or one around text or names of a profile: its names are searched in the profile's
/// schemas. A type of its own, so that a reader's way for our statements does not take it.
///
/// ```compile_fail,E0308
/// async fn ask(tx: &mut dyn midwatch::engine::port::reader::ReadTx) {
///     let sql = midwatch::engine::model::query::ProfileSql::new("select 1");
///     let _ = tx.each(&sql, &mut |_| Ok(())).await;
/// }
/// ```
///
/// The same with a statement of ours compiles:
///
/// ```
/// async fn ask(tx: &mut dyn midwatch::engine::port::reader::ReadTx) {
///     let sql = midwatch::engine::model::query::Sql::new("select 1");
///     let _ = tx.each(&sql, &mut |_| Ok(())).await;
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSql {
    sql: Sql,
    names: bool,
}

impl ProfileSql {
    /// Without values. Only a dialect, or a feature's file for one, calls this. What stands around a profile's text names
    /// every function, type and operator with its schema.
    pub fn new(text: impl Into<String>) -> Self {
        Self::of_profile(text)
    }

    /// A statement as the profile has it, where no dialect puts anything around it.
    pub fn of_profile(text: impl Into<String>) -> Self {
        Self { sql: Sql { text: text.into(), params: vec![], rows: true }, names: false }
    }

    /// A statement of ours that only asks where the profile's names lead: no text and no table of others is in it, so the
    /// session it runs in stays ours. Only a dialect, or a feature's file for one, calls this.
    pub fn names(text: impl Into<String>) -> Self {
        Self { names: true, ..Self::of_profile(text) }
    }

    /// Made by [`ProfileSql::names`].
    pub fn only_names(&self) -> bool {
        self.names
    }

    /// With values for its placeholders.
    #[must_use]
    pub fn bind(self, params: impl Into<Vec<Param>>) -> Self {
        Self { sql: self.sql.bind(params), ..self }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        self.sql.text()
    }

    /// Its values, in order.
    pub fn params(&self) -> &[Param] {
        self.sql.params()
    }
}

/// A statement of either kind, for what sends each on its own way.
#[derive(Debug, Clone, Copy)]
pub enum AnySql<'a> {
    /// Ours.
    Ours(&'a Sql),
    /// The profile's.
    Profile(&'a ProfileSql),
}

impl<'a> From<&'a Sql> for AnySql<'a> {
    fn from(sql: &'a Sql) -> Self {
        Self::Ours(sql)
    }
}

impl<'a> From<&'a ProfileSql> for AnySql<'a> {
    fn from(sql: &'a ProfileSql) -> Self {
        Self::Profile(sql)
    }
}

/// A bound value. Everything travels as text and is cast in the statement, so one shape serves all types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// A text, or NULL.
    Text(Option<String>),
    /// A 64-bit integer.
    Int(i64),
    /// A `text[]`.
    Texts(Vec<String>),
}

impl From<&str> for Param {
    fn from(s: &str) -> Self {
        Self::Text(Some(s.to_owned()))
    }
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Column {
    /// Its name in the result.
    pub name: String,
    /// The server's name of its type.
    pub type_name: String,
    /// Its values are numbers: they are right-aligned. The dialect knows its types.
    #[serde(skip)]
    pub numeric: bool,
    /// How its values are compared, where not by the server's own operators.
    #[serde(skip)]
    pub operators: Option<KeyOperators>,
}

/// Operators as a statement names them: what pages and keys are bounded by.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct KeyOperators {
    /// Less than.
    pub less: String,
    /// The same.
    pub equal: String,
    /// Greater than.
    pub greater: String,
}

/// A function that is not the server's own.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OtherFunction {
    /// With its schema and the types of its arguments.
    pub name: String,
    /// The role or the extension that it belongs to.
    pub of: String,
    /// It runs with the rights of its owner.
    pub as_owner: bool,
}
