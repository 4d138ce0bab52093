//! x
use crate::engine::Result;
use crate::engine::ports::Fut;
use crate::launch::Launch;
/// x
pub fn run(_launch: Launch) -> Fut<'static, Result<()>> {
    Box::pin(async { Ok(()) })
}
