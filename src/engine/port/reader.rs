//! What the engine needs from a target, as a trait: a way to look that cannot write.

use crate::engine::model::error::Result;
use crate::engine::model::load::ServerLoad;
use crate::engine::model::target::ServerInfo;
use crate::engine::model::vitals::Vitals;
use crate::engine::port::dialect::Dialect;

pub use crate::engine::port::read_tx::{Fut, ReadOptions, ReadTx, RowShape, Snapshot, Take};

/// A source of read-only transactions on one target.
pub trait Reader: Send + Sync {
    /// Which SQL the target speaks.
    fn dialect(&self) -> &'static dyn Dialect;
    /// Pins the schemas that the profile's unqualified names are searched in; nothing where a server has none.
    fn set_search_path(&self, schemas: &[String]);
    /// Opens a transaction that the server holds read-only.
    fn begin(&self, options: ReadOptions) -> Fut<'_, Result<Box<dyn ReadTx>>>;
    /// Who the server is.
    fn server(&self) -> Fut<'_, Result<ServerInfo>>;
    /// What the server is doing right now.
    fn vitals(&self) -> Fut<'_, Result<Vitals>>;
    /// What else the server has to do.
    fn load(&self) -> Fut<'_, Result<ServerLoad>>;
    /// The same target as the role that changes it, where another one reads. It may be asked by [`Reader`]'s `rights` alone.
    fn operator(&self) -> Option<&dyn Reader> {
        None
    }
    /// Asks the server to cancel everything this console is running there.
    fn cancel_all(&self) -> Fut<'_, ()>;
}

impl dyn Reader + '_ {
    /// The target as the role that changes it: for what that role may do, as the catalog says it, and what its statements
    /// are parsed as. Rows, and whatever runs code of others, are read by the reader itself.
    pub fn rights(&self) -> &dyn Reader {
        self.operator().unwrap_or(self)
    }
}
