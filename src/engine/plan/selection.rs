//! Which rows an operation is for.

use crate::engine::model::query::ProfileSql;

use crate::engine::model::cause::Cause;
use crate::engine::model::change::RowChange;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::param::{ANY, DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::preflight::Verification;
use crate::engine::model::profile::Question;
use crate::engine::model::query::Param;
use crate::engine::model::row_query::{ColumnSide, Condition, Expr, RowsFrom};
use crate::engine::plan::operation::PlanCx;

/// How many rows at most.
pub(crate) const LIMIT: ParamSpec = ParamSpec {
    name: "limit",
    about: "at most this many rows, in key order",
    takes: Takes::Number { unit: "rows", from: 1, to: ANY },
    default: DefaultValue::Depends("all rows"),
};
/// Single rows of a selection.
pub(crate) const IDS: ParamSpec = ParamSpec {
    name: "ids",
    about: "only the rows with these keys",
    takes: Takes::List("KEY"),
    default: DefaultValue::Depends("all rows"),
};

/// Which rows, and the values that the condition reads as parameters.
pub(crate) struct ChosenRows {
    pub(crate) which: Condition,
    pub(crate) params: Vec<Param>,
    /// By exact keys.
    pub(crate) frozen: bool,
}

/// The condition, and `ids` where they are given: keys of what rows are read from.
pub(crate) async fn and_ids(
    cx: &PlanCx<'_>,
    params: &Params,
    key: &[String],
    (from, of): (&RowsFrom, ColumnSide),
    filter: Condition,
) -> Result<ChosenRows> {
    let Some(ids) = params.ids() else {
        return Ok(ChosenRows { which: filter, params: vec![], frozen: false });
    };
    let [key] = key else {
        return Err(Error::usage("ids can be given for a key of one column only"));
    };
    if ids.is_empty() {
        return Err(Error::usage("ids is empty"));
    }
    let texts = as_keys(cx, ids, &cx.dialect().column_of(from, key)).await?;
    let key = Expr::Column { of, name: key.clone() };
    let which = Condition::All(vec![filter, Condition::KeyIn { key, texts }]);
    Ok(ChosenRows { which, params: vec![], frozen: true })
}

/// The ids as the server writes the key's values; what can be none of them is refused by name.
async fn as_keys(cx: &PlanCx<'_>, ids: Vec<String>, key: &ProfileSql) -> Result<Vec<String>> {
    let mut tx = cx.cx.read().await?;
    let Some(column) = tx.describe(key).await?.pop() else { return Ok(ids) };
    match tx.texts(&cx.dialect().as_written(&column, &ids)).await {
        Ok(keys) => Ok(keys.into_iter().flatten().collect()),
        // It speaks of the value; of anything else the query of the rows speaks better.
        Err(e) if matches!(e.cause, Cause::InvalidValue | Cause::Constraint) => {
            let said = e.said.as_deref().unwrap_or(&e.message);
            let type_name = cx.dialect().type_word(&column);
            Err(Error::usage(format!("ids: {said}"))
                .hint(format!("the key is a {type_name}: give its values, comma separated")))
        }
        Err(_) => Ok(ids),
    }
}

/// What is asked after every change of rows, and what the profile asks besides.
pub(crate) fn verify(cx: &PlanCx<'_>, change: &RowChange, questions: &[Question]) -> Vec<Verification> {
    let (dialect, sources) = (cx.dialect(), &cx.profile().sources);
    let mut out: Vec<_> = dialect.verification(change, 0).into_iter().collect();
    out.extend(
        questions
            .iter()
            .map(|q| (q.title.clone(), dialect.with_sources(sources, &q.sql)))
            .map(|(title, sql)| Verification { title, sql, own: false }),
    );
    out
}
