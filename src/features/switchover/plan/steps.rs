//! The stages of a switchover and of its rollback as steps of a plan.

use crate::engine::model::query::Sql;
use crate::features::switchover::step_kind::StepKind;
use crate::features::switchover::task::TWINS;
use std::fmt::Write as _;

use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::preflight::{Preflight, Ready, Verification};
use crate::engine::model::step::{Action, Lock, Step, Task};
use crate::engine::plan::operation::{PlanCx, lock};
use crate::engine::port::backups::Dump;
use crate::engine::port::hooks::Hook;
use crate::engine::port::reader::ReadOptions;
use crate::features::parity::pair::change_capture::{self, CaptureState, Gap, GapScope};
use crate::features::parity::pair::trigger_ddl::Triggers;
use crate::features::switchover::limits::{self, millis};
use crate::features::switchover::plan::chunks::TriggerSteps;
use crate::features::switchover::plan::options::{Backup, SwitchOptions};
use crate::features::switchover::plan::row_sync::comparison;
use crate::features::switchover::plan::swap_ddl::Switch;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::Accepted;
use crate::features::switchover::task::{
    DUMP_TASK, DependentsAtSwitch, EqualityQueries, EqualityQuery, HOOK_TASK, Measure, Monitor, Since, Swap,
};
use crate::features::switchover::texts;

/// Where the backup goes, and whether there is room.
pub(crate) fn backups(cx: &PlanCx<'_>, asked: &SwitchOptions, bytes: u64) -> Vec<Preflight> {
    if asked.backup == Backup::Skip {
        return vec![Preflight::new("backup", Ready::Warn, texts::server::NO_BACKUP)];
    }
    let place = match cx.backups.place() {
        Err(e) => return vec![Preflight::new("backup", Ready::Fail, e.one_line())],
        Ok(place) => place,
    };
    let needed = bytes / 1_000_000;
    let text = texts::server::dump_planned(&place, asked.backup == Backup::Verified);
    let mut out = vec![Preflight::new("backup", Ready::Ok, text)];
    out.push(match cx.backups.free() {
        None => Preflight::new("disk", Ready::Warn, texts::server::room_unknown(&place)),
        Some(free) if free < bytes => {
            Preflight::new("disk", Ready::Fail, texts::server::room_short(&place, free / 1_000_000, needed))
        }
        Some(free) => {
            let text = texts::server::room_enough(&place, free / 1_000_000, needed);
            Preflight::new("disk", Ready::Ok, text)
        }
    });
    out
}

/// Steps in their order.
pub(crate) struct StepsInOrder<'a> {
    twin_pairs: &'a [TwinPair<'a>],
    switch: &'a Switch,
    asked: &'a SwitchOptions,
    /// The role that will do it.
    role: &'a str,
    pub(crate) steps: Vec<Step>,
    pub(crate) verify: Vec<Verification>,
}

/// Are both sides equal, all of them and what was written since?
pub(crate) fn proof(twin_pair: &TwinPair<'_>, legacy: &str, twin: &str, marker: bool) -> EqualityQuery {
    let pair = twin_pair.pair_as(legacy, twin);
    let changed = change_capture::changed_keys(&pair, &twin_pair.layout, "$1");
    let since = marker.then(|| Since {
        differ: format!(
            "select key from ({}) u union all select c.key from ({changed}) c where c.key is null",
            change_capture::unequal(twin_pair.sql, &pair, &twin_pair.columns, &twin_pair.layout, "$1")
        ),
        marked: format!("select count(*)::text from ({changed}) c"),
        fingerprint: change_capture::fingerprint(&twin_pair.pair(), &twin_pair.columns, &twin_pair.layout),
    });
    EqualityQuery { name: twin_pair.twin.name().to_owned(), sql: comparison(twin_pair, legacy, twin), since }
}

/// Milliseconds that the comparison inside the locks takes, outside of them.
async fn took(cx: &PlanCx<'_>, proofs: &[EqualityQuery]) -> Result<u64> {
    (cx.doing)(texts::preflight::COMPARING.into());
    let options = ReadOptions { timeout: Some(limits::PATIENCE), ..ReadOptions::default() };
    let mut tx = cx.cx.read_with(options).await?;
    let began = millis(&mut *tx).await?;
    for proof in proofs {
        tx.texts(&Sql::over_rows(format!("select count(*)::text from ({}\n) q", proof.sql))).await?;
    }
    Ok(u64::try_from(millis(&mut *tx).await? - began).unwrap_or(0))
}

impl<'a> StepsInOrder<'a> {
    pub(crate) fn new(
        twin_pairs: &'a [TwinPair<'a>],
        switch: &'a Switch,
        asked: &'a SwitchOptions,
        role: &'a str,
    ) -> Self {
        Self { twin_pairs, switch, asked, role, steps: vec![], verify: vec![] }
    }

    /// Marks are to be written, where they are not yet.
    pub(crate) fn captures(&self) -> bool {
        self.asked.marker
    }

    fn push(&mut self, id: &str, title: String, statements: Vec<String>, locks: Vec<Lock>, action: Action) {
        self.steps.push(Step { locks, action, ..Step::new(id, title, statements) });
    }

    /// `switched`: by the names that the tables have afterwards.
    pub(crate) fn measure(&mut self, stage: &str, switched: bool) {
        let (mut sql, mut place) = (String::new(), 0);
        for twin_pair in self.twin_pairs {
            let (legacy, twin) = self.names(twin_pair, switched);
            for (table, columns) in [(legacy, &twin_pair.legacy), (twin, &twin_pair.partitioned)] {
                place += 1;
                let sums: Vec<_> = twin_pair
                    .twin
                    .sums
                    .iter()
                    .filter(|s| columns.columns.iter().any(|c| &c.name == *s && c.number))
                    .map(|s| format!("{}, sum({})::text", literal(s), Ident(s)))
                    .collect();
                let union = if sql.is_empty() { "" } else { " union all " };
                let _ = write!(
                    sql,
                    "{union}select {place} as place, {} as table, count(*) as rows, json_build_object({}) as sums, \
                     coalesce(sum({}), 0)::text as checksum from {table}",
                    literal(&table),
                    sums.join(", "),
                    twin_pair.sql.row_digest(&twin_pair.columns.common)
                );
            }
        }
        let sql = format!("select m.table, m.rows, m.sums, m.checksum from ({sql}) m order by m.place");
        let measure = Measure { stage: stage.to_owned(), sql: sql.clone() };
        let id = stage.to_lowercase();
        self.push(
            &id,
            texts::steps::measure(stage),
            vec![sql],
            vec![],
            Action::Task(Task::new(Measure::TASK, measure)),
        );
    }

    /// What legacy table and twin are called, before or after.
    fn names(&self, twin_pair: &TwinPair<'_>, switched: bool) -> (String, String) {
        let part = self.twin_pairs.iter().zip(&self.switch.parts).find(|(c, _)| c.twin == twin_pair.twin);
        match part {
            Some((_, part)) if switched => (part.names.retired.brief(), part.names.live.brief()),
            Some((_, part)) => (part.names.live.brief(), part.names.twin.brief()),
            None => (twin_pair.legacy.relation.clone(), twin_pair.partitioned.relation.clone()),
        }
    }

    pub(crate) fn backup(&mut self) -> bool {
        if self.asked.backup == Backup::Skip {
            return false;
        }
        self.dump(self.asked.backup == Backup::Verified);
        true
    }

    /// A dump of the legacy tables, whatever they are called at present.
    pub(crate) fn dump(&mut self, verify: bool) {
        let tables: Vec<String> = self.twin_pairs.iter().map(|c| c.legacy.relation.clone()).collect();
        let mut locks: Vec<Lock> = tables.iter().map(|t| lock(t, "ACCESS SHARE")).collect();
        locks.push(lock(texts::steps::OTHER_TABLES, texts::steps::LOCKS_OF_DEFINITIONS));
        let dump = Dump { tables: tables.clone(), verify };
        let title = texts::steps::dump(&tables);
        self.push(StepKind::Backup.id(), title, vec![], locks, Action::Task(Task::new(DUMP_TASK, dump)));
    }

    /// More tables that the last swap alters.
    pub(crate) fn also_lock(&mut self, tables: &[String]) {
        self.change_swap(|swap, locks| {
            for table in tables {
                if !swap.tables.contains(table) {
                    swap.tables.push(table.clone());
                    locks.push(lock(table, "ACCESS EXCLUSIVE"));
                }
            }
        });
    }

    fn change_swap(&mut self, change: impl FnOnce(&mut Swap, &mut Vec<Lock>)) {
        let Some(step) = self.steps.last_mut() else { return };
        let Some(mut swap) = step.task::<Swap>(Swap::TASK) else { return };
        change(&mut swap, &mut step.locks);
        step.action = Action::Task(Task::new(Swap::TASK, swap));
    }

    /// The write marker, where it is not there yet.
    pub(crate) fn watch(
        &mut self,
        twin_pair: &TwinPair<'_>,
        watch: &CaptureState,
        preflight: &mut Vec<Preflight>,
    ) {
        let name = twin_pair.twin.name();
        if !self.asked.marker {
            let text = texts::triggers::no_marker(name);
            preflight.push(Preflight::new("marker", Ready::Warn, text));
            return;
        }
        match watch {
            CaptureState::Complete(_) => {
                preflight.push(Preflight::new("marker", Ready::Ok, texts::triggers::marked(name)));
            }
            CaptureState::Incomplete(Gap { why, lacks: GapScope::Never }) => {
                let text = texts::triggers::no_marker_possible(name, why);
                preflight.push(Preflight::new("marker", Ready::Fail, text));
            }
            CaptureState::Incomplete(Gap { why, lacks }) => {
                let text = texts::triggers::marker_installed(name, why);
                preflight.push(Preflight::new("marker", Ready::Ok, text));
                let (pair, role) = (twin_pair.pair(), self.role);
                let triggers =
                    change_capture::install(&pair, &twin_pair.columns, &twin_pair.layout, lacks, role);
                let (id, title) = (StepKind::Watch.of_pair(name), texts::steps::mark(name));
                let tables = [twin_pair.legacy.relation.as_str(), &twin_pair.partitioned.relation];
                self.steps
                    .extend(TriggerSteps { id: &id, title: &title, tables: &tables }.create_steps(&triggers));
            }
        }
    }

    fn proofs(&self, switched: bool) -> Vec<EqualityQuery> {
        self.twin_pairs
            .iter()
            .map(|c| {
                let (legacy, twin) = self.names(c, switched);
                proof(c, &legacy, &twin, self.asked.marker)
            })
            .collect()
    }

    /// Without markers writers wait while everything is compared: what that took just now, by the server's clock.
    pub(crate) async fn stall(
        &self,
        cx: &PlanCx<'_>,
        switched: bool,
        accepted: &Accepted,
    ) -> Option<Preflight> {
        if self.asked.marker {
            return None;
        }
        let budget = self.asked.budget_ms;
        Some(match took(cx, &self.proofs(switched)).await {
            Err(e) => {
                let text = texts::preflight::stall_unknown(&e.message);
                Preflight::new("stall", Ready::Unknown, text)
            }
            Ok(ms) if ms <= budget => Preflight::new("stall", Ready::Ok, texts::preflight::stall(ms, budget)),
            Ok(ms) => accepted.unless("stall", &texts::preflight::stall_too_long(ms, budget)),
        })
    }

    pub(crate) fn compare(&mut self) {
        self.compare_as(false);
    }

    pub(crate) fn compare_as(&mut self, switched: bool) {
        let proofs = self.proofs(switched);
        let statements = proofs.iter().map(|p| p.sql.clone()).collect();
        let title = texts::steps::COMPARE.to_owned();
        self.push(
            StepKind::Compare.id(),
            title,
            statements,
            vec![],
            Action::Task(Task::new(EqualityQueries::TASK, EqualityQueries { proofs })),
        );
    }

    /// Reverse triggers, idle until the switch.
    pub(crate) fn prepare(&mut self) {
        for (twin_pair, part) in self.twin_pairs.iter().zip(&self.switch.parts) {
            let name = twin_pair.twin.name();
            let (id, title) = (StepKind::Prepare.of_pair(name), texts::steps::prepare(name));
            let about = TriggerSteps { id: &id, title: &title, tables: &[&twin_pair.partitioned.relation] };
            self.steps.extend(about.create_steps(&part.reverse));
        }
    }

    /// Reverse triggers that do nothing any more.
    pub(crate) fn tidy(&mut self) {
        for (twin_pair, part) in self.twin_pairs.iter().zip(&self.switch.parts) {
            let name = twin_pair.twin.name();
            let (id, title) = (StepKind::Tidy.of_pair(name), texts::steps::tidy(name));
            let about = TriggerSteps { id: &id, title: &title, tables: &[&twin_pair.partitioned.relation] };
            self.steps.extend(about.drop_steps(&part.reverse));
        }
    }

    /// Marks of retired tables that are put away.
    pub(crate) fn unwatch(&mut self, marks: &[Triggers]) {
        for (twin_pair, marks) in self.twin_pairs.iter().zip(marks) {
            let name = twin_pair.twin.name();
            let (id, title) = (StepKind::Unwatch.of_pair(name), texts::steps::unmark(name));
            let about = TriggerSteps { id: &id, title: &title, tables: &[&twin_pair.partitioned.relation] };
            self.steps.extend(about.drop_steps(marks));
        }
    }

    pub(crate) fn hook_before(&mut self) {
        let failed = self.asked.failed.clone();
        self.hook((StepKind::HookBefore, "before"), self.asked.before.clone(), failed);
    }

    pub(crate) fn hook_after(&mut self) {
        self.hook((StepKind::HookAfter, "after"), self.asked.after.clone(), None);
    }

    fn hook(&mut self, (kind, when): (StepKind, &str), command: Option<String>, failed: Option<String>) {
        let Some(command) = command else { return };
        let hook = Hook { command: command.clone(), timeout_s: self.asked.hook_timeout_s, failed };
        let title = texts::steps::hook(when, hook.timeout_s, &command);
        self.push(kind.id(), title, vec![], vec![], Action::Task(Task::new(HOOK_TASK, hook)));
    }

    /// `own`: what each partitioned table has of its own.
    pub(crate) fn enable(&mut self, measured: Option<&(u64, String)>, own: &[Vec<String>]) {
        let statements = self.switch.statements();
        let back = self.switch.inverse();
        self.swap((StepKind::Enable.id(), texts::steps::SWAP), (statements, back), false, measured);
        let pairs = self.twin_pairs.iter().zip(&self.switch.parts).zip(own);
        let dependents = pairs.map(|((twin_pair, part), own)| DependentsAtSwitch {
            twin: twin_pair.twin.name().to_owned(),
            columns: twin_pair.partitioned.columns.iter().map(|c| c.name.clone()).collect(),
            views: part.carried.views.clone(),
            triggers: part.carried.triggers.clone(),
            grants: part.carried.grants.clone(),
            own: own.clone(),
        });
        let dependents = dependents.collect();
        self.change_swap(|swap, _| swap.dependents = dependents);
    }

    /// In one transaction; `switched`: from the names after the switch back to those before.
    pub(crate) fn swap(
        &mut self,
        (id, title): (&str, &str),
        (statements, back): (Vec<String>, Vec<String>),
        switched: bool,
        measured: Option<&(u64, String)>,
    ) {
        let names: Vec<_> = self.twin_pairs.iter().map(|c| self.names(c, switched)).collect();
        // What applications write first: from then on nobody begins anything that would wait for us half-way.
        let tables: Vec<String> = if switched {
            names
                .iter()
                .map(|(_, twin)| twin.clone())
                .chain(names.iter().map(|(legacy, _)| legacy.clone()))
                .collect()
        } else {
            names
                .iter()
                .map(|(legacy, _)| legacy.clone())
                .chain(names.iter().map(|(_, twin)| twin.clone()))
                .collect()
        };
        // Who reads a view has it first, and then its tables.
        let views = self.switch.parts.iter().flat_map(|p| p.views.iter().cloned());
        let tables: Vec<String> = views.chain(tables).collect();
        let swap = Swap {
            twins: self.twin_pairs.len() as u64,
            tables: tables.clone(),
            proofs: self.proofs(switched),
            lock_timeout_ms: self.asked.lock_timeout_ms,
            budget_ms: self.asked.budget_ms,
            attempts: self.asked.attempts,
            patience_ms: 500,
            wait_s: self.asked.patience_s,
            dependents: vec![],
        };
        let locks = tables
            .iter()
            .map(|t| Lock {
                object: t.clone(),
                mode: "ACCESS EXCLUSIVE".into(),
                held_ms: measured.map(|m| m.0),
                measured_on: measured.map(|m| m.1.clone()),
                ..Lock::default()
            })
            .collect();
        self.push(id, title.to_owned(), statements, locks, Action::Task(Task::new(Swap::TASK, swap)));
        if let Some(step) = self.steps.last_mut() {
            step.back = back;
        }
    }

    pub(crate) fn monitor(&mut self) {
        self.monitor_as(true);
    }

    pub(crate) fn monitor_as(&mut self, switched: bool) {
        let proofs = self.proofs(switched);
        let seconds = self.asked.monitor_s;
        let title = texts::steps::monitor(seconds, self.asked.marker);
        self.push(
            StepKind::Monitor.id(),
            title,
            vec![],
            vec![],
            Action::Task(Task::new(Monitor::TASK, Monitor { seconds, proofs: proofs.clone() })),
        );
        for proof in proofs {
            let title = texts::steps::equal(&proof.name);
            self.verify.push(Verification { title, sql: proof.sql, own: true });
        }
    }

    /// What is called what afterwards, and what is carried over.
    pub(crate) fn changes(&self) -> Vec<String> {
        let mut out = Vec::new();
        for part in &self.switch.parts {
            let n = &part.names;
            let live = n.live.brief();
            out.push(texts::offers::swapped(&live, &n.retired.brief(), &n.twin.brief()));
            if !part.carried.said.is_empty() {
                out.push(texts::offers::carried_over(&live, &part.carried.said));
            }
        }
        out.push(texts::offers::REVERSE_SYNC.into());
        out
    }

    /// How long writers wait.
    pub(crate) fn price(&self, switch: &Switch) -> String {
        let a = self.asked;
        let inside = if a.marker {
            texts::offers::FEW_INSIDE.to_owned()
        } else {
            let twins = switch.parts.len() as u64;
            texts::offers::all_inside(twins, TWINS.for_count(twins))
        };
        texts::offers::locks_of_swap(a.lock_timeout_ms, a.budget_ms, a.attempts, &inside)
    }
}
