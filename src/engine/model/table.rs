//! A table as its catalog describes it: columns, triggers, constraints and our rights on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::engine::model::change::{Referrer, TypedColumn};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::Relation;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::row_query::Expr;

/// A part of the catalog that a role may not be allowed to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// It was read.
    Known(T),
    /// The server shows nothing of it, which is not the same as none.
    Hidden {
        /// The privilege that would show it.
        needs: String,
    },
}

impl<T: Default> Default for Seen<T> {
    fn default() -> Self {
        Self::Known(T::default())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Seen<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::Known)
    }
}

impl<T> Seen<Vec<T>> {
    /// What was read of it; ask [`Seen::hidden`] as well where none decides.
    pub fn known(&self) -> &[T] {
        match self {
            Self::Known(all) => all,
            Self::Hidden { .. } => &[],
        }
    }

    /// What is needed to see it, if it was not seen.
    pub fn hidden(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Hidden { needs } => Some(needs),
        }
    }
}

/// A table as the catalog has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Table {
    /// Its name, with the schema it was found in; none where a database has no schemas.
    pub name: Relation,
    /// Columns that are stored, in order; generated ones follow from them.
    pub columns: Vec<Stored>,
    /// Triggers, also those of its partitions, the internal ones left out.
    pub triggers: Seen<Vec<Trigger>>,
    /// Foreign keys that refer to it and do something of themselves.
    pub referrers: Seen<Vec<Referrer>>,
    /// CHECK constraints.
    pub checks: Seen<Vec<Constraint>>,
    /// Columns of each unique index that holds for all rows.
    pub unique_keys: Vec<Vec<String>>,
    /// Columns that any unique or excluding index reads, be it of some rows only or in an expression.
    pub unique_columns: Vec<String>,
    /// We own it, or may do as its owner.
    pub owned: bool,
    /// We may read it.
    pub may_select: bool,
    /// We may remove rows.
    pub may_delete: bool,
    /// We may silence all ordinary triggers of a session; absent: the server has no way to.
    #[serde(default)]
    pub may_silence: Option<bool>,
}

/// A column.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "what the catalog says of a column")]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// As a cast takes it.
    pub type_name: String,
    /// The same, wherever it is read: with its schema, where that is not the server's own.
    pub qualified: String,
    /// As [`TypedColumn::equality`].
    #[serde(default)]
    pub equality: Option<String>,
    /// As [`ForeignCast::cast`](super::foreign_cast::ForeignCast::cast).
    #[serde(default)]
    pub foreign_cast: Option<String>,
    /// Computed by the table itself.
    pub generated: bool,
    /// Numbered by the table itself, and never by an UPDATE.
    pub numbered: bool,
    /// We may change it.
    pub may_update: bool,
    /// We may give it.
    pub may_insert: bool,
}

/// A trigger.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "what the catalog says of a trigger")]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// When it fires.
    pub state: Firing,
    /// The function it calls, where triggers call one.
    pub function: Option<String>,
    /// Its function stands in the journal's schema, by the catalog: whoever may create there is trusted.
    pub journal: bool,
    /// Before the row is written: it may write other columns.
    pub before: bool,
    /// For each row.
    pub row: bool,
    /// On INSERT.
    pub on_insert: bool,
    /// On UPDATE.
    pub on_update: bool,
    /// On DELETE.
    pub on_delete: bool,
    /// UPDATE OF these; empty: of any.
    pub columns: Vec<String>,
}

/// When a trigger fires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firing {
    /// For ordinary sessions.
    #[default]
    Ordinary,
    /// For all sessions.
    Always,
    /// For sessions that apply changes of another server.
    Replica,
    /// Never: it is switched off.
    Off,
}

/// A CHECK.
#[derive(Debug, Clone, Deserialize)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// As the server writes it.
    pub definition: String,
    /// What it asks of a row.
    pub expression: String,
    /// Columns it reads.
    pub columns: Vec<String>,
}

impl Stored {
    fn typed(&self) -> TypedColumn {
        TypedColumn {
            name: self.name.clone(),
            type_name: self.type_name.clone(),
            numbered: self.numbered,
            equality: self.equality.clone(),
        }
    }
}

impl Table {
    /// May we change all of these columns?
    pub fn may_update_all(&self, columns: &[TypedColumn]) -> bool {
        columns.iter().all(|w| self.columns.iter().any(|c| c.name == w.name && c.may_update))
    }

    /// May we give all of these columns?
    pub fn may_insert_all(&self, columns: &[TypedColumn]) -> bool {
        columns.iter().all(|w| self.columns.iter().any(|c| c.name == w.name && c.may_insert))
    }

    /// Each expression as the column will hold it: what is shown is what will be there.
    pub fn stored(&self, set: &BTreeMap<String, String>) -> Vec<(String, Expr)> {
        let type_of =
            |name: &String| self.columns.iter().find(|c| &c.name == name).map(|c| c.type_name.clone());
        let cast = |(name, expression): (&String, &String)| {
            let text = expression.clone();
            let cast = match type_of(name) {
                Some(type_name) => Expr::Stored { text, type_name },
                None => Expr::Text(text),
            };
            (name.clone(), cast)
        };
        set.iter().map(cast).collect()
    }

    /// A column by name.
    pub fn column(&self, table: &str, name: &str) -> Result<TypedColumn> {
        let found = self.columns.iter().find(|c| c.name == name).map(Stored::typed);
        found.ok_or_else(|| {
            Error::unobserved(format!("failed to plan: table {table} has no column {name}"))
                .hint("the profile names it; midwatch config check cannot know the database")
        })
    }

    /// Columns by name.
    pub fn typed<'n>(
        &self,
        table: &str,
        names: impl IntoIterator<Item = &'n String>,
    ) -> Result<Vec<TypedColumn>> {
        names.into_iter().map(|name| self.column(table, name)).collect()
    }

    /// Everything that can be kept of a row: stored columns, secrets left out.
    pub fn kept(&self, secrets: &[String]) -> Vec<TypedColumn> {
        self.columns
            .iter()
            .filter(|c| !c.generated && !secrets.contains(&c.name))
            .map(Stored::typed)
            .collect()
    }

    /// CHECKs that read one of these columns: they would judge what an inverse writes.
    pub fn checks_on<'s>(&'s self, columns: &'s [TypedColumn]) -> impl Iterator<Item = &'s Constraint> {
        self.checks.known().iter().filter(|k| k.columns.iter().any(|c| columns.iter().any(|w| &w.name == c)))
    }

    /// A key must name one row, and be found by an index: batches are many.
    pub fn keyed(&self, table: &str, key: &[String]) -> Result<()> {
        let same = |index: &Vec<String>| index.len() == key.len() && index.iter().all(|c| key.contains(c));
        if self.unique_keys.iter().any(same) {
            return Ok(());
        }
        let what = format!("failed to plan: {table} has no unique index on ({})", key.join(", "));
        Err(Error::new(Class::Refused, what).hint(
            "rows are changed by their key, one row each: name columns of a unique index in the profile",
        ))
    }

    /// May we do this to it?
    pub fn privilege(&self, table: &str, what: &str, allowed: bool, role: &str) -> Preflight {
        if allowed {
            Preflight::new("privilege", Ready::Ok, format!("{role} may {what} {table}"))
        } else {
            Preflight::new(
                "privilege",
                Ready::Fail,
                format!("role {role} may not {what} {table}: grant it first"),
            )
        }
    }
}
