//! An application of the demo: a session that works at its own pace.

use crate::dialect::postgres::owner::Owner;
use crate::engine::model::error::Result;
use std::future::Future;
use std::time::Duration;

/// One application's behaviour.
pub(crate) trait Application: Send + 'static {
    const DATABASE: &'static str;
    const PAUSE: Duration;

    /// One thing it does; an error makes it connect anew.
    fn step(&mut self, owner: &mut Owner) -> impl Future<Output = Result<()>> + Send;
}

/// A small repeatable source of choices.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
