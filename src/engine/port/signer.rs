//! Keys: this installation's own, and those of others that were seen here.

use std::sync::Arc;

use crate::engine::model::error::Result;
use crate::engine::model::installation::{Installation, Pin, plan_text};

/// The key of this installation, as it was when it was asked for: what signs a text is what names the signature.
pub trait OwnKey: std::fmt::Debug + Send + Sync {
    /// This installation.
    fn installation(&self) -> &Installation;
    /// The installations that it was before its key was replaced, the latest first, as far as that is kept: who knows one
    /// of their keys follows them to this one.
    fn predecessors(&self) -> &[Installation];
    /// A text's signature.
    fn sign(&self, text: &str) -> String;
}

/// The keys of this machine.
pub trait Signer: std::fmt::Debug + Send + Sync {
    /// The key that is in use now: another process may have replaced it a moment ago. It is made when it is first needed;
    /// `None`: no key can be kept here.
    fn key(&self) -> Result<Option<Arc<dyn OwnKey>>>;
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

    /// This installation; `None`: no key can be kept here.
    fn own(&self) -> Result<Option<Installation>> {
        Ok(self.key()?.map(|key| key.installation().clone()))
    }

    /// A plan's signature: the key's fingerprint and what it signs.
    fn sign_plan(&self, digest: &str) -> Result<Option<String>> {
        let signed = |key: Arc<dyn OwnKey>| {
            format!("{}:{}", key.installation().fingerprint, key.sign(&plan_text(digest)))
        };
        Ok(self.key()?.map(signed))
    }
}
