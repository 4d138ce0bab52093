//! A column of either table, and how its values are compared.

use crate::engine::model::name::Ident;
use serde::Deserialize;

#[expect(clippy::struct_excessive_bools, reason = "each is what the catalog says")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct TableColumn {
    pub(crate) name: String,
    /// As `format_type` writes it.
    pub(crate) kind: String,
    /// The type's own name, without its modifiers.
    #[serde(default)]
    pub(crate) base: String,
    /// Holds no NULL.
    #[serde(default)]
    pub(crate) not_null: bool,
    /// Of a type on the other side that has no equality with this one.
    #[serde(skip)]
    pub(crate) foreign: bool,
    /// Of another type on the other side: what both are cast to before they are compared.
    #[serde(skip)]
    pub(crate) cast: Option<&'static str>,
    /// The type's own equality is looser than identity, or it has no hash: compared as text.
    pub(crate) as_text: bool,
    /// Can be summed as a numeric.
    pub(crate) number: bool,
    /// May hold NULL.
    #[serde(default)]
    pub(crate) nullable: bool,
    /// Computed by the table itself.
    #[serde(default)]
    pub(crate) generated: bool,
}

impl TableColumn {
    /// As it is compared where its own equality does not do.
    pub(crate) fn text(&self) -> Option<String> {
        self.text_of(&Ident(&self.name).to_string())
    }

    pub(crate) fn text_of(&self, name: &str) -> Option<String> {
        let value = match self.cast {
            Some("numeric") => format!("trim_scale({name}::numeric)"),
            Some(kind) => format!("{name}::{kind}"),
            None => name.to_owned(),
        };
        // A column's own collation may take different texts for equal.
        self.as_text.then(|| format!("{value}::text collate \"C\""))
    }

    /// As part of a key: what its own equality takes for one is one.
    pub(crate) fn hashed(&self) -> String {
        match self.text().filter(|_| self.foreign) {
            Some(text) => text,
            None => Ident(&self.name).to_string(),
        }
    }

    /// As it is compared, of a row that goes by this name.
    pub(crate) fn compared(&self, row: &str) -> String {
        let name = format!("{row}.{}", Ident(&self.name));
        let plain = if matches!(self.base.as_str(), "text" | "varchar") {
            format!("{name}::text collate \"C\"")
        } else {
            name.clone()
        };
        self.text_of(&name).unwrap_or(plain)
    }
}
