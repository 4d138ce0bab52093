//! The installation's signature.

use crate::engine::model::error::Result;

/// Knows plans that were made here.
pub trait Signer: Send + Sync {
    /// A digest, signed; `None`: nothing can be signed here.
    fn sign(&self, digest: &str) -> Result<Option<String>>;
}
