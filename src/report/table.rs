//! Rows as CSV, JSON or Markdown, for export and copying.

use serde_json::{Map, Value};

/// How to write rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, quoted where needed; NULL is empty.
    Csv,
    /// One array of objects; NULL is null.
    Json,
    /// A table for an issue or a chat.
    Markdown,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Markdown];

    /// Its usual extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Markdown => "md",
        }
    }
}

/// A cell; `None` is NULL.
pub type Cell = Option<String>;

/// What comes before the rows.
pub fn head(format: Format, columns: &[String]) -> String {
    match format {
        Format::Csv => line(columns.iter().map(|c| csv(c))),
        Format::Json => "[".into(),
        Format::Markdown => {
            let cells: Vec<_> = columns.iter().map(|c| markdown(c)).collect();
            let rule = vec!["---"; columns.len()].join(" | ");
            format!("| {} |\n| {rule} |\n", cells.join(" | "))
        }
    }
}

/// One row; `first` for the first of all.
pub fn row(format: Format, columns: &[String], cells: &[Cell], first: bool) -> String {
    match format {
        Format::Csv => line(cells.iter().map(|c| c.as_deref().map_or(String::new(), csv))),
        Format::Json => {
            let value = |c: &Cell| c.clone().map_or(Value::Null, Value::String);
            let object: Map<String, Value> = columns.iter().cloned().zip(cells.iter().map(value)).collect();
            format!("{}\n{}", if first { "" } else { "," }, Value::Object(object))
        }
        Format::Markdown => {
            let cells: Vec<_> = cells.iter().map(|c| markdown(c.as_deref().unwrap_or("NULL"))).collect();
            format!("| {} |\n", cells.join(" | "))
        }
    }
}

/// What comes after the rows.
pub fn tail(format: Format) -> &'static str {
    match format {
        Format::Json => "\n]\n",
        Format::Csv | Format::Markdown => "",
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

/// A cell that begins like a formula is kept from being one in a spreadsheet.
fn csv(text: &str) -> String {
    let formula = text.starts_with(['=', '@', '\t', '\r'])
        || (text.starts_with(['+', '-']) && text.parse::<f64>().is_err());
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn markdown(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(format: Format, cells: &[Cell]) -> String {
        let columns = vec!["a".to_owned(), "b".to_owned()];
        head(format, &columns) + &row(format, &columns, cells, true) + tail(format)
    }

    #[test]
    fn csv_is_quoted_and_harmless() {
        assert_eq!(whole(Format::Csv, &[Some("x,\"y\"".into()), None]), "a,b\r\n\"x,\"\"y\"\"\",\r\n");
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv("-5"), "-5");
    }

    #[test]
    fn json_keeps_nulls() {
        let v: Value = serde_json::from_str(&whole(Format::Json, &[Some("1".into()), None])).unwrap();
        assert_eq!(v[0]["b"], Value::Null);
    }

    #[test]
    fn markdown_cells_stay_in_their_row() {
        assert!(whole(Format::Markdown, &[Some("a|b\nc".into()), None]).ends_with("| a\\|b c | NULL |\n"));
    }
}
