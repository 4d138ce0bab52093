//! Everything about one row as a table, its surroundings below.

use crate::engine::check::paging::Page;
use crate::tui::list::{Col, Detail, List, ListRow, ListState, cell, value};
use crate::tui::theme::Tone;

/// A detail as a table of names and values.
pub fn detail_list(detail: &Detail) -> List {
    let rows = detail.pairs.iter().map(|(name, value)| ListRow {
        key: name.clone(),
        cells: vec![cell(name.clone(), Tone::Dim), value.clone()],
        ..ListRow::default()
    });
    List { cols: vec![Col::left("name"), Col::grow("value")], rows: rows.collect(), ..List::default() }
}

/// Keys of rows that are a row's surroundings, not its own values.
const CONTEXT: &str = "\u{2}context/";

/// Is this one of a row's surroundings?
pub fn is_context(row: &ListRow) -> bool {
    row.key.starts_with(CONTEXT)
}

/// A row's surroundings as a table; the row itself, by its id, stands out.
pub fn context_list(page: &Page, ours: &[&str]) -> List {
    let rows = page.rows.iter().enumerate().map(|(i, r)| {
        let here = r.cells.last().and_then(Option::as_deref).is_some_and(|id| ours.contains(&id));
        let tone = if here { Tone::Accent } else { Tone::Plain };
        let cells = r.cells.iter().map(|v| value(v.as_ref(), tone)).collect();
        ListRow { key: format!("{CONTEXT}{i}"), cells, ..ListRow::default() }
    });
    let cols =
        page.columns.iter().map(|c| Col { title: c.name.replace('_', " "), right: c.numeric, grow: false });
    List { cols: cols.collect(), rows: rows.collect(), empty: "nothing around it".into(), ..List::default() }
}

/// A detail and, below it, its surroundings.
pub fn whole_detail(detail: &Detail, state: &ListState, context: Option<&Page>) -> List {
    let mut list = detail_list(detail).arranged(state);
    let ids = detail.pairs.iter().filter(|(name, _)| name.ends_with("_id") || name == "id");
    let ids: Vec<&str> = ids.map(|(_, c)| c.text.as_str()).collect();
    list.rows.extend(context.into_iter().flat_map(|page| context_list(page, &ids).rows));
    list
}
