//! What the operations on twins share: the pair as it is, how its rows compare, and which partitions are to come.

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::Relation;
use crate::engine::model::profile::{Profile, Twin};
use crate::engine::model::report::CheckId;
use crate::engine::plan::operation::{ALL, Offer, OpSpec, PlanCx};
use crate::engine::port::copies::{Copy, Follow, Rehearsal, Rows};
use crate::features::parity::pair::catalog::{self, Columns};
use crate::features::parity::pair::partitions::{Layout, layout};
use crate::features::parity::pair::{Pair, Standing, pair, retired};

/// A twin, looked up.
pub(crate) struct Couple<'p> {
    pub(crate) twin: &'p Twin,
    pub(crate) standing: Standing,
    pub(crate) legacy: catalog::Table,
    pub(crate) partitioned: catalog::Table,
    pub(crate) columns: Columns,
    pub(crate) layout: Layout,
}

/// An offer for each twin.
pub(crate) fn offers(spec: &'static OpSpec, profile: &Profile, about: &str, locks: &str) -> Vec<Offer> {
    let offer = |twin: &Twin| Offer {
        verb: spec.verb,
        name: twin.name().to_owned(),
        about: format!("{about} of {}", twin.name()),
        mends: Some(CheckId { kind: "parity", name: twin.name().to_owned() }),
        risk: spec.risk,
        locks: locks.to_owned(),
        disabled: None,
        asks: vec![],
        takes_rows: false,
    };
    profile.twins.iter().map(offer).collect()
}

/// The same for what is done to both sides of a switchover.
pub(crate) fn switched_offers(spec: &'static OpSpec, profile: &Profile, about: &str) -> Vec<Offer> {
    offers(spec, profile, about, "ACCESS EXCLUSIVE within a budget")
}

/// The twins that a name stands for, in the profile's order.
pub(crate) fn named<'p>(profile: &'p Profile, name: &str) -> Vec<&'p Twin> {
    let wanted: Vec<&str> = name.split(',').collect();
    profile.twins.iter().filter(|t| name == ALL || wanted.contains(&t.name())).collect()
}

impl<'p> Couple<'p> {
    pub(crate) async fn find(cx: &'p PlanCx<'_>, twin: &'p Twin) -> Result<Self> {
        let mut tx = cx.cx.read().await?;
        let found = pair(&mut *tx, twin).await?;
        let Some(legacy) = found.legacy else {
            drop(tx);
            let (name, over) = (twin.name(), "the switchover is over and the legacy table is");
            return Err(match retired::away(cx.cx.facts, twin).await? {
                Some(away) => {
                    Error::new(Class::Refused, format!("{name}: {over} put away as {}", away.table))
                        .hint(away.way_back())
                }
                None => Error::new(Class::Refused, format!("{name}: {over} gone")),
            });
        };
        let columns = Columns::of(&legacy, &found.partitioned, &twin.key)?;
        let layout = layout(&mut *tx, &found.partitioned).await?;
        Ok(Self { twin, standing: found.standing, legacy, partitioned: found.partitioned, columns, layout })
    }

    /// Triggers that the profile names, or one that we name.
    pub(crate) fn declared(&self) -> Vec<String> {
        if !self.twin.triggers.is_empty() {
            return self.twin.triggers.clone();
        }
        vec![format!("sync_to_partitioned_{}", Relation::parse(&self.twin.legacy).name)]
    }

    /// The function that keeps the retired table complete, whatever its table is called.
    pub(crate) fn reverse_function(&self) -> Relation {
        let schema = Relation::parse(&self.partitioned.relation).schema;
        Relation { schema, name: format!("midwatch_reverse_{}", Relation::parse(&self.twin.legacy).name) }
    }

    pub(crate) fn leaves(&self) -> Vec<String> {
        self.layout.leaves.iter().map(|l| l.relation.clone()).collect()
    }

    /// As the engine's modules take it.
    pub(crate) fn pair(&self) -> Pair {
        self.pair_as(&self.legacy.relation, &self.partitioned.relation)
    }

    /// The pair under the names that its tables have at the time.
    pub(crate) fn pair_as(&self, legacy: &str, twin: &str) -> Pair {
        let renamed = |table: &catalog::Table, relation: &str| catalog::Table {
            relation: relation.to_owned(),
            ..table.clone()
        };
        Pair {
            standing: self.standing,
            legacy: Some(renamed(&self.legacy, legacy)),
            partitioned: renamed(&self.partitioned, twin),
        }
    }

    pub(crate) async fn all(cx: &'p PlanCx<'_>, name: &str) -> Result<Vec<Self>> {
        let mut out = Vec::new();
        for twin in named(cx.profile(), name) {
            out.push(Self::find(cx, twin).await?);
        }
        Ok(out)
    }
}

/// An age in hours, for people.
pub(crate) fn age(hours: f64) -> String {
    let minutes = (hours * 60.0).max(0.0);
    if minutes < 120.0 {
        format!("{minutes:.0} min")
    } else if hours < 48.0 {
        format!("{hours:.0} h")
    } else {
        format!("{:.0} d", hours / 24.0)
    }
}

/// Rows of a copy that things are tried with.
const SAMPLE: u64 = 40;

/// A copy with a few rows of both sides, to try things in.
pub(crate) async fn copy(cx: &PlanCx<'_>, couples: &[Couple<'_>]) -> Result<Box<dyn Rehearsal>> {
    let relations =
        couples.iter().flat_map(|c| [c.legacy.relation.clone(), c.partitioned.relation.clone()]).collect();
    let follow = couples.iter().map(|c| Follow {
        relation: c.partitioned.relation.clone(),
        like: c.legacy.relation.clone(),
        key: c.twin.key.clone(),
    });
    (cx.doing)("copying all definitions and a few rows into a private server".into());
    let wanted = Copy { relations, rows: Rows::Sample(SAMPLE), follow: follow.collect(), ..Copy::default() };
    cx.cx.rehearsals.open(&wanted).await
}

/// Which side is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onto {
    Twin,
    Legacy,
}
