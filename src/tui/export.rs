//! Writing rows to a file, page by page: any number of rows in bounded memory.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::backend::Backend;
use super::msg::{Export, ExportRows};
use crate::engine::paging::At;
use crate::engine::{Error, Result};
use crate::report::table;

/// Rows of a page.
const PAGE: usize = 1_000;

/// Writes to the working directory; an existing file is never overwritten.
pub(super) async fn export(backend: &dyn Backend, export: Export) -> Result<String> {
    let name = format!("{}.{}", export.name, export.format.extension());
    let fail = |e: std::io::Error| {
        Error::unobserved(format!("failed to export to {name}: {e}"))
            .hint("start midwatch in a directory you may write to")
    };
    let part = PathBuf::from(format!("{name}.part"));
    let file = OpenOptions::new().write(true).create_new(true).open(&part).map_err(fail)?;
    let mut out = BufWriter::new(file);
    let written = match export.rows {
        ExportRows::Given { columns, rows } => {
            let mut text = table::head(export.format, &columns);
            for (i, row) in rows.iter().enumerate() {
                text.push_str(&table::row(export.format, &columns, row, i == 0));
            }
            text.push_str(table::tail(export.format));
            out.write_all(text.as_bytes()).map_err(fail).map(|()| rows.len())
        }
        ExportRows::Paged(request) => pages(backend, *request, export.format, &mut out).await,
    };
    let outcome = written.and_then(|rows| out.flush().map_err(fail).map(|()| rows));
    match outcome {
        Ok(rows) => {
            std::fs::rename(&part, &name).map_err(fail)?;
            Ok(format!("{name} ({rows} rows)"))
        }
        Err(e) => {
            let _ = std::fs::remove_file(&part);
            Err(e)
        }
    }
}

async fn pages(
    backend: &dyn Backend,
    mut request: crate::engine::paging::PageRequest,
    format: table::Format,
    out: &mut impl Write,
) -> Result<usize> {
    let fail = |e: std::io::Error| Error::unobserved(format!("failed to write the export: {e}"));
    request.limit = PAGE;
    request.count = false;
    request.at = At::First;
    let mut count = 0;
    let mut columns: Vec<String> = Vec::new();
    loop {
        let page = backend.page(request.clone()).await?;
        if columns.is_empty() {
            columns = page.columns.iter().map(|c| c.name.clone()).collect();
            out.write_all(table::head(format, &columns).as_bytes()).map_err(fail)?;
        }
        for row in &page.rows {
            out.write_all(table::row(format, &columns, &row.cells, count == 0).as_bytes()).map_err(fail)?;
            count += 1;
        }
        match page.rows.last() {
            Some(last) if !page.end => request.at = At::After(last.position.clone()),
            _ => break,
        }
    }
    out.write_all(table::tail(format).as_bytes()).map_err(fail)?;
    Ok(count)
}
