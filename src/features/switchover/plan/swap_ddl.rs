//! The statements of a switch, for each twin: what is made ready before, what happens inside the locks, what takes
//! it back.

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::name::Relation;
use crate::engine::model::name_change::NameChange;
use crate::engine::plan::operation::PlanCx;
use crate::engine::plan::tables::find_table;
use crate::features::parity::pair::catalog::qualified;
use crate::features::parity::pair::retired_name;
use crate::features::parity::pair::sync_triggers::{DEFINER, Mirrored, RowSync};
use crate::features::parity::pair::trigger_ddl::Triggers;
use crate::features::parity::pair::trigger_function::{Making, closed, making, owned};
use crate::features::switchover::plan::dependents::{Carried, DependentObjects, Names, read_dependents};
use crate::features::switchover::plan::twin_pair::TwinPair;

/// The longest name that the server keeps whole.
const NAME: usize = 63;

/// One twin's part.
pub(crate) struct PairSwap {
    pub(crate) names: Names,
    pub(crate) dependents: DependentObjects,
    /// Before the locks: the reverse triggers, idle.
    pub(crate) reverse: Triggers,
    /// Inside the locks.
    pub(crate) carried: Carried,
    /// Views that are made again, or go.
    pub(crate) views: Vec<String>,
}

/// All twins of a set.
pub(crate) struct Switch {
    pub(crate) parts: Vec<PairSwap>,
}

impl Switch {
    pub(crate) async fn for_pairs(cx: &PlanCx<'_>, twin_pairs: &[TwinPair<'_>]) -> Result<Self> {
        let mut parts = Vec::new();
        for twin_pair in twin_pairs {
            parts.push(part(cx, twin_pair).await?);
        }
        Ok(Self { parts })
    }

    pub(crate) fn statements(&self) -> Vec<String> {
        self.parts.iter().flat_map(|p| p.carried.statements.clone()).collect()
    }

    /// The names that the statements change, in their order.
    pub(crate) fn renames(&self) -> Vec<NameChange> {
        self.parts.iter().flat_map(|p| p.carried.renames.clone()).collect()
    }

    pub(crate) fn inverse(&self) -> Vec<String> {
        self.parts.iter().rev().flat_map(|p| p.carried.back.clone()).collect()
    }
}

async fn part(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<PairSwap> {
    let live = Relation::parse(&twin_pair.legacy.relation);
    let twin = Relation::parse(&twin_pair.partitioned.relation);
    let retired = Relation { schema: live.schema.clone(), name: retired_name(twin_pair.twin).name };
    if live.schema != twin.schema {
        let what = format!(
            "{live} and {twin} are in different schemas: a table that takes a name stays in its schema"
        );
        return Err(
            Error::new(Class::Refused, what).hint("move the twin into the legacy table's schema first")
        );
    }
    let function = twin_pair.reverse_function();
    for name in [&retired.name, &function.name] {
        if name.len() > NAME {
            let what = format!("the name {name} is too long for the server");
            return Err(
                Error::new(Class::Refused, what).hint("retired in the profile's twin gives another one")
            );
        }
    }
    let names = Names { live, twin, retired };
    check_name_free(cx, &names).await?;
    let dependents = read_dependents(cx, twin_pair).await?;
    let mirror = reverse(cx, twin_pair, &names).await?;
    let function = function.to_string();
    let before = RowSync { from: names.twin.clone(), ..mirror.clone() };
    let made = making(&mut *cx.cx.read().await?, &function, &twin_pair.legacy.owner).await?;
    let reverse = idle_reverse(twin_pair, &before, made);
    let mut carried = Carried::default();
    let columns: Vec<String> = twin_pair.partitioned.columns.iter().map(|c| c.name.clone()).collect();
    let invoker =
        cx.cx.server.version.split('.').next().and_then(|v| v.parse::<u32>().ok()).is_some_and(|v| v >= 15);
    names.swap(&mut carried, &columns, invoker);
    dependents.recreate_dependents(&names, !twin_pair.columns.retyped.is_empty(), &mut carried);
    // Reverse sync begins where the forward one ends, in the same transaction.
    carried.statements.push(mirror.reverse(Making::Again, &function, DEFINER));
    // Whatever happened since it was prepared: inside the locks it is the owner's.
    carried.statements.push(owned(&function, &twin_pair.legacy.owner));
    carried.back.insert(0, RowSync::idle(Making::Again, &function, DEFINER));
    // Who reads one that reads another has the outer one first.
    let views = dependents.views.iter().rev().filter(|v| !v.materialized).map(|v| v.name.clone()).collect();
    Ok(PairSwap { names, dependents, reverse, carried, views })
}

/// The reverse triggers with a function that does nothing. It belongs to the owner of the legacy table, which it will
/// write.
pub(crate) fn idle_reverse(twin_pair: &TwinPair<'_>, mirror: &RowSync, making: Making) -> Triggers {
    let function = twin_pair.reverse_function().to_string();
    let mut made = vec![RowSync::idle(making, &function, DEFINER)];
    made.extend(closed(&function, &[&twin_pair.legacy.owner, &twin_pair.partitioned.owner]));
    made.push(owned(&function, &twin_pair.legacy.owner));
    mirror.reverse_triggers(made, &function, &twin_pair.leaves())
}

/// Nothing else may have the name that the legacy table is to get.
async fn check_name_free(cx: &PlanCx<'_>, names: &Names) -> Result<()> {
    if qualified(&mut *cx.cx.read().await?, &names.retired).await?.is_none() {
        return Ok(());
    }
    Err(Error::new(
        Class::Refused,
        format!("there is a relation {} already: the legacy table is to get that name", names.retired),
    )
    .hint("an earlier switchover's? retired in the profile's twin gives another name"))
}

/// From the partitioned table, by its new name, onto the retired one.
pub(crate) async fn reverse(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>, names: &Names) -> Result<RowSync> {
    let onto = find_table(cx, &twin_pair.legacy.relation).await?;
    onto.keyed(&twin_pair.legacy.relation, &twin_pair.twin.key)?;
    let columns = twin_pair.columns.common.iter().filter_map(|c| {
        let own = onto.columns.iter().find(|o| o.name == c.name && !o.generated)?;
        let retyped = twin_pair.columns.retyped.iter().any(|(n, ..)| n == &c.name);
        let cast = retyped.then(|| own.qualified.clone());
        Some(Mirrored { name: c.name.clone(), cast, equality: own.equality.clone() })
    });
    Ok(RowSync {
        from: names.live.clone(),
        onto: names.retired.clone(),
        key: twin_pair.twin.key.clone(),
        moves_by: twin_pair.layout.key.clone(),
        columns: columns.collect(),
        numbered: onto.columns.iter().any(|c| c.numbered),
    })
}
