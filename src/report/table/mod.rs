//! Rows as text, for export and copying: one file per format. A new format is its file and its line in [`ALL`].

mod csv;
pub mod format;
mod json;
mod markdown;

use std::fmt;

pub use format::{RowCell, RowFormat};

/// Every format, in the order of the export dialog.
pub const ALL: &[Format] = &[Format(&csv::Csv), Format(&json::JsonRows), Format(&markdown::Markdown)];

/// One of [`ALL`], as plain data.
#[derive(Clone, Copy)]
pub struct Format(&'static dyn RowFormat);

impl std::ops::Deref for Format {
    type Target = dyn RowFormat;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(name: &str, cells: &[RowCell]) -> String {
        let columns = vec!["a".to_owned(), "b".to_owned()];
        let format = ALL.iter().find(|f| f.name() == name).unwrap();
        format.head(&columns) + &format.row(&columns, cells, true) + format.tail()
    }

    #[test]
    fn csv_is_quoted() {
        assert_eq!(whole("Csv", &[Some("x,\"y\"".into()), None]), "a,b\r\n\"x,\"\"y\"\"\",\r\n");
    }

    #[test]
    fn json_keeps_nulls() {
        let v: serde_json::Value = serde_json::from_str(&whole("Json", &[Some("1".into()), None])).unwrap();
        assert_eq!(v[0]["b"], serde_json::Value::Null);
    }

    #[test]
    fn markdown_cells_stay_in_their_row() {
        assert!(whole("Markdown", &[Some("a|b\nc".into()), None]).ends_with("| a\\|b c | NULL |\n"));
    }

    #[test]
    fn names_and_extensions_are_unique() {
        let count = |of: fn(&Format) -> &'static str| {
            ALL.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!((count(|f| f.name()), count(|f| f.extension())), (ALL.len(), ALL.len()));
    }
}
