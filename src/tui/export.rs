//! Writing rows to a file, page by page in one snapshot: any number of rows in bounded memory.

use std::io::Write as _;
use std::path::Path;

use super::backend::Backend;
use super::msg::{Export, ExportRows, PlanColumns};
use crate::disk::UnfinishedFile;
use crate::engine::check::paging::PageRequest;
use crate::engine::model::diff::{PlannedRow, Values, text_of};
use crate::engine::model::error::{Error, Result};
use crate::report::table::{Format, RowCell};

/// Rows of a page; cells are read in full.
const PAGE: usize = 500;
/// Rows of a plan read at once.
const PLANNED: usize = 2_000;

/// A file that is gone again unless it was finished.
struct Part {
    out: UnfinishedFile,
    rows: u64,
}

/// Writes to the working directory; an existing file is never overwritten. `progress` hears of rows written.
pub(super) async fn export(
    backend: &dyn Backend,
    export: Export,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<String> {
    let name = format!("{}.{}", export.name, export.format.extension());
    let fail = |e: std::io::Error| {
        Error::unobserved(format!("failed to export to {name}: {e}"))
            .hint("start midwatch in a directory you may write to")
    };
    let mut part = Part { out: UnfinishedFile::beside(Path::new(&name)).map_err(fail)?, rows: 0 };
    match export.rows {
        ExportRows::Given { columns, rows } => {
            part.text(&export.format.head(&columns)).map_err(fail)?;
            for row in &rows {
                part.row(export.format, &columns, row).map_err(fail)?;
            }
        }
        ExportRows::Paged(request) => {
            let request = PageRequest { limit: PAGE, count: false, whole: true, ..*request };
            let mut columns: Vec<String> = Vec::new();
            let mut take = |page: crate::engine::check::paging::Page| {
                if columns.is_empty() {
                    columns = page.columns.iter().map(|c| c.name.clone()).collect();
                    part.text(&export.format.head(&columns)).map_err(fail)?;
                }
                for row in &page.rows {
                    part.row(export.format, &columns, &row.cells).map_err(fail)?;
                }
                progress(part.rows);
                Ok(())
            };
            backend.pages(request, &mut take).await?;
        }
        ExportRows::Planned { plan, columns } => {
            let names = headings(&columns);
            part.text(&export.format.head(&names)).map_err(fail)?;
            loop {
                let rows = backend.planned_rows(plan.clone(), part.rows, PLANNED).await?;
                for row in &rows {
                    part.row(export.format, &names, &cells(row, &columns)).map_err(fail)?;
                }
                if rows.is_empty() {
                    break;
                }
                progress(part.rows);
            }
        }
    }
    part.text(export.format.tail()).map_err(fail)?;
    let Part { out, rows } = part;
    out.keep_new().map_err(fail)?;
    Ok(format!("{name} ({rows} rows)"))
}

/// `id`, …, `column before`, `column after`.
fn headings(columns: &PlanColumns) -> Vec<String> {
    let mut out: Vec<String> = columns.key.iter().chain(&columns.show).cloned().collect();
    out.extend(columns.changed.iter().flat_map(|n| [format!("{n} before"), format!("{n} after")]));
    out
}

fn cells(row: &PlannedRow, columns: &PlanColumns) -> Vec<RowCell> {
    let of = |values: Option<&Values>, name: &str| {
        let value = values.and_then(|v| v.get(name)).filter(|v| !v.is_null());
        value.map(text_of)
    };
    let mut out: Vec<RowCell> = columns.key.iter().map(|n| of(Some(&row.key), n)).collect();
    out.extend(columns.show.iter().map(|n| of(Some(&row.show), n)));
    for name in &columns.changed {
        out.extend([of(row.before.as_ref(), name), of(row.after.as_ref(), name)]);
    }
    out
}

impl Part {
    fn text(&mut self, text: &str) -> std::io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    fn row(&mut self, format: Format, columns: &[String], cells: &[RowCell]) -> std::io::Result<()> {
        let text = format.row(columns, cells, self.rows == 0);
        self.rows += 1;
        self.text(&text)
    }
}
