//! Comma-separated, quoted where needed; NULL is empty.

use super::format::{RowCell, RowFormat};

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
        line(columns.iter().map(|c| quoted(c)))
    }

    fn row(&self, _columns: &[String], cells: &[RowCell], _first: bool) -> String {
        line(cells.iter().map(|c| c.as_deref().map_or(String::new(), quoted)))
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

/// A cell that begins like a formula is kept from being one in a spreadsheet.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '@', '\t', '\r'])
        || (text.starts_with(['+', '-']) && text.parse::<f64>().is_err());
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_harmless_and_numbers_stay() {
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("-5"), "-5");
    }
}
