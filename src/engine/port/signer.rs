//! Keys: this installation's own, and those of others that were seen here.

use crate::engine::model::error::Result;
use crate::engine::model::installation::{Installation, Pin, plan_text};

/// The keys of this machine.
pub trait Signer: std::fmt::Debug + Send + Sync {
    /// This installation, whose key is made when it is first needed; `None`: no key can be kept here.
    fn own(&self) -> Result<Option<Installation>>;
    /// A text, signed with its key; `None`: there is none.
    fn sign(&self, text: &str) -> Result<Option<String>>;
    /// Is this the signature of that text, by that key?
    fn verifies(&self, public_key: &str, text: &str, signature: &str) -> bool;
    /// Was a plan's digest signed here by an earlier version, which had a key of its own kind?
    fn is_of_earlier_version(&self, digest: &str, signature: &str) -> bool;
    /// Keys that were seen here, our own among them.
    fn pins(&self) -> Result<Vec<Pin>>;
    /// Remembers keys that are seen for the first time. One that is signed by a key that is believed is believed.
    fn pin(&self, seen: &[Installation]) -> Result<()>;
    /// From now on this key is believed.
    fn trust(&self, fingerprint: &str) -> Result<Pin>;
    /// From now on it is not, until it is trusted again.
    fn untrust(&self, fingerprint: &str) -> Result<Pin>;
    /// A new key in place of ours, signed by it.
    fn rotate(&self) -> Result<Installation>;

    /// A plan's signature: the key's fingerprint and what it signs.
    fn sign_plan(&self, digest: &str) -> Result<Option<String>> {
        let Some(own) = self.own()? else { return Ok(None) };
        Ok(self.sign(&plan_text(digest))?.map(|signature| format!("{}:{signature}", own.fingerprint)))
    }
}
