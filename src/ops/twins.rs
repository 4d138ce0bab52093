//! What the operations on twins share: the pair as it is, how its rows compare, and which partitions are to come.

use crate::engine::change::{RowChange, RowKind, Source, TypedColumn, shown};
use crate::engine::ident::Ident;
use crate::engine::operation::{ALL, Offer, OpSpec, PlanCx, Risk, RowQuery, lock};
use crate::engine::plan::{Action, Preflight, Ready, Step, Verification};
use crate::engine::profile::{Profile, Twin};
use crate::engine::report::CheckId;
use crate::engine::tables::Table;
use crate::engine::twin::catalog::{Column, Columns};
use crate::engine::twin::partitions::{Layout, layout};
use crate::engine::twin::{Standing, catalog, pair};
use crate::engine::{Class, Error, Result};

/// A twin, looked up.
pub(super) struct Couple<'p> {
    pub(super) twin: &'p Twin,
    pub(super) standing: Standing,
    pub(super) legacy: catalog::Table,
    pub(super) partitioned: catalog::Table,
    pub(super) columns: Columns,
    pub(super) layout: Layout,
}

/// An offer for each twin.
pub(super) fn offers(spec: &'static OpSpec, profile: &Profile, about: &str, locks: &str) -> Vec<Offer> {
    let offer = |twin: &Twin| Offer {
        verb: spec.verb,
        name: twin.name().to_owned(),
        about: format!("{about} of {}", twin.name()),
        mends: Some(CheckId { kind: "parity", name: twin.name().to_owned() }),
        risk: Risk::Reversible,
        locks: locks.to_owned(),
        disabled: None,
        asks: vec![],
        takes_rows: false,
    };
    profile.twins.iter().map(offer).collect()
}

/// The twins that a name stands for, in the profile's order.
pub(super) fn named<'p>(profile: &'p Profile, name: &str) -> Vec<&'p Twin> {
    let wanted: Vec<&str> = name.split(',').collect();
    profile.twins.iter().filter(|t| name == ALL || wanted.contains(&t.name())).collect()
}

impl<'p> Couple<'p> {
    pub(super) async fn find(cx: &'p PlanCx<'_>, twin: &'p Twin) -> Result<Self> {
        let mut tx = cx.cx.read().await?;
        let found = pair(&mut *tx, twin).await?;
        let Some(legacy) = found.legacy else {
            return Err(Error::new(
                Class::Refused,
                format!("{}: the switchover is over and the legacy table is gone", twin.name()),
            ));
        };
        let columns = Columns::of(&legacy, &found.partitioned, &twin.key)?;
        let layout = layout(&mut *tx, &found.partitioned).await?;
        Ok(Self { twin, standing: found.standing, legacy, partitioned: found.partitioned, columns, layout })
    }

    pub(super) async fn all(cx: &'p PlanCx<'_>, name: &str) -> Result<Vec<Self>> {
        let mut out = Vec::new();
        for twin in named(cx.profile(), name) {
            out.push(Self::find(cx, twin).await?);
        }
        Ok(out)
    }
}

/// Which side is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onto {
    Twin,
    Legacy,
}

/// How a row of the written side comes to be as its copy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has no copy: it goes.
    Extra,
    /// It differs.
    Differs,
    /// It is not there.
    Missing,
}

/// One side written from the other.
pub(super) struct Mend<'c> {
    couple: &'c Couple<'c>,
    from: &'c catalog::Table,
    onto: &'c catalog::Table,
    /// The written table.
    table: Table,
    key: Vec<String>,
    /// Common columns that can be written.
    written: Vec<&'c Column>,
}

impl<'c> Mend<'c> {
    pub(super) async fn of(cx: &PlanCx<'_>, couple: &'c Couple<'c>, onto: Onto) -> Result<Self> {
        let (from, target) = match onto {
            Onto::Twin => (&couple.legacy, &couple.partitioned),
            Onto::Legacy => (&couple.partitioned, &couple.legacy),
        };
        let table = Table::find(cx, &target.relation).await?;
        let mut key = couple.twin.key.clone();
        if onto == Onto::Twin {
            // A row of another partition key is another row.
            key.extend(couple.layout.key.iter().filter(|k| !couple.twin.key.contains(k)).cloned());
        }
        table.keyed(&target.relation, &key)?;
        let stored = |name: &str| table.columns.iter().any(|c| c.name == name && !c.generated);
        let written = couple.columns.common.iter().filter(|c| stored(&c.name)).collect();
        if let Some(lost) = key.iter().find(|k| !couple.columns.common.iter().any(|c| &c.name == *k)) {
            return Err(Error::unobserved(format!(
                "failed to plan: the key column {lost} of {} is not in {}",
                target.relation, from.relation
            )));
        }
        Ok(Self { couple, from, onto: target, table, key, written })
    }

    fn type_of(&self, column: &str) -> &str {
        self.table.columns.iter().find(|c| c.name == column).map_or("text", |c| &c.type_name)
    }

    fn retyped(&self, column: &str) -> bool {
        self.couple.columns.retyped.iter().any(|(name, ..)| name == column)
    }

    /// The copy's value, as the written side would hold it.
    fn copied(&self, column: &str) -> String {
        let plain = format!("s.{}", Ident(column));
        if self.retyped(column) { format!("({plain})::{}", self.type_of(column)) } else { plain }
    }

    fn same_key(&self) -> String {
        let one = |k: &String| format!("t.{} = {}", Ident(k), self.copied(k));
        self.key.iter().map(one).collect::<Vec<_>>().join(" and ")
    }

    /// Rows with a copy of the same key that says something else.
    fn differs(&self) -> String {
        let pairs = self.written.iter().filter(|c| !self.key.contains(&c.name)).map(|c| {
            let (own, copy) = (format!("t.{}", Ident(&c.name)), self.copied(&c.name));
            if c.as_text { (format!("{own}::text"), format!("({copy})::text")) } else { (own, copy) }
        });
        let (own, copies): (Vec<_>, Vec<_>) = pairs.unzip();
        if own.is_empty() {
            return "false".into();
        }
        format!("row({}) is distinct from row({})", own.join(", "), copies.join(", "))
    }

    fn query(&self, kind: Kind) -> RowQuery {
        let (onto, from) = (&self.onto.relation, &self.from.relation);
        let of = |alias: &str, names: &mut dyn Iterator<Item = &String>| -> Vec<(String, String)> {
            names.map(|n| (n.clone(), format!("{alias}.{}", Ident(n)))).collect()
        };
        let copies = |names: &mut dyn Iterator<Item = &String>| -> Vec<(String, String)> {
            names.map(|n| (n.clone(), self.copied(n))).collect()
        };
        let others = || self.written.iter().map(|c| &c.name).filter(|n| !self.key.contains(n));
        match kind {
            Kind::Extra => RowQuery {
                from: format!("from {onto} t"),
                filter: format!("not exists (select from {from} s where {})", self.same_key()),
                key: of("t", &mut self.key.iter()),
                before: of("t", &mut self.kept().iter().map(|c| &c.name)),
                ..RowQuery::default()
            },
            Kind::Differs => RowQuery {
                from: format!("from {onto} t join {from} s on {}", self.same_key()),
                filter: self.differs(),
                key: of("t", &mut self.key.iter()),
                before: of("t", &mut others()),
                after: copies(&mut others()),
                ..RowQuery::default()
            },
            Kind::Missing => RowQuery {
                from: format!("from {from} s"),
                filter: format!("not exists (select from {onto} t where {})", self.same_key()),
                key: copies(&mut self.key.iter()),
                after: copies(&mut self.written.iter().map(|c| &c.name)),
                ..RowQuery::default()
            },
        }
    }

    fn kept(&self) -> Vec<TypedColumn> {
        self.table.kept(&[])
    }

    /// The step and its rows.
    pub(super) fn step(&self, cx: &PlanCx<'_>, kind: Kind) -> Result<(Step, RowQuery)> {
        let (relation, name) = (&self.onto.relation, self.couple.twin.name());
        let columns = match kind {
            Kind::Extra => self.kept(),
            Kind::Differs => {
                let others = self.written.iter().map(|c| &c.name).filter(|n| !self.key.contains(n));
                self.table.typed(relation, others)?
            }
            Kind::Missing => self.table.typed(relation, self.written.iter().map(|c| &c.name))?,
        };
        let change = RowChange {
            table: relation.clone(),
            kind: match kind {
                Kind::Extra => RowKind::Delete,
                Kind::Differs => RowKind::Update,
                Kind::Missing => RowKind::Insert,
            },
            key: self.table.typed(relation, &self.key)?,
            columns,
            kept: self.table.kept(&cx.profile().secrets_of(relation)),
            before_batch: vec![],
            after_change: vec![],
            excludes_writers: false,
            audit: None,
            after_batch: None,
            derived: vec![],
            referrers: vec![],
            source: Some(Source { table: self.from.relation.clone(), present: kind != Kind::Extra }),
            rewritten: false,
            restores: None,
            canary: None,
            reason: format!("rows of {relation} as {} has them", self.from.relation),
        };
        let (what, title) = match kind {
            Kind::Extra => ("extra", format!("{relation}: rows without a row of {} go", self.from.relation)),
            Kind::Differs => ("differs", format!("{relation}: rows become as {} has them", self.from.relation)),
            Kind::Missing => ("missing", format!("{relation}: rows of {} that it lacks come", self.from.relation)),
        };
        let step = Step {
            id: format!("{name}/{what}"),
            title,
            statements: shown(&change),
            locks: vec![lock(relation, "ROW EXCLUSIVE"), lock(&self.from.relation, "ROW SHARE, rows of the batch")],
            in_transaction: true,
            back: vec![],
            rows: None,
            action: Action::Rows(Box::new(change)),
        };
        Ok((step, self.query(kind)))
    }

    /// Nothing of these kinds is left, in one snapshot.
    pub(super) fn verification(&self, kinds: &[Kind]) -> Verification {
        let one = |kind: &Kind| {
            let q = self.query(*kind);
            format!("select 1 {} where {}", q.from, q.filter)
        };
        let title = format!("no row of {} differs from {}", self.onto.relation, self.from.relation);
        Verification { title, sql: kinds.iter().map(one).collect::<Vec<_>>().join("\nunion all ") }
    }

    pub(super) fn preflight(&self, cx: &PlanCx<'_>, kinds: &[Kind]) -> Vec<Preflight> {
        let role = &cx.cx.server.role;
        let relation = &self.onto.relation;
        let columns = self.table.typed(relation, self.written.iter().map(|c| &c.name)).unwrap_or_default();
        let mut out: Vec<Preflight> = kinds
            .iter()
            .map(|kind| match kind {
                Kind::Extra => self.table.privilege(relation, "delete from", self.table.may_delete, role),
                Kind::Differs => {
                    self.table.privilege(relation, "update", self.table.may_update_all(&columns), role)
                }
                Kind::Missing => {
                    self.table.privilege(relation, "insert into", self.table.may_insert_all(&columns), role)
                }
            })
            .collect();
        let lacks = match self.onto.oid == self.couple.partitioned.oid {
            true => &self.couple.columns.missing_in_partitioned,
            false => &self.couple.columns.missing_in_legacy,
        };
        if !lacks.is_empty() {
            let text = format!("{relation} lacks columns, which are not copied: {}", lacks.join(", "));
            out.push(Preflight::new("columns", Ready::Fail, text));
        }
        out
    }
}
