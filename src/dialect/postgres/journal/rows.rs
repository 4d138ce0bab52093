//! Rows of runs: before-images and planned rows as a query has them, one by one, whichever form the journal keeps them in.
//! Blocks hold arrays with an element a row; runs of earlier versions have a row each. Nothing else reads these tables.
//!
//! Everything is named with its schema: statements of profiles are around it.

/// Rows of a block of planned rows at most. Blocks are cut at its multiples, so the block of a row is found by its number.
pub(in crate::dialect::postgres) const BLOCK: u64 = 1_000;

/// How the sum in an entry says that its rows are in blocks.
pub(super) const BLOCK_FORM: &str = ":blocks:sha256:";

/// What a run writes.
pub(in crate::dialect::postgres) const TABLES: &str = "midwatch.planned_blocks, midwatch.image_blocks";

const IMAGE_BLOCKS: &str = "midwatch.image_blocks";
const PLANNED_BLOCKS: &str = "midwatch.planned_blocks";

/// Images: `run`, `step`, `batch`, `seq` (NULL: of a derived row), `relation`, `key`, `before`, `after`. A FROM item; conditions
/// on run and batch get through to the tables.
pub(in crate::dialect::postgres) const IMAGES: &str = "(select r.run, r.step, r.batch, r.seq, r.relation, r.key, r.before, r.after from midwatch.images r \
    union all \
    select b.run, b.step, b.batch, u.seq, b.relation, u.key::pg_catalog.jsonb, \
    coalesce(u.after::pg_catalog.jsonb operator(pg_catalog.||) u.before::pg_catalog.jsonb, u.before::pg_catalog.jsonb), \
    u.after::pg_catalog.jsonb from midwatch.image_blocks b \
    cross join lateral rows from (pg_catalog.generate_series(1, pg_catalog.cardinality(b.keys)), \
    pg_catalog.unnest(b.seqs), pg_catalog.unnest(b.keys), pg_catalog.unnest(b.before), pg_catalog.unnest(b.after)) \
    u(n, seq, key, before, after))";

/// Planned rows: `run`, `step`, `first`, `seq`, `key`, `before`, `after`. A FROM item; conditions on run, step and `first`
/// get through to the tables.
pub(in crate::dialect::postgres) const PLANNED: &str = "(select r.run, r.step, r.seq as first, r.seq, r.key, r.before, r.after from midwatch.planned_rows r \
    union all \
    select b.run, b.step, b.first, u.seq, u.key::pg_catalog.jsonb, u.before::pg_catalog.jsonb, u.after::pg_catalog.jsonb \
    from midwatch.planned_blocks b \
    cross join lateral rows from (pg_catalog.generate_series(b.first, b.last), \
    pg_catalog.unnest(b.keys), pg_catalog.unnest(b.before), pg_catalog.unnest(b.after)) u(seq, key, before, after))";

/// Planned rows that follow each other and are of one unit: `run`, `step`, `first`, `last`, `unit`. A FROM item.
pub(in crate::dialect::postgres) const UNITS: &str = "(select r.run, r.step, r.seq as first, r.seq as last, r.unit from midwatch.planned_rows r \
    union all select b.run, b.step, b.first, b.last, b.unit from midwatch.planned_blocks b)";

/// Condition: a block of `UNITS` or `PLANNED` may have rows after this one.
pub(in crate::dialect::postgres) fn from_block_of(after: &str) -> String {
    format!("first > {after} / {BLOCK} * {BLOCK}")
}

/// Is there room for blocks? `yes` or no row: a journal of an earlier version is read as it is.
pub(in crate::dialect::postgres) const HAS_BLOCKS: &str = "select 'yes' where to_regclass('midwatch.image_blocks') is not null and to_regclass('midwatch.planned_blocks') is not null";

/// The same statement for a journal that has no blocks.
pub(in crate::dialect::postgres) fn without_blocks(sql: &str) -> String {
    const NONE: [(&str, &str); 2] = [
        (
            IMAGE_BLOCKS,
            "(select null::bigint as run, null::int as step, null::bigint as batch, null::text as relation, \
             null::bigint[] as seqs, null::text[] as keys, null::text[] as before, null::text[] as after where false)",
        ),
        (
            PLANNED_BLOCKS,
            "(select null::bigint as run, null::int as step, null::bigint as first, null::bigint as last, \
             null::bigint as unit, null::text[] as keys, null::text[] as before, null::text[] as after where false)",
        ),
    ];
    NONE.iter().fold(sql.to_owned(), |sql, (table, none)| sql.replace(table, none))
}
