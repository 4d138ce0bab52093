//! Pages of a query by key: any page costs the same, nothing is held but what is shown.

use crate::engine::model::query::Sql;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::Ident;
use crate::engine::model::query::{Column, Param};
use crate::engine::port::reader::ReadTx;

/// Longest text of a cell that leaves the server; keys are exempt.
pub const CELL_CHARS: usize = 512;

/// A query whose rows can be paged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSource {
    /// Identifies it for the console.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// The query, with `$1…` for `params`.
    pub sql: String,
    /// Bound values.
    pub params: Vec<Param>,
    /// Columns that identify a row, in order.
    pub key: Vec<String>,
    /// Headings by column.
    pub labels: BTreeMap<String, String>,
    /// Title and query of a row's surroundings.
    pub context: Option<(String, String)>,
}

/// Rows must hold this text, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What is typed after `/`.
    pub text: String,
    /// `/!`.
    pub inverse: bool,
}

/// Order by one column first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: String,
    /// Largest first; NULLs come last either way.
    pub descending: bool,
}

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The first.
    First,
    /// The last.
    Last,
    /// After a row (its sort value first when sorted, then its key).
    After(Vec<Option<String>>),
    /// Before a row.
    Before(Vec<Option<String>>),
}

/// A page to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// From where.
    pub source: RowSource,
    /// Which rows.
    pub filter: Option<Filter>,
    /// In which order; by key when absent.
    pub sort: Option<Sort>,
    /// Which page.
    pub at: At,
    /// How many rows.
    pub limit: usize,
    /// Count all rows as well.
    pub count: bool,
    /// Cells in full, for an export.
    pub whole: bool,
}

impl PageRequest {
    /// The first rows, by key, without a count.
    pub fn first(source: RowSource, limit: usize) -> Self {
        Self { source, filter: None, sort: None, at: At::First, limit, count: false, whole: false }
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The columns, in the query's order.
    pub columns: Vec<Column>,
    /// The rows, in the asked order whatever the direction of reading.
    pub rows: Vec<Row>,
    /// Exact number of all rows, if asked for.
    pub total: Option<u64>,
    /// Nothing lies beyond the page in its direction.
    pub end: bool,
}

/// A row of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Cells, shortened to [`CELL_CHARS`]; `None` is NULL.
    pub cells: Vec<Option<String>>,
    /// Where it stands: the values [`At::After`] takes.
    pub position: Vec<Option<String>>,
}

/// Reads a page in a read-only transaction.
pub async fn read(tx: &mut dyn ReadTx, request: &PageRequest) -> Result<Page> {
    let columns = tx.describe(&Sql::of_profile(&request.source.sql)).await?;
    for name in request.source.key.iter().chain(request.sort.as_ref().map(|s| &s.column)) {
        if !columns.iter().any(|c| &c.name == name) {
            return Err(Error::usage(format!("failed to page {}: no column {name}", request.source.title)));
        }
    }
    let total = if request.count {
        let mut q = Query::new(request);
        let clause = q.filter(request, &columns);
        let sql = format!("select count(*)::text from ({}\n) q{clause}", request.source.sql);
        let text = tx
            .texts(&Sql::of_profile(&sql).bind(q.params.clone()))
            .await?
            .pop()
            .flatten()
            .unwrap_or_default();
        Some(text.parse().map_err(|_| Error::unobserved("failed to count rows: not a number"))?)
    } else {
        None
    };
    let (sql, params) = statement(request, &columns);
    let mut rows = tx
        .texts(&Sql::of_profile(&sql).bind(params.clone()))
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
pub async fn key_is_unique(tx: &mut dyn ReadTx, source: &RowSource) -> Result<bool> {
    let keys: Vec<_> = source.key.iter().map(|k| format!("q.{}", Ident(k))).collect();
    let nulls: Vec<_> = keys.iter().map(|k| format!("bool_or({k} is null)")).collect();
    let sql = format!(
        "select (not exists (select from ({}\n) q group by {} having count(*) > 1 or {}))::text",
        source.sql,
        keys.join(", "),
        nulls.join(" or "),
    );
    Ok(tx.texts(&Sql::of_profile(&sql).bind(source.params.clone())).await?.pop().flatten().as_deref()
        == Some("true"))
}

/// A small result in the query's own order, at most `limit` rows; `end` says whether that was all.
pub async fn all(tx: &mut dyn ReadTx, sql: &str, params: &[Param], limit: usize) -> Result<Page> {
    let columns = tx.describe(&Sql::of_profile(sql)).await?;
    let cells: Vec<_> = columns.iter().map(|c| cell(&c.name)).collect();
    let statement = format!(
        "select json_build_array(json_build_array({}), json_build_array())::text\nfrom ({sql}\n) q\nlimit {}",
        cells.join(", "),
        limit + 1,
    );
    let texts = tx.texts(&Sql::of_profile(&statement).bind(params)).await?;
    let end = texts.len() <= limit;
    let rows =
        texts.iter().flatten().take(limit).map(|t| decode(t, columns.len())).collect::<Result<Vec<_>>>()?;
    Ok(Page { columns, rows, total: None, end })
}

/// The statement of a page; shown on `x` as it is run.
pub fn statement(request: &PageRequest, columns: &[Column]) -> (String, Vec<Param>) {
    let mut q = Query::new(request);
    let cell = if request.whole { whole_cell } else { cell };
    let cells: Vec<_> = columns.iter().map(|c| cell(&c.name)).collect();
    let order = order(request, columns);
    let position: Vec<_> = order.iter().map(|o| format!("q.{}::text", Ident(&o.column))).collect();
    let filter = q.filter(request, columns);
    let backwards = matches!(request.at, At::Last | At::Before(_));
    let bound = match &request.at {
        At::First | At::Last => String::new(),
        At::After(v) | At::Before(v) => {
            let joiner = if filter.is_empty() { "where" } else { "and" };
            format!("\n{joiner} {}", q.beyond(&order, v, backwards))
        }
    };
    let by: Vec<_> = order.iter().map(|o| o.clause(backwards)).collect();
    let sql = format!(
        "select json_build_array(json_build_array({}), json_build_array({}))::text\nfrom ({}\n) q{filter}{bound}\norder by {}\nlimit {}",
        cells.join(", "),
        position.join(", "),
        request.source.sql,
        by.join(", "),
        request.limit,
    );
    (sql, q.params)
}

/// What is cut says so, with its whole length.
fn cell(column: &str) -> String {
    let text = format!("q.{}::text", Ident(column));
    format!(
        "case when length({text}) > {CELL_CHARS} \
         then left({text}, {CELL_CHARS}) || '… (' || length({text}) || ' characters)' else {text} end"
    )
}

fn whole_cell(column: &str) -> String {
    format!("q.{}::text", Ident(column))
}

struct OrderBy {
    column: String,
    type_name: String,
    descending: bool,
    nullable: bool,
}

impl OrderBy {
    fn clause(&self, backwards: bool) -> String {
        let direction = if self.descending == backwards { "asc" } else { "desc" };
        let nulls = if backwards { "first" } else { "last" };
        if self.nullable {
            format!("q.{} {direction} nulls {nulls}", Ident(&self.column))
        } else {
            format!("q.{} {direction}", Ident(&self.column))
        }
    }
}

fn order(request: &PageRequest, columns: &[Column]) -> Vec<OrderBy> {
    let type_of =
        |name: &str| columns.iter().find(|c| c.name == name).map_or("text".into(), |c| c.type_name.clone());
    let sort = request.sort.iter().map(|s| OrderBy {
        column: s.column.clone(),
        type_name: type_of(&s.column),
        descending: s.descending,
        nullable: true,
    });
    let sorted = request.sort.as_ref().map(|s| s.column.as_str());
    let keys = request.source.key.iter().filter(|k| Some(k.as_str()) != sorted).map(|k| OrderBy {
        column: k.clone(),
        type_name: type_of(k),
        descending: false,
        nullable: false,
    });
    sort.chain(keys).collect()
}

struct Query {
    params: Vec<Param>,
}

impl Query {
    fn new(request: &PageRequest) -> Self {
        Self { params: request.source.params.clone() }
    }

    fn bind(&mut self, value: Option<String>, type_name: &str) -> String {
        self.params.push(Param::Text(value));
        format!("${}::{}", self.params.len(), cast_name(type_name))
    }

    fn filter(&mut self, request: &PageRequest, columns: &[Column]) -> String {
        let Some(filter) = request.filter.as_ref().filter(|f| !f.text.is_empty()) else {
            return String::new();
        };
        let pattern =
            format!("%{}%", filter.text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_"));
        let p = self.bind(Some(pattern), "text");
        let any: Vec<_> = columns
            .iter()
            .map(|c| format!("coalesce(q.{}::text ilike {p}, false)", Ident(&c.name)))
            .collect();
        let not = if filter.inverse { "not " } else { "" };
        format!("\nwhere {not}({})", any.join(" or "))
    }

    /// The rows beyond a position: `a > $1 or (a = $1 and (b > $2 or …))`, NULLs counted as last.
    fn beyond(&mut self, order: &[OrderBy], position: &[Option<String>], backwards: bool) -> String {
        let Some((first, rest)) = order.split_first() else { return "false".into() };
        let value = position.first().cloned().flatten();
        let tail_position = position.get(1..).unwrap_or_default();
        let column = format!("q.{}", Ident(&first.column));
        let is_null = value.is_none();
        let p = self.bind(value, &first.type_name);
        let same =
            if is_null { format!("{column} is null and {p} is null") } else { format!("{column} = {p}") };
        let mut out = match (is_null, backwards) {
            (false, _) => {
                let op = if first.descending == backwards { ">" } else { "<" };
                format!("({column} {op} {p}")
            }
            (true, true) => format!("({column} is not null"),
            (true, false) => "(false".to_owned(),
        };
        if first.nullable && !is_null && !backwards {
            let _ = write!(out, " or {column} is null");
        }
        if !rest.is_empty() {
            let tail = self.beyond(rest, tail_position, backwards);
            let _ = write!(out, " or ({same} and {tail})");
        }
        out.push(')');
        out
    }
}

/// The driver's names of built-in types are upper case; those of others come quoted, with their schema where
/// it is needed. A bare `char` or `bit` would cut the value to its first.
pub(crate) fn cast_name(type_name: &str) -> String {
    let (base, array) = type_name.strip_suffix("[]").map_or((type_name, ""), |base| (base, "[]"));
    let base = match base {
        "unknown" | "UNKNOWN" => "text".to_owned(),
        "CHAR" => "bpchar".to_owned(),
        "BIT" => "varbit".to_owned(),
        "\"CHAR\"" => "\"char\"".to_owned(),
        quoted if quoted.contains('"') => quoted.to_owned(),
        other => other.to_ascii_lowercase(),
    };
    base + array
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
    sql: &str,
    value_of: &dyn Fn(&str) -> Option<Option<String>>,
) -> Result<(String, Vec<Param>)> {
    let mut out = String::with_capacity(sql.len());
    let mut params = Vec::new();
    let mut rest = sql;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let name = after[1..].split('}').next().unwrap_or_default();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if is_name && after.len() > name.len() + 1 {
            let value = value_of(name).ok_or_else(|| {
                Error::usage(format!("failed to show the context: the row has no column {name}"))
            })?;
            params.push(Param::Text(value));
            let _ = write!(out, "${}", params.len());
            rest = &after[name.len() + 2..];
        } else {
            out.push('{');
            rest = &after[1..];
        }
    }
    out.push_str(rest);
    Ok((out, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        [("id", "UUID"), ("When", "TIMESTAMPTZ"), ("kind", "event_type")]
            .map(|(n, t)| Column { name: n.into(), type_name: t.into() })
            .to_vec()
    }

    fn request(at: At, sort: Option<Sort>) -> PageRequest {
        PageRequest {
            source: RowSource {
                id: "t".into(),
                title: "t".into(),
                sql: "select 1".into(),
                params: vec![],
                key: vec!["id".into()],
                labels: BTreeMap::new(),
                context: None,
            },
            filter: None,
            sort,
            at,
            limit: 10,
            count: false,
            whole: false,
        }
    }

    #[test]
    fn a_page_after_a_row_is_bounded_by_its_key() {
        let (sql, params) = statement(&request(At::After(vec![Some("x".into())]), None), &columns());
        assert!(sql.contains(r#"where (q."id" > $1::uuid)"#), "{sql}");
        assert!(sql.ends_with("order by q.\"id\" asc\nlimit 10"), "{sql}");
        assert_eq!(params, [Param::Text(Some("x".into()))]);
    }

    #[test]
    fn the_last_page_is_read_backwards() {
        let (sql, _) = statement(&request(At::Last, None), &columns());
        assert!(sql.contains("order by q.\"id\" desc"), "{sql}");
    }

    #[test]
    fn sorted_pages_go_on_past_nulls() {
        let sort = Sort { column: "When".into(), descending: true };
        let (sql, params) =
            statement(&request(At::After(vec![None, Some("k".into())]), Some(sort)), &columns());
        assert!(
            sql.contains(
                r#"(false or (q."When" is null and $1::timestamptz is null and (q."id" > $2::uuid)))"#
            ),
            "{sql}"
        );
        assert_eq!(params.len(), 2);
    }

    #[test]
    fn user_types_keep_their_case() {
        assert_eq!(cast_name("INT8"), "int8");
        assert_eq!(cast_name("\"My Type\"[]"), "\"My Type\"[]");
        assert_eq!(cast_name("odd.\"My Type\""), "odd.\"My Type\"");
        assert_eq!(cast_name("mood"), "mood");
        assert_eq!(cast_name("CHAR[]"), "bpchar[]");
    }

    #[test]
    fn context_values_are_bound_not_pasted() {
        let (sql, params) = bind_context("select * from e where id = {id}::uuid and j @> '{}'", &|n| {
            (n == "id").then(|| Some("7'".into()))
        })
        .unwrap();
        assert_eq!(sql, "select * from e where id = $1::uuid and j @> '{}'");
        assert_eq!(params, [Param::Text(Some("7'".into()))]);
        assert!(bind_context("{nope}", &|_| None).is_err());
    }
}
