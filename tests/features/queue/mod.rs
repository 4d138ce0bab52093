//! Queues: what the check finds, and failed work tried again.

mod check;
mod requeue;
mod resolve;
