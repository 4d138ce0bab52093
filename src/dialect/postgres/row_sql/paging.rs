//! Pages of a profile's query: bounded by a position, any page costs the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::values::cast_name;
use crate::dialect::postgres::operators::EQUAL;
use crate::engine::model::name::Ident;
use crate::engine::model::page::{At, CELL_CHARS, PageRequest, RowSource};
use crate::engine::model::profile::Source;
use crate::engine::model::query::{Column, KeyOperators, Param, ProfileSql};

/// A query with the profile's sources before it. `recursive` only lets them name each other in any order.
pub(super) fn with_sources(sources: &BTreeMap<String, Source>, sql: &str) -> String {
    if sources.is_empty() {
        return sql.to_owned();
    }
    let mut out = String::from("with recursive ");
    for (i, (name, source)) in sources.iter().enumerate() {
        let comma = if i == 0 { "" } else { ",\n" };
        let _ = write!(out, "{comma}{} as not materialized ({}\n)", Ident(name), source.sql);
    }
    let _ = write!(out, "\nselect * from ({sql}\n) rule");
    out
}

pub(super) fn total(request: &PageRequest, columns: &[Column]) -> ProfileSql {
    let mut q = Values::new(request);
    let clause = q.filter(request, columns);
    let sql =
        format!("select pg_catalog.count(*)::pg_catalog.text from ({}\n) q{clause}", request.source.sql);
    ProfileSql::new(sql).bind(q.params)
}

pub(super) fn is_keyed(source: &RowSource) -> ProfileSql {
    let keys: Vec<_> = source.key.iter().map(|k| format!("q.{}", Ident(k))).collect();
    let nulls: Vec<_> = keys.iter().map(|k| format!("pg_catalog.bool_or({k} is null)")).collect();
    let sql = format!(
        "select (not exists (select from ({}\n) q group by {} having pg_catalog.count(*) operator(pg_catalog.>) 1 or {}))::pg_catalog.text",
        source.sql,
        keys.join(", "),
        nulls.join(" or "),
    );
    ProfileSql::new(sql).bind(source.params.clone())
}

pub(super) fn first_rows(sql: &ProfileSql, columns: &[Column], limit: usize) -> ProfileSql {
    let cells: Vec<_> = columns.iter().map(|c| cell(&c.name)).collect();
    let statement = format!(
        "select pg_catalog.json_build_array(pg_catalog.json_build_array({}), pg_catalog.json_build_array())::pg_catalog.text\nfrom ({}\n) q\nlimit {limit}",
        cells.join(", "),
        sql.text(),
    );
    ProfileSql::new(statement).bind(sql.params())
}

pub(super) fn page(request: &PageRequest, columns: &[Column]) -> ProfileSql {
    let mut q = Values::new(request);
    let cell = if request.whole { whole_cell } else { cell };
    let cells: Vec<_> = columns.iter().map(|c| cell(&c.name)).collect();
    let order = order(request, columns);
    let position: Vec<_> = order.iter().map(|o| format!("q.{}::pg_catalog.text", Ident(&o.column))).collect();
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
        "select pg_catalog.json_build_array(pg_catalog.json_build_array({}), pg_catalog.json_build_array({}))::pg_catalog.text\nfrom ({}\n) q{filter}{bound}\norder by {}\nlimit {}",
        cells.join(", "),
        position.join(", "),
        request.source.sql,
        by.join(", "),
        request.limit,
    );
    ProfileSql::new(sql).bind(q.params)
}

/// What is cut says so, with its whole length.
fn cell(column: &str) -> String {
    let text = format!("q.{}::pg_catalog.text", Ident(column));
    format!(
        "case when pg_catalog.length({text}) operator(pg_catalog.>) {CELL_CHARS} then pg_catalog.concat(\
         pg_catalog.left({text}, {CELL_CHARS}), '… (', pg_catalog.length({text}), ' characters)') else {text} end"
    )
}

fn whole_cell(column: &str) -> String {
    format!("q.{}::pg_catalog.text", Ident(column))
}

struct OrderBy {
    column: String,
    type_name: String,
    operators: Option<KeyOperators>,
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
    let of = |name: &str| columns.iter().find(|c| c.name == name);
    let type_of = |name: &str| of(name).map_or("TEXT".into(), |c| c.type_name.clone());
    let operators_of = |name: &str| of(name).and_then(|c| c.operators.clone());
    let sort = request.sort.iter().map(|s| OrderBy {
        column: s.column.clone(),
        type_name: type_of(&s.column),
        operators: operators_of(&s.column),
        descending: s.descending,
        nullable: true,
    });
    let sorted = request.sort.as_ref().map(|s| s.column.as_str());
    let keys = request.source.key.iter().filter(|k| Some(k.as_str()) != sorted).map(|k| OrderBy {
        column: k.clone(),
        type_name: type_of(k),
        operators: operators_of(k),
        descending: false,
        nullable: false,
    });
    sort.chain(keys).collect()
}

struct Values {
    params: Vec<Param>,
}

impl Values {
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
        let p = self.bind(Some(pattern), "TEXT");
        let any: Vec<_> = columns
            .iter()
            .map(|c| {
                format!("coalesce(q.{}::pg_catalog.text operator(pg_catalog.~~*) {p}, false)", Ident(&c.name))
            })
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
        let (less, equal, greater) = match &first.operators {
            Some(own) => (own.less.as_str(), own.equal.as_str(), own.greater.as_str()),
            None => ("operator(pg_catalog.<)", EQUAL, "operator(pg_catalog.>)"),
        };
        let is_null = value.is_none();
        let p = self.bind(value, &first.type_name);
        let same = if is_null {
            format!("{column} is null and {p} is null")
        } else {
            format!("{column} {equal} {p}")
        };
        let mut out = match (is_null, backwards) {
            (false, _) => {
                let op = if first.descending == backwards { greater } else { less };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::page::Sort;

    fn parts(request: &PageRequest, columns: &[Column]) -> (String, Vec<Param>) {
        let sql = page(request, columns);
        (sql.text().to_owned(), sql.params().to_vec())
    }

    fn columns() -> Vec<Column> {
        [("id", "UUID"), ("When", "TIMESTAMPTZ"), ("kind", "event_type")]
            .map(|(n, t)| Column { name: n.into(), type_name: t.into(), numeric: false, operators: None })
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
        let (sql, params) = parts(&request(At::After(vec![Some("x".into())]), None), &columns());
        assert!(sql.contains(r#"where (q."id" operator(pg_catalog.>) $1::pg_catalog.uuid)"#), "{sql}");
        assert!(sql.ends_with("order by q.\"id\" asc\nlimit 10"), "{sql}");
        assert_eq!(params, [Param::Text(Some("x".into()))]);
    }

    #[test]
    fn the_last_page_is_read_backwards() {
        let (sql, _) = parts(&request(At::Last, None), &columns());
        assert!(sql.contains("order by q.\"id\" desc"), "{sql}");
    }

    #[test]
    fn sorted_pages_go_on_past_nulls() {
        let sort = Sort { column: "When".into(), descending: true };
        let (sql, params) = parts(&request(At::After(vec![None, Some("k".into())]), Some(sort)), &columns());
        assert!(
            sql.contains(
                r#"(false or (q."When" is null and $1::pg_catalog.timestamptz is null and (q."id" operator(pg_catalog.>) $2::pg_catalog.uuid)))"#
            ),
            "{sql}"
        );
        assert_eq!(params.len(), 2);
    }

    #[test]
    fn context_values_are_bound_not_pasted() {
        use crate::dialect::postgres::Postgres;
        use crate::engine::check::paging::bind_context;
        let sql = bind_context(&Postgres, "select * from e where id = {id}::uuid and j @> '{}'", &|n| {
            (n == "id").then(|| Some("7'".into()))
        })
        .unwrap();
        assert_eq!(sql.text(), "select * from e where id = $1::uuid and j @> '{}'");
        assert_eq!(sql.params(), [Param::Text(Some("7'".into()))]);
        assert!(bind_context(&Postgres, "{nope}", &|_| None).is_err());
    }
}
