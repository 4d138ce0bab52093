//! What a run needs from the machine and from compose.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::port::backups::Backups;
use crate::engine::port::hooks::Hooks;
use crate::engine::port::journal_copy::JournalCopy;
use crate::engine::port::reader::Fut;
use crate::engine::port::signer::Signer;
use crate::engine::port::spools::Spools;
use crate::engine::port::writer::Writers;

/// What changing needs from the outside.
pub struct Adapters {
    /// The writing side; only an approval opens it.
    pub writers: Arc<dyn Writers>,
    /// Where planned rows are kept.
    pub spools: Arc<dyn Spools>,
    /// The journal's copy.
    pub journal_copy: Arc<dyn JournalCopy>,
    /// Keys: signs plans and entries.
    pub signer: Arc<dyn Signer>,
    /// Makes backups.
    pub backups: Arc<dyn Backups>,
    /// Runs the operator's commands.
    pub hooks: Arc<dyn Hooks>,
    /// Lets time pass.
    pub sleep: fn(Duration) -> Fut<'static, ()>,
    /// What single features need besides.
    pub of_features: FeatureAdapters,
}

/// Adapters that one feature asks for, by their type: the engine knows none of them.
#[derive(Default)]
pub struct FeatureAdapters(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl FeatureAdapters {
    /// With one more, in place of another of its type.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, adapter: T) -> Self {
        self.0.insert(TypeId::of::<T>(), Box::new(adapter));
        self
    }

    /// The adapter of this type, where compose has given one.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}
