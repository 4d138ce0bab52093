//! Findings and marked rows that narrow an operation, and why it is not offered.

use crate::engine::plan::operation::Offer;
use crate::features::anomalies::check::ROWS as RULE_ROWS;
use crate::features::parity::facts::KIND as PARITY;
use crate::features::queue::facts::KIND as QUEUE;
use crate::tui::list::{Goto, List};
use crate::tui::model::state::{Link, Model};
use crate::tui::model::view::View;
use crate::tui::model::watch::UNKNOWN_ROW;

impl Model {
    /// The finding under the cursor, where it narrows the check down.
    pub(in crate::tui) fn finding_in(&self, list: &List) -> Option<String> {
        let row = || list.rows.get(self.level().state.cursor);
        let finding = match &self.level().view {
            View::Rows(rows) => Some(rows.finding.clone()),
            View::Pane => match &row()?.goto {
                Goto::Rows { finding, .. } => Some(finding.clone()),
                Goto::Pane { id, row: Some(row) } if id.kind == QUEUE => {
                    row.strip_prefix(&format!("{id}/")).filter(|f| *f != UNKNOWN_ROW).map(str::to_owned)
                }
                _ => None,
            },
            _ => None,
        };
        // A rule has one finding: its rows.
        finding.filter(|f| f != RULE_ROWS)
    }

    pub(in crate::tui) fn why_not_offer(&self, offer: &Offer) -> Option<String> {
        if let Some(why) = &offer.disabled {
            return Some(why.clone());
        }
        if self.link != Link::Up {
            return Some("there is no connection".into());
        }
        let twin = offer.mends.as_ref().is_none_or(|id| id.kind == PARITY);
        twin.then(|| self.why_not_stands(offer.verb, &offer.name)).flatten()
    }

    /// Keys of the marked rows, for operations that take single rows.
    pub(in crate::tui) fn marked_ids(&self, offer: &Offer) -> Result<Option<String>, String> {
        let level = self.level();
        let View::Rows(rows) = &level.view else { return Ok(None) };
        if level.state.marks.is_empty() {
            return Ok(None);
        }
        if !offer.takes_rows {
            return Err("it takes no single rows; Esc clears the marks, then it plans them all".into());
        }
        let key = rows.source.as_ref().map(|s| s.key.as_slice()).unwrap_or_default();
        let [name] = key else {
            return Err("rows with a key of several columns cannot be chosen one by one".into());
        };
        let at = rows.columns.iter().position(|c| &c.name == name);
        let value = |cells: &Vec<Option<String>>| at.and_then(|i| cells.get(i).cloned().flatten());
        let ids: Option<Vec<String>> = level.state.marks.values().map(value).collect();
        let ids = ids.ok_or_else(|| format!("the key column {name} is not among the columns shown"))?;
        if ids.iter().any(|id| id.contains(',')) {
            return Err("a key with a comma cannot be chosen by itself".into());
        }
        Ok(Some(ids.join(",")))
    }
}
