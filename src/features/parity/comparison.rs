//! The comparison from its beginning to its report.

use crate::features::parity::facts::PartitionStatus;
use std::time::Duration;

use crate::engine::check::kind::{CheckCx, CheckProgress};
use crate::engine::compare::exact_sum::Sum;
use crate::engine::compare::totals::{Aggregate, GroupNumber};
use crate::engine::model::comparison::{ComparedColumns, KeySpan};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::key_ranges::RangeCut;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::Twin;
use crate::engine::model::report::{CheckId, Report, Severity};
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::classify::{RowDifference, Samples};
use crate::features::parity::compared_pair::ComparedPair;
use crate::features::parity::facts::{ParityFacts, Partition, Sequence, Sums, UnmatchedRows};
use crate::features::parity::options::ComparisonOptions;
use crate::features::parity::pair::catalog::{self, SequenceRow};
use crate::features::parity::pair::partitions::{self, Layout, Mapping};
use crate::features::parity::pair::{SwitchState, TwinTables, pair as find_pair, retired};
use crate::features::parity::progress::{ComparisonProgress, Unfinished};
use crate::features::parity::scan::{self, Tally};
use crate::features::parity::scan_part::ScanPart;
use crate::features::parity::snapshot::{SnapshotInfo, SnapshotSource, age};
use crate::features::parity::sql::ParitySql;
use crate::features::parity::unchanged::Seals;
use crate::features::parity::{findings, range_choice, rows, texts};

/// Rows that are read before it is looked whether the snapshot is too old, about.
const CHUNK_ROWS: u64 = 5_000_000;
/// Where others are at work, since that takes longer.
const GENTLE_ROWS: u64 = 1_000_000;
/// Where rows are that no partition takes.
const NOWHERE: &str = "no partition";
/// A snapshot keeps the server from cleaning up: older than this it is let go.
const SNAPSHOT_LIMIT: Duration = Duration::from_mins(10);

pub(crate) async fn pair(
    cx: &CheckCx<'_>,
    id: &CheckId,
    twin: &Twin,
    options: ComparisonOptions,
) -> Result<Report> {
    let (mut tx, source) = SnapshotSource::hold(cx).await?;
    let pair = find_pair(&mut *tx, source.rows, twin).await?;
    let Some(legacy) = &pair.legacy else {
        drop(tx);
        return alone(cx, id, &twin.legacy, Some(twin)).await;
    };
    // A key that only one side has names no row on both: what is left is counts and digests.
    let keyless = || catalog::columns(source.rows, legacy, &pair.partitioned, &[]);
    let mut columns =
        catalog::columns(source.rows, legacy, &pair.partitioned, &twin.key).or_else(|_| keyless())?;
    let parse = |name: &str| cx.facts.dialect().parse(name);
    // A secret of one table is one of the other.
    for table in [&twin.legacy, &twin.partitioned] {
        columns.withhold(&cx.profile.secrets_of(table, &parse));
    }
    let layout = partitions::layout(&mut *tx, &pair.partitioned).await?;
    let sequences = catalog::sequences(&mut *tx, &pair.partitioned, &twin.key).await?;
    let maxes: Vec<String> = sequences.iter().map(SequenceRow::max).collect();
    let compared = ComparedPair {
        twin,
        legacy: Some(legacy),
        partitioned: &pair.partitioned,
        columns: &columns,
        layout: &layout,
        sequences: &sequences,
        maxes: &maxes,
        cut: &RangeCut::None,
        options,
    };
    let seals = Seals::read(&mut *tx, cx, &source, &compared, &pair).await?;
    let nothing = options.quick || seals.open(&compared).is_some_and(|p| p.is_empty());
    let (cut, rows) = if nothing {
        (RangeCut::None, 0)
    } else {
        range_choice::choose(&mut *tx, source.rows, &compared).await?
    };
    let mut comparison = Comparison {
        cx,
        sql: source.sql,
        rows_sql: source.rows,
        compared,
        pair: &pair,
        rows,
        progress: ComparisonProgress::default(),
        seals,
    };
    let unfinished = comparison.unfinished();
    let cut = unfinished.as_ref().map_or(cut, |u| u.cut.clone());
    comparison.compared.cut = &cut;
    comparison.run(tx, source, id, unfinished).await
}

struct Comparison<'a> {
    cx: &'a CheckCx<'a>,
    sql: &'static dyn ParitySql,
    rows_sql: &'static dyn CompareSql,
    compared: ComparedPair<'a>,
    pair: &'a TwinTables,
    /// Estimated number of rows of both sides.
    rows: i64,
    progress: ComparisonProgress,
    seals: Seals,
}

impl<'a> Comparison<'a> {
    /// What decides whether another run can go on with this one.
    fn shape(&self) -> String {
        let p = &self.compared;
        format!(
            "{} {:?} {:?} {:?}",
            self.rows_sql.row_digest(&p.columns.common),
            p.twin.sums,
            p.layout.oids,
            p.layout.bounds
        )
    }

    fn unfinished(&self) -> Option<Unfinished> {
        if !self.compared.options.resume {
            return None;
        }
        Unfinished::read(self.cx.state, &Identity::from_server(self.cx.server), self.compared.twin.name())
            .filter(|unfinished| unfinished.shape == self.shape())
    }

    async fn run(
        mut self,
        mut tx: Box<dyn ReadTx>,
        mut source: SnapshotSource<'a>,
        id: &CheckId,
        unfinished: Option<Unfinished>,
    ) -> Result<Report> {
        let triggers = self.sql.triggers(&mut *tx, self.pair, self.compared.twin).await?;
        let key_not_unique = self.loose_key(&mut *tx).await?;
        let mut tally = Tally::default();
        if let Some(piece) = self.seals.open(&self.compared) {
            if !piece.is_empty() {
                self.report_progress("reading what is not sealed", (0, 1), &tally, &source);
                scan::read(&mut *tx, &source, &self.compared, &piece, &mut tally).await?;
            }
            self.seals.add_to(&mut tally);
        } else {
            (tx, source) = self.chunks(tx, source, unfinished, &mut tally).await?;
        }
        let mut facts = ParityFacts { key_not_unique, ..self.facts(&tally) };
        let named = self.rows(&source, &mut tally, &mut facts).await;
        let (samples, mut unseen) = self.or_unnamed(named, &tally, &mut facts)?;
        let taken = source.taken().clone();
        if !self.compared.options.quick && !self.progress.readings.iter().any(|r| r.resumed) {
            // Of several snapshots the oldest counts: whatever was written since then is marked as written.
            let oldest = self.progress.first.clone().unwrap_or_else(|| taken.clone());
            self.seals.add_proofs(&self.compared, &oldest, &mut facts);
            let evidence = self.seals.evidence(&self.compared, self.rows_sql, &oldest, &tally);
            if let Some(Err(e)) = evidence.map(|e| e.keep(self.cx, self.compared.twin.name())) {
                facts.unsealed = Some(e.message);
            }
        }
        self.finish(&taken, &mut facts, triggers);
        let coverage = covered(self.cx, self.compared.layout, tx, &mut unseen).await;
        Ok(self.report(id, &facts, &coverage, samples).partly_unknown(unseen))
    }

    async fn loose_key(&self, tx: &mut dyn ReadTx) -> Result<Option<String>> {
        let (Some(legacy), key) = (self.compared.legacy, &self.compared.columns.key) else { return Ok(None) };
        let names: Vec<String> = key.iter().map(|k| k.name.clone()).collect();
        let loose = !key.is_empty() && !catalog::unique(tx, legacy, &names).await?;
        Ok(loose.then(|| names.join(", ")))
    }

    /// Reads everything, piece by piece; a snapshot that grew too old is let go before the next piece.
    async fn chunks(
        &mut self,
        mut tx: Box<dyn ReadTx>,
        mut source: SnapshotSource<'a>,
        unfinished: Option<Unfinished>,
        tally: &mut Tally,
    ) -> Result<(Box<dyn ReadTx>, SnapshotSource<'a>)> {
        let most = if source.busy() { GENTLE_ROWS } else { CHUNK_ROWS };
        let each = i64::try_from(self.compared.twin.chunk_rows.unwrap_or(most)).unwrap_or(i64::MAX);
        let limit = self.compared.twin.snapshot_limit_s.map_or(SNAPSHOT_LIMIT, Duration::from_secs);
        let mut chunks = self.compared.cut.chunks(self.rows, each);
        let mut done = 0;
        if let Some(earlier) = unfinished {
            (chunks, done) = (earlier.chunks, earlier.done);
            *tally = earlier.tally;
            self.progress.resume(earlier.readings, tally.rows());
        }
        for (i, (from, to)) in chunks.iter().enumerate().skip(done) {
            if i > done && age(&mut *tx, self.sql).await? >= limit {
                drop(tx);
                (tx, source) = SnapshotSource::hold(self.cx).await?;
                self.check_partitions_same(&mut *tx).await?;
            }
            if i > done {
                source.look_around(&mut *tx).await?;
            }
            self.report_progress("reading", (i, chunks.len()), tally, &source);
            let piece = ScanPart::all(KeySpan { from: *from, to: *to, paced: false });
            scan::read(&mut *tx, &source, &self.compared, &piece, tally).await?;
            self.progress.read(source.taken(), self.compared.cut, *from, *to);
            if chunks.len() > 1 {
                self.save(&chunks, i + 1, tally)?;
            }
        }
        if chunks.len() > 1 {
            Unfinished::forget(self.cx, self.compared.twin.name())?;
        }
        self.report_progress("reading", (chunks.len(), chunks.len()), tally, &source);
        // What differs is looked at again where everything is seen at once.
        if self.progress.readings.len() > 1 {
            drop(tx);
            (tx, source) = SnapshotSource::hold(self.cx).await?;
            self.check_partitions_same(&mut *tx).await?;
        }
        Ok((tx, source))
    }

    fn report_progress(
        &self,
        doing: &'static str,
        (done, pieces): (usize, usize),
        tally: &Tally,
        source: &SnapshotSource<'_>,
    ) {
        let rows = tally.rows().saturating_sub(self.progress.before);
        let snapshot_at = source.taken().at.clone();
        (self.cx.tell)(CheckProgress { doing, done: done as u64, pieces: pieces as u64, rows, snapshot_at });
    }

    fn save(&self, chunks: &[(Option<i64>, Option<i64>)], done: usize, tally: &Tally) -> Result<()> {
        let unfinished = Unfinished {
            shape: self.shape(),
            cut: self.compared.cut.clone(),
            chunks: chunks.to_vec(),
            done: if done < chunks.len() { done } else { return Ok(()) },
            readings: self.progress.readings.clone(),
            tally: tally.clone(),
        };
        unfinished.keep(self.cx, self.compared.twin.name())
    }

    /// Partitions that came or went between two snapshots make the parts incomparable.
    async fn check_partitions_same(&self, tx: &mut dyn ReadTx) -> Result<()> {
        let now = partitions::layout(tx, self.compared.partitioned).await?;
        if now.oids == self.compared.layout.oids && now.bounds == self.compared.layout.bounds {
            return Ok(());
        }
        Err(Error::unobserved(format!(
            "failed to compare {}: its partitions changed between two snapshots",
            self.compared.partitioned.relation
        ))
        .hint("look again"))
    }

    /// Which rows differ, and how.
    async fn rows(
        &self,
        source: &SnapshotSource<'_>,
        tally: &mut Tally,
        facts: &mut ParityFacts,
    ) -> Result<Samples> {
        if self.compared.options.quick {
            return Ok(Samples::default());
        }
        // What two rows may share names neither.
        if self.compared.columns.key.is_empty() || facts.key_not_unique.is_some() {
            facts.digests_differ = Some(self.apart(tally));
            return Ok(Samples::default());
        }
        for class in RowDifference::ALL {
            *class.count(facts) = Some(0);
        }
        if tally.differing.is_empty() {
            return Ok(Samples::default());
        }
        self.report_progress("naming the rows that differ", (0, 0), tally, source);
        let samples = rows::compare(source, &self.compared, &tally.differing, facts).await?;
        // In a later snapshot there may be nothing left of what differed.
        if self.progress.readings.len() > 1 && facts.differences() == Some(0) {
            tally.differing.clear();
            let homes = facts.partitions.iter_mut().filter(|p| p.status == PartitionStatus::Differs);
            homes.for_each(|p| p.status = PartitionStatus::Equal);
        }
        Ok(samples)
    }

    /// Digests of one snapshot that differ prove that rows do, whatever happens while they are named.
    fn or_unnamed(
        &self,
        named: Result<Samples>,
        tally: &Tally,
        facts: &mut ParityFacts,
    ) -> Result<(Samples, Vec<String>)> {
        let e = match named {
            Ok(samples) => return Ok((samples, vec![])),
            Err(e) => e,
        };
        let proved = self.progress.readings.len() <= 1 && !tally.differing.is_empty();
        if !proved || e.class != Class::Unobserved {
            return Err(e);
        }
        for class in RowDifference::ALL {
            *class.count(facts) = None;
        }
        facts.rows_unnamed = true;
        facts.digests_differ = Some(self.apart(tally));
        Ok((Samples::default(), vec![texts::rows_unnamed(&e)]))
    }

    fn apart(&self, tally: &Tally) -> Vec<UnmatchedRows> {
        let told = self.compared.layout.mapping != Mapping::Whole;
        let apart = |slot: GroupNumber| {
            let ranges = || tally.differing.iter().filter(|g| g.group == slot).map(|g| g.range);
            let keys = matches!(self.compared.cut, RangeCut::Bits { .. })
                .then(|| self.compared.cut.named(ranges().min(), ranges().max()));
            let all = || {
                (tally.legacy.iter().map(|(_, a)| a.rows).sum(), tally.twin.iter().map(|(_, a)| a.rows).sum())
            };
            let here = || (tally.legacy_of(slot).rows, slot.map_or(0, |s| tally.twin_of(s).rows));
            let (legacy_rows, partitioned_rows) = if told { here() } else { all() };
            let name = slot.and_then(|s| self.compared.layout.slots.get(s)).map_or(NOWHERE, String::as_str);
            let partition = told.then(|| name.to_owned());
            UnmatchedRows { partition, keys, legacy_rows, partitioned_rows }
        };
        tally.differing_slots().into_iter().map(apart).collect()
    }

    fn finish(
        &mut self,
        taken: &SnapshotInfo,
        facts: &mut ParityFacts,
        triggers: Vec<crate::features::parity::facts::SyncTrigger>,
    ) {
        facts.snapshot = Some(taken.name.clone().unwrap_or_else(|| taken.sees.clone()));
        facts.readings = std::mem::take(&mut self.progress.readings);
        if facts.readings.len() < 2 {
            facts.readings.clear();
        }
        facts.standing = self.pair.standing;
        facts.triggers = triggers;
        facts.sequence = facts.sequences.first().cloned();
        facts.columns = self.compared.columns.common.iter().map(|c| c.name.clone()).collect();
        let columns = self.compared.columns.common.len();
        facts.compared = match () {
            () if self.compared.options.quick => texts::QUICK.into(),
            () if self.compared.columns.key.is_empty() => texts::without_key(columns),
            () if facts.key_not_unique.is_some() => texts::without_unique_key(columns),
            () => texts::compared(columns),
        };
    }

    fn report(
        &self,
        id: &CheckId,
        facts: &ParityFacts,
        coverage: &partitions::Coverage,
        samples: Samples,
    ) -> Report {
        let unread = self.compared.sequences.iter().filter(|s| !s.readable);
        let unseen: Vec<String> = unread.map(|s| texts::sequence_unread(&s.shown)).collect();
        let found =
            findings::build(id, facts, self.compared.columns, self.compared.layout, coverage, samples);
        let ok = texts::equal(facts, self.compared.layout.slots.len());
        let worse = found.iter().any(|f| f.severity == Severity::Critical);
        let mut report = Report::observed(id.clone(), facts, found, &ok);
        // What else is found does not take the place of the verdict.
        if facts.equal() == Some(true) && report.summary != ok {
            report.summary = format!("{ok} · {}", report.summary);
        }
        // Without a worse one the finding that says so is the summary.
        if self.compared.options.quick && worse {
            report.summary.push_str(texts::NOT_COMPARED_EITHER);
        }
        let (legacy, leaf) = self.statements();
        report
            .partly_unknown(unseen)
            .evidence("legacy rows by partition and key range", legacy)
            .evidence("rows of one partition", leaf)
    }

    /// What reads the legacy table and what reads a partition, for the evidence.
    fn statements(&self) -> (String, String) {
        let (all, compared) = (ScanPart::all(KeySpan::default()), &self.compared);
        let text = |part| self.rows_sql.digest(&compared.rows(), &[part], all.keys).text().to_owned();
        let legacy = all.legacy_part(compared).map(text);
        let leaf = compared.layout.leaves.first().map(|l| text(compared.leaf_part(l)));
        (legacy.unwrap_or_default(), leaf.unwrap_or_default())
    }

    fn facts(&self, tally: &Tally) -> ParityFacts {
        facts(&self.compared, tally)
    }
}

/// Which times have no partition. What was compared counts without it: it idled while rows were named, which a server
/// allows for a while only, so another transaction may say it as well.
async fn covered(
    cx: &CheckCx<'_>,
    layout: &Layout,
    mut tx: Box<dyn ReadTx>,
    unseen: &mut Vec<String>,
) -> partitions::Coverage {
    let read = layout.coverage(&mut *tx).await;
    // Who waits for a second session while holding one waits for ever once all do.
    drop(tx);
    let read = match read {
        Ok(coverage) => Ok(coverage),
        Err(_) => async { layout.coverage(&mut *cx.read().await?).await }.await,
    };
    read.unwrap_or_else(|e| {
        unseen.push(texts::coverage_unread(&e));
        partitions::Coverage::default()
    })
}

/// Counts, sums and a word for each partition.
fn facts(compared: &ComparedPair<'_>, tally: &Tally) -> ParityFacts {
    let has_legacy = compared.legacy.is_some();
    let mut facts = ParityFacts {
        legacy_rows: has_legacy.then(|| tally.legacy.iter().map(|(_, a)| a.rows).sum()),
        partitioned_rows: Some(tally.twin.iter().map(|(_, a)| a.rows).sum()),
        ..ParityFacts::default()
    };
    for (i, column) in compared.twin.sums.iter().enumerate() {
        let sums = if compared.summed(column) {
            let total = |all: &mut dyn Iterator<Item = &Aggregate>| {
                let mut total = Sum::default();
                all.filter_map(|a| a.sums.get(i)).for_each(|s| total.add(s));
                total.to_string()
            };
            Sums {
                legacy: has_legacy.then(|| total(&mut tally.legacy.iter().map(|(_, a)| a))),
                partitioned: Some(total(&mut tally.twin.iter().map(|(_, a)| a))),
            }
        } else {
            Sums::default()
        };
        facts.sums.insert(column.clone(), sums);
    }
    facts.partitions = strip(compared, tally);
    facts.sequences = sequences(compared.sequences, tally);
    facts
}

fn strip(compared: &ComparedPair<'_>, tally: &Tally) -> Vec<Partition> {
    let differing = tally.differing_slots();
    let told = compared.legacy.is_some() && compared.layout.mapping != Mapping::Whole;
    let mut out = Vec::new();
    for (slot, name) in compared.layout.slots.iter().enumerate() {
        let legacy = told.then(|| tally.legacy_of(Some(slot)).rows);
        let twin = tally.twin_of(slot).rows;
        let status = match legacy {
            None => PartitionStatus::NotCompared,
            Some(rows) if compared.options.quick && rows == twin => PartitionStatus::CountsEqual,
            Some(rows) if rows != twin || differing.contains(&Some(slot)) => PartitionStatus::Differs,
            Some(_) => PartitionStatus::Equal,
        };
        out.push(Partition {
            partition: name.clone(),
            legacy_rows: legacy,
            partitioned_rows: Some(twin),
            status,
            ..Partition::default()
        });
    }
    let homeless = tally.legacy_of(None).rows;
    if told && homeless > 0 {
        out.push(Partition {
            partition: NOWHERE.into(),
            legacy_rows: Some(homeless),
            partitioned_rows: Some(0),
            status: PartitionStatus::Missing,
            ..Partition::default()
        });
    }
    out
}

fn sequences(rows: &[SequenceRow], tally: &Tally) -> Vec<Sequence> {
    rows.iter()
        .enumerate()
        .map(|(i, s)| Sequence {
            column: s.column.clone(),
            name: s.shown.clone(),
            last: s.last,
            readable: s.readable,
            max: tally.max(i),
        })
        .collect()
}

/// A partitioned table of its own: what can be said without knowing what it should hold. `cleaned`: the twin that it
/// was once.
pub(crate) async fn alone(
    cx: &CheckCx<'_>,
    id: &CheckId,
    table: &str,
    cleaned: Option<&Twin>,
) -> Result<Report> {
    let (mut tx, source) = SnapshotSource::hold(cx).await?;
    let (_, partitioned) = catalog::tables(&mut *tx, source.rows, (None, &Relation::parse(table))).await?;
    let layout: Layout = partitions::layout(&mut *tx, &partitioned).await?;
    let columns = ComparedColumns::default();
    let twin = Twin { partitioned: table.to_owned(), ..Twin::default() };
    let compared = ComparedPair {
        twin: &twin,
        legacy: None,
        partitioned: &partitioned,
        columns: &columns,
        layout: &layout,
        sequences: &[],
        maxes: &[],
        cut: &RangeCut::None,
        options: ComparisonOptions { quick: true, ..ComparisonOptions::default() },
    };
    let mut tally = Tally::default();
    scan::read(&mut *tx, &source, &compared, &ScanPart::all(KeySpan::default()), &mut tally).await?;
    let mut facts = facts(&compared, &tally);
    facts.snapshot = source.taken().name.clone();
    let mut unseen = vec![];
    let coverage = covered(cx, &layout, tx, &mut unseen).await;
    let mut without = texts::NO_LEGACY.to_owned();
    if let Some(twin) = cleaned {
        facts.standing = SwitchState::Cleaned;
        facts.away = retired::find_retired(cx.facts, twin).await?;
        without = texts::retired(facts.away.as_ref());
    }
    facts.compared = texts::counts_only(&without);
    let found = findings::build(id, &facts, &columns, &layout, &coverage, Samples::default());
    let ok = texts::alone(layout.leaves.len(), facts.partitioned_rows.unwrap_or_default(), &without);
    Ok(Report::observed(id.clone(), &facts, found, &ok).partly_unknown(unseen))
}
