//! Statements that compare rows: digests by group and key range, keys with digests, rows of some keys.
//!
//! Names of result columns are the same in every dialect. All but the expressions are whole statements; what an expression
//! is good for is said there.

use crate::engine::model::comparison::{
    ComparedColumn, ComparedRows, Databases, KeySpan, KeyText, PartsOfBoth, RowPart, ValuePair,
};
use crate::engine::model::name::Relation;
use crate::engine::model::query::Sql;

/// Makes the statements.
pub trait CompareSql: Sync {
    // Columns and keys.

    /// How digests of rows are made: those of two databases can be compared where this is the same.
    fn digest_form(&self) -> &'static str;
    /// Columns of a table in its order, as [`ComparedColumn`]s; none where there is no such table.
    fn columns_of(&self, table: &Relation) -> Sql;
    /// How two columns of one name are compared; what is not about both is the left one's.
    fn matched(&self, left: &ComparedColumn, right: &ComparedColumn, databases: Databases) -> ComparedColumn;
    /// `rows` and `indexed`: about how many rows a table has, and whether an index is led by the column.
    fn size(&self, table: &Relation, column: &str) -> Sql;
    /// `low` and `high` of a column that holds whole numbers; NULL in an empty table.
    fn key_ends(&self, rows: &str, column: &str) -> Sql;

    // Reading.

    /// Settings of every transaction of a comparison, where there are any.
    fn comparison_settings(&self) -> Option<Sql>;
    /// Turns compilation of large scans on or off, where statements are compiled.
    fn compile(&self, on: bool) -> Option<Sql>;
    /// `bucket`, `range`, `rows`, `digest`, `sums`, `maxes` of some parts: the group's number, the key range's, the rows in
    /// both, the sum of their digests as text, sums in millionths as text, and the measures.
    fn digest(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: KeySpan) -> Sql;
    /// `key` and `digest` of every row of some key ranges, which are sorted.
    fn stream(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], ranges: &[i64]) -> Sql;
    /// `key` of rows of some key ranges, which are sorted, that are on one side only or differ, in order. Both sides are in
    /// one database.
    fn differing_keys(
        &self,
        what: &ComparedRows<'_>,
        parts: PartsOfBoth<'_>,
        ranges: &[i64],
        limit: usize,
    ) -> Sql;
    /// `keys`: how many of them there are.
    fn count_differing_keys(&self, what: &ComparedRows<'_>, parts: PartsOfBoth<'_>, ranges: &[i64]) -> Sql;
    /// `n`, `key`, `partition`, `bucket`, `range`, `cells` of the rows with these keys: which of the keys, counted from one,
    /// the group's name where the part has one, its number, the key range's, and the compared columns as text, long ones
    /// cut and followed by their digest.
    fn rows_by_key(&self, what: &ComparedRows<'_>, parts: &[RowPart<'_>], keys: &[KeyText]) -> Sql;
    /// Characters of the longest cell that is not cut.
    fn longest_value(&self) -> usize;
    /// One text a pair, in order: `true` where both texts are one value by the type's own equality.
    fn same_values(&self, pairs: &[ValuePair<'_>]) -> Sql;

    // Expressions, for statements of features that stand in this dialect.

    /// The digest of a row, by the columns' names alone.
    fn row_digest(&self, columns: &[ComparedColumn]) -> String;
    /// A column as it is compared, of a row that goes by this name.
    fn compared_value(&self, column: &ComparedColumn, row: &str) -> String;
}
