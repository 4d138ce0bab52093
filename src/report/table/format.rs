//! What a format of rows must be able to write.

/// A cell; `None` is NULL.
pub type RowCell = Option<String>;

/// Rows as text, written one after the other: any number of rows in bounded memory.
pub trait RowFormat: Sync {
    /// As a person chooses it.
    fn name(&self) -> &'static str;
    /// The usual extension of its files.
    fn extension(&self) -> &'static str;
    /// What comes before the rows.
    fn head(&self, columns: &[String]) -> String;
    /// One row; `first` for the first of all.
    fn row(&self, columns: &[String], cells: &[RowCell], first: bool) -> String;
    /// What comes after the rows.
    fn tail(&self) -> &'static str {
        ""
    }
}
