//! The digest of a plan's text.

use serde_json::Value;
use sha2::Digest as _;
use sha2::Sha256;

/// The digest of a plan's text: all of it except digest, phrase and signature, in the order in which it was written.
pub fn digest_of(mut plan: Value) -> String {
    if let Some(fields) = plan.as_object_mut() {
        for sealed in ["digest", "phrase"] {
            fields.insert(sealed.into(), Value::String(String::new()));
        }
        fields.shift_remove("signature");
    }
    hex::encode(Sha256::digest(plan.to_string().as_bytes()))
}
