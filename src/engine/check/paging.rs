//! Pages of a query by key: any page costs the same, nothing is held but what is shown.

pub use crate::engine::model::page::{At, CELL_CHARS, Filter, Page, PageRequest, Row, RowSource, Sort};

use crate::engine::model::error::{Error, Result};
use crate::engine::model::query::{Column, Param, ProfileSql};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::ReadTx;

/// Reads a page in a read-only transaction.
pub async fn read(tx: &mut dyn ReadTx, dialect: &dyn Dialect, request: &PageRequest) -> Result<Page> {
    let columns = columns(tx, request).await?;
    let total = if request.count { Some(count(tx, dialect, request, &columns).await?) } else { None };
    page(tx, dialect, request, columns, total).await
}

/// The number of all rows, and the page where it can be read: a row that cannot does not take the number away.
pub async fn counted(
    tx: &mut dyn ReadTx,
    dialect: &dyn Dialect,
    request: &PageRequest,
) -> Result<(u64, Result<Page>)> {
    let columns = columns(tx, request).await?;
    let total = count(tx, dialect, request, &columns).await?;
    Ok((total, page(tx, dialect, request, columns, Some(total)).await))
}

/// What the query returns; a column that the page needs and that is not there is an error.
async fn columns(tx: &mut dyn ReadTx, request: &PageRequest) -> Result<Vec<Column>> {
    let source = &request.source;
    let query = ProfileSql::of_profile(&source.sql).bind(source.params.clone());
    let columns = tx.describe(&query).await?;
    for name in source.key.iter().chain(request.sort.as_ref().map(|s| &s.column)) {
        if !columns.iter().any(|c| &c.name == name) {
            return Err(Error::usage(format!("failed to page {}: no column {name}", source.title)));
        }
    }
    Ok(columns)
}

async fn count(
    tx: &mut dyn ReadTx,
    dialect: &dyn Dialect,
    request: &PageRequest,
    columns: &[Column],
) -> Result<u64> {
    let text = tx.texts(&dialect.page_total(request, columns)).await?.pop().flatten().unwrap_or_default();
    text.parse().map_err(|_| Error::unobserved("failed to count rows: not a number"))
}

async fn page(
    tx: &mut dyn ReadTx,
    dialect: &dyn Dialect,
    request: &PageRequest,
    columns: Vec<Column>,
    total: Option<u64>,
) -> Result<Page> {
    let mut rows = tx
        .texts(&dialect.page(request, &columns))
        .await?
        .into_iter()
        .flatten()
        .map(|t| decode(&t, columns.len()))
        .collect::<Result<Vec<_>>>()?;
    let end = rows.len() < request.limit;
    if matches!(request.at, At::Last | At::Before(_)) {
        rows.reverse();
    }
    Ok(Page { columns, rows, total, end })
}

/// Does the key name every row once? Without that, paging by it would skip rows.
pub async fn key_is_unique(tx: &mut dyn ReadTx, dialect: &dyn Dialect, source: &RowSource) -> Result<bool> {
    Ok(tx.texts(&dialect.is_keyed(source)).await?.pop().flatten().as_deref() == Some("true"))
}

/// A small result in the query's own order, at most `limit` rows; `end` says whether that was all.
pub async fn all(tx: &mut dyn ReadTx, dialect: &dyn Dialect, sql: &ProfileSql, limit: usize) -> Result<Page> {
    let columns = tx.describe(sql).await?;
    let texts = tx.texts(&dialect.first_rows(sql, &columns, limit + 1)).await?;
    let end = texts.len() <= limit;
    let rows =
        texts.iter().flatten().take(limit).map(|t| decode(t, columns.len())).collect::<Result<Vec<_>>>()?;
    Ok(Page { columns, rows, total: None, end })
}

fn decode(text: &str, width: usize) -> Result<Row> {
    let (cells, position): (Vec<Option<String>>, Vec<Option<String>>) = serde_json::from_str(text)
        .map_err(|e| Error::unobserved(format!("failed to understand a row of the server: {e}")))?;
    if cells.len() != width {
        return Err(Error::unobserved("failed to understand a row of the server: columns changed meanwhile"));
    }
    Ok(Row { cells, position })
}

/// A context query with `{column}` replaced by bound values of the row.
pub fn bind_context(
    dialect: &dyn Dialect,
    sql: &str,
    value_of: &dyn Fn(&str) -> Option<Option<String>>,
) -> Result<ProfileSql> {
    let mut out = String::with_capacity(sql.len());
    let mut params = Vec::new();
    let mut rest = sql;
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        if let Some((name, tail)) = after.split_once('}').filter(|(name, _)| is_name(name)) {
            let value = value_of(name).ok_or_else(|| {
                Error::usage(format!("failed to show the context: the row has no column {name}"))
            })?;
            params.push(Param::Text(value));
            out.push_str(&dialect.placeholder(params.len()));
            rest = tail;
        } else {
            out.push('{');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(ProfileSql::of_profile(out).bind(params))
}
