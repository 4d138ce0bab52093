//! Comma-separated, quoted where needed; NULL is empty.

use csv::{Terminator, WriterBuilder};

use super::format::{RowCell, RowFormat};
use crate::engine::model::clean;

/// The format.
#[derive(Debug)]
pub(super) struct Csv;

impl RowFormat for Csv {
    fn name(&self) -> &'static str {
        "Csv"
    }

    fn extension(&self) -> &'static str {
        "csv"
    }

    fn head(&self, columns: &[String]) -> String {
        line(columns.iter().map(|c| harmless(c)))
    }

    fn row(&self, _columns: &[String], cells: &[RowCell], _first: bool) -> String {
        line(cells.iter().map(|c| c.as_deref().map_or(String::new(), harmless)))
    }
}

/// A line of its own: any number of rows in bounded memory.
fn line(cells: impl Iterator<Item = String>) -> String {
    let mut line = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    // Memory takes whatever is written to it.
    let _ = line.write_record(cells);
    String::from_utf8(line.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// A cell that begins like a formula is kept from being one in a spreadsheet, and what a terminal acts on is written as its
/// number.
fn harmless(text: &str) -> String {
    let text = &*clean::escaped(text);
    let formula =
        text.starts_with(['=', '@', '\t']) || (text.starts_with(['+', '-']) && text.parse::<f64>().is_err());
    if formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_harmless_and_numbers_stay() {
        assert_eq!(harmless("=1+1"), "'=1+1");
        assert_eq!(harmless("-5"), "-5");
    }

    #[test]
    fn only_what_needs_it_is_quoted() {
        let cells = |texts: &[Option<&str>]| {
            let cells: Vec<RowCell> = texts.iter().map(|t| t.map(str::to_owned)).collect();
            Csv.row(&[], &cells, false)
        };
        for (row, line) in [
            (&[Some("1"), None, Some(""), Some("a b"), Some("ü")][..], "1,,,a b,ü\r\n"),
            (&[Some("a,b"), Some("say \"x\"")], "\"a,b\",\"say \"\"x\"\"\"\r\n"),
            (&[Some("a\nb"), Some("a\rb"), Some("#")], "\"a\nb\",a\\u000db,#\r\n"),
            (&[Some("=1,2"), Some(" x "), Some("+a")], "\"'=1,2\", x ,'+a\r\n"),
            // Without the quotes a reader would take the line for none.
            (&[None], "\"\"\r\n"),
        ] {
            assert_eq!(cells(row), line);
        }
        assert_eq!(Csv.head(&["id".into(), "a,b".into()]), "id,\"a,b\"\r\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(rows in prop::collection::vec(prop::collection::vec(any::<String>(), 3), 0..5)) {
            let cells = |row: &Vec<String>| row.iter().cloned().map(Some).collect::<Vec<_>>();
            let text: String = rows.iter().map(|row| Csv.row(&[], &cells(row), false)).collect();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let read: Vec<Vec<String>> =
                reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
            let wanted: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(|c| harmless(c)).collect()).collect();
            prop_assert_eq!(read, wanted);
        }
    }
}
