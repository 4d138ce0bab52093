//! A statement, the values bound to it, and the columns of its result.

/// Whose text a statement is. It is recorded with the statement; a reader's transaction has the profile's search path
/// for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Written here; names of user objects stand with their schema.
    Ours,
    /// Written in a profile, or around text of a profile.
    Profile,
}

/// One statement and the values bound to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    text: String,
    params: Vec<Param>,
    whose: Whose,
}

impl Sql {
    /// A statement of ours. Only a dialect, or a feature's file for one, calls this.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), params: vec![], whose: Whose::Ours }
    }

    /// A statement of the profile's, or one around it.
    pub fn of_profile(text: impl Into<String>) -> Self {
        Self { text: text.into(), params: vec![], whose: Whose::Profile }
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

    /// Whose text it is.
    pub fn whose(&self) -> Whose {
        self.whose
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
}

impl Column {
    /// Numbers are right-aligned.
    pub fn is_numeric(&self) -> bool {
        matches!(
            self.type_name.to_ascii_uppercase().as_str(),
            "INT2" | "INT4" | "INT8" | "FLOAT4" | "FLOAT8" | "NUMERIC" | "OID" | "MONEY"
        )
    }
}
