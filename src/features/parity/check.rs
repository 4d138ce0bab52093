//! Is the partitioned twin equal to its legacy table? All common columns, by name, NULL-safe, in one snapshot.
//!
//! Both sides are counted and digested once, side by side, by partition and key range; only ranges that differ are
//! read again, down to rows and columns. The verdict is "equal by count and 64-bit digests", not "proved". A
//! partition that was equal and, by its write marks, not written since is not read again.

use crate::features::parity::{comparison, notes, self_test};
use std::time::Duration;

use crate::engine::check::kind::{Check, CheckCx, CheckSpec, Renamed};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::name::Relation;
use crate::engine::model::param::Params;
use crate::engine::model::profile::Profile;
use crate::engine::model::report::{CheckId, Note, Report};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadTx};
use crate::engine::port::state::State;
use crate::features::parity::options::{ComparisonOptions, PARAMS, SELF_TEST};
use crate::features::parity::pair;
use crate::features::parity::pair::sync_triggers::is_reverse;
use crate::features::parity::progress::Unfinished;

pub(crate) struct ParityCheck;

static SPEC: CheckSpec = CheckSpec {
    kind: crate::features::parity::facts::KIND,
    title: "Parity",
    about: "legacy tables against their partitioned twins, row by row, in one snapshot",
    every: Duration::from_secs(15),
    params: PARAMS,
};

impl Check for ParityCheck {
    fn spec(&self) -> &'static CheckSpec {
        &SPEC
    }

    fn names(&self, profile: &Profile) -> Vec<String> {
        profile
            .twins
            .iter()
            .map(|t| t.name().to_owned())
            .chain(profile.partitioned.iter().map(|p| plain(p)))
            .collect()
    }

    fn accept(&self, params: &Params) -> Result<()> {
        ComparisonOptions::from_params(params).map(|_| ())
    }

    // Names of a switchover, which the profile need not say.
    fn reads(&self, _dialect: &dyn Dialect, profile: &Profile) -> Vec<String> {
        let names = |t| [pair::retired_name(t), pair::retired::away_name(t)].map(|r| r.to_string());
        profile.twins.iter().flat_map(names).collect()
    }

    fn observe<'a>(
        &'a self,
        cx: &'a CheckCx<'a>,
        id: &'a CheckId,
        params: &'a Params,
    ) -> Fut<'a, Result<Report>> {
        Box::pin(async move {
            let options = ComparisonOptions::from_params(params)?;
            if let Some(twin) = cx.profile.twins.iter().find(|t| t.name() == id.name) {
                let report = comparison::pair(cx, id, twin, options).await?;
                let test = params.flag_of(&SELF_TEST)?;
                return Ok(if test { self_test::add_to(cx, id, twin, report).await } else { report });
            }
            match cx.profile.partitioned.iter().find(|p| plain(p) == id.name) {
                Some(table) => comparison::alone(cx, id, table, None).await,
                None => Err(Error::usage(format!("no twin {}", id.name))),
            }
        })
    }

    fn notes(&self, report: &Report) -> Vec<Note> {
        notes::notes(report)
    }

    fn unfinished(&self, state: &dyn State, target: &Identity, name: &str) -> bool {
        Unfinished::read(state, target, name).is_some()
    }

    fn renamed<'a>(&'a self, tx: &'a mut dyn ReadTx, profile: &'a Profile) -> Fut<'a, Result<Vec<Renamed>>> {
        Box::pin(pair::renamed(tx, &profile.twins))
    }

    fn owns_trigger(&self, profile: &Profile, name: &str, function: &str) -> bool {
        profile.twins.iter().any(|twin| is_reverse(twin, &profile.search_path, name, function))
    }
}

/// `"public"."t"` → `t`; other schemas stay.
fn plain(relation: &str) -> String {
    let r = Relation::parse(relation);
    match r.schema.as_deref() {
        None | Some("public") => r.name,
        Some(schema) => format!("{schema}.{}", r.name),
    }
}
