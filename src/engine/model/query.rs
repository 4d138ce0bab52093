//! Values bound to a query, and the columns of its result.

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
