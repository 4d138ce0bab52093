//! The one place where a name becomes part of a statement.

use std::fmt;

/// An identifier, always quoted.
#[derive(Debug, Clone, Copy)]
pub struct Ident<'a>(pub &'a str);

impl fmt::Display for Ident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for part in self.0.split('"').enumerate() {
            match part {
                (0, text) => f.write_str(text)?,
                (_, text) => write!(f, "\"\"{text}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Words that a table may have for a name only in quotes.
const RESERVED: [&str; 76] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "initially",
    "intersect",
    "into",
    "lateral",
    "leading",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "placing",
    "primary",
    "references",
    "returning",
    "select",
    "session_user",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
];

/// A relation, with its schema when `schema.table` was written; quoted parts may hold dots.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Relation {
    /// The schema, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The relation.
    pub name: String,
}

impl Relation {
    /// Reads `table`, `schema.table`, `"Odd.Name"`; unquoted parts are taken as they are written.
    ///
    /// These are PostgreSQL's rules, for its dialect and for features that are for PostgreSQL. The engine reads a name by
    /// the target's dialect ([`crate::engine::port::dialect::Dialect::parse`]).
    pub fn parse(text: &str) -> Self {
        let mut parts = vec![String::new()];
        let mut quoted = false;
        let mut chars = text.trim().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    if let Some(last) = parts.last_mut() {
                        last.push('"');
                    }
                }
                '"' => quoted = !quoted,
                '.' if !quoted => parts.push(String::new()),
                c => {
                    if let Some(last) = parts.last_mut() {
                        last.push(c);
                    }
                }
            }
        }
        let name = parts.pop().unwrap_or_default();
        Self { schema: parts.pop(), name }
    }

    /// Reads what [`Display`](fmt::Display) writes: the form that changed names have in plans on disk, whatever the dialect.
    pub fn from_written(text: &str) -> Self {
        Self::parse(text)
    }

    /// As SQL takes it, quoted only where it must be.
    pub fn brief(&self) -> String {
        let plain = |t: &str| {
            t.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        let one = |t: &String| {
            if plain(t) && !RESERVED.contains(&t.as_str()) { t.clone() } else { Ident(t).to_string() }
        };
        match &self.schema {
            Some(schema) => format!("{}.{}", one(schema), one(&self.name)),
            None => one(&self.name),
        }
    }
}

/// How a name is read: by the rules of the target's dialect.
pub type ParseName<'a> = &'a dyn Fn(&str) -> Relation;

/// Every way to read a text as a table, a dot, and a column or a trigger of that table: the table's text, the other's name.
///
/// A dot may be part of a quoted name, and only a dialect knows its quotes: a wrong way gives names that nothing has.
pub fn members<'t>(text: &'t str, parse: ParseName<'t>) -> impl Iterator<Item = (&'t str, String)> {
    let parts = text.match_indices('.').filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)));
    parts.filter_map(move |(of, name)| {
        let Relation { schema, name } = parse(name);
        schema.is_none().then_some((of, name))
    })
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", Ident(schema))?;
        }
        write!(f, "{}", Ident(&self.name))
    }
}

/// A text as an SQL literal, for statements that take no parameters.
pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(Ident("a").to_string(), "\"a\"");
        assert_eq!(Ident("a\"; drop table t --").to_string(), "\"a\"\"; drop table t --\"");
    }

    #[test]
    fn relations_keep_odd_names() {
        assert_eq!(Relation::parse("public.t").to_string(), "\"public\".\"t\"");
        assert_eq!(Relation::parse(r#""Odd.Na""me""#).to_string(), r#""Odd.Na""me""#);
        assert_eq!(Relation::parse("Größe").to_string(), "\"Größe\"");
    }

    #[test]
    fn literals_are_closed() {
        assert_eq!(literal("o'b"), "'o''b'");
        assert_eq!(literal(r"a\'"), r"E'a\\'''");
    }

    /// A quoted text as a reader of SQL takes it; `None`: it ends before its end.
    fn unquoted(text: &str, quote: char) -> Option<String> {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        let pairs = inner.replace(&format!("{quote}{quote}"), "\0");
        (!pairs.contains(quote)).then(|| pairs.replace('\0', &quote.to_string()))
    }

    proptest! {
        #[test]
        fn quote_and_parse_give_the_name_back(
            schema in proptest::option::of("[^\\x00]{0,12}"), name in "[^\\x00]{0,12}",
        ) {
            let relation = Relation { schema, name };
            prop_assert_eq!(&Relation::parse(&relation.to_string()), &relation);
            prop_assert_eq!(&Relation::parse(&relation.brief()), &relation);
        }

        #[test]
        fn a_name_ends_where_its_quotes_end(name in "[^\\x00]{0,20}") {
            prop_assert_eq!(unquoted(&Ident(&name).to_string(), '"'), Some(name));
        }

        #[test]
        fn a_literal_is_read_as_the_text(text in "[^\\x00]{0,20}") {
            let sql = literal(&text);
            let read = match sql.strip_prefix('E') {
                Some(escaped) => unquoted(escaped, '\'').map(|t| t.replace("\\\\", "\\")),
                None => unquoted(&sql, '\'').filter(|t| !t.contains('\\')),
            };
            prop_assert_eq!(read, Some(text));
        }
    }
}
