//! What a database says of its own objects.

/// Reads the catalog.
pub trait Catalog: Sync {}
