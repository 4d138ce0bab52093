//! A table for an issue or a chat.

use super::format::{RowCell, RowFormat};
use crate::engine::model::clean;

/// The format.
#[derive(Debug)]
pub(super) struct Markdown;

impl RowFormat for Markdown {
    fn name(&self) -> &'static str {
        "Markdown"
    }

    fn extension(&self) -> &'static str {
        "md"
    }

    fn head(&self, columns: &[String]) -> String {
        let cells: Vec<_> = columns.iter().map(|c| escaped(c)).collect();
        let rule = vec!["---"; columns.len()].join(" | ");
        format!("| {} |\n| {rule} |\n", cells.join(" | "))
    }

    fn row(&self, _columns: &[String], cells: &[RowCell], _first: bool) -> String {
        let cells: Vec<_> = cells.iter().map(|c| escaped(c.as_deref().unwrap_or("NULL"))).collect();
        format!("| {} |\n", cells.join(" | "))
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ").replace('\\', "\\\\").replace('|', "\\|");
    clean::escaped(&text).into_owned()
}
