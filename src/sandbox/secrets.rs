//! Names and passwords of private servers: made for one server, known to this process alone.

use std::io::Read as _;

use crate::engine::model::error::{Error, Result};

/// Hexadecimal digits of so many random bytes.
pub(super) fn random<const BYTES: usize>() -> Result<String> {
    let mut bytes = [0; BYTES];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|e| Error::unobserved(format!("failed to make a password: {e}")))?;
    Ok(hex::encode(bytes))
}
