//! Writing rows to a file, page by page in one snapshot: any number of rows in bounded memory.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::backend::Backend;
use super::msg::{Export, ExportRows};
use crate::engine::paging::PageRequest;
use crate::engine::{Error, Result};
use crate::report::table::{self, Cell, Format};

/// Rows of a page; cells are read in full.
const PAGE: usize = 500;

/// A file that is gone again unless it was finished.
struct Part {
    path: PathBuf,
    out: BufWriter<File>,
    rows: u64,
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
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
    let path = PathBuf::from(format!("{name}.part"));
    let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(fail)?;
    let mut part = Part { path, out: BufWriter::new(file), rows: 0 };
    match export.rows {
        ExportRows::Given { columns, rows } => {
            part.text(&table::head(export.format, &columns)).map_err(fail)?;
            for row in &rows {
                part.row(export.format, &columns, row).map_err(fail)?;
            }
        }
        ExportRows::Paged(request) => {
            let request = PageRequest { limit: PAGE, count: false, whole: true, ..*request };
            let mut columns: Vec<String> = Vec::new();
            let mut take = |page: crate::engine::paging::Page| {
                if columns.is_empty() {
                    columns = page.columns.iter().map(|c| c.name.clone()).collect();
                    part.text(&table::head(export.format, &columns)).map_err(fail)?;
                }
                for row in &page.rows {
                    part.row(export.format, &columns, &row.cells).map_err(fail)?;
                }
                progress(part.rows);
                Ok(())
            };
            backend.pages(request, &mut take).await?;
        }
    }
    part.text(table::tail(export.format)).map_err(fail)?;
    part.out.flush().map_err(fail)?;
    std::fs::rename(&part.path, &name).map_err(fail)?;
    Ok(format!("{name} ({} rows)", part.rows))
}

impl Part {
    fn text(&mut self, text: &str) -> std::io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    fn row(&mut self, format: Format, columns: &[String], cells: &[Cell]) -> std::io::Result<()> {
        let text = table::row(format, columns, cells, self.rows == 0);
        self.rows += 1;
        self.text(&text)
    }
}
