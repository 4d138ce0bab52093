//! Differences that a self-test plants, as data.

use crate::engine::model::comparison::ComparedColumns;
use crate::features::parity::pair::partitions::Layout;

/// A difference that must be found.
#[derive(Debug)]
pub(crate) struct Plant {
    pub(crate) class: &'static str,
    /// As text; several columns joined by `|`.
    pub(crate) key: String,
    pub(crate) columns: Vec<String>,
}

/// What was planted, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct Planting {
    pub(crate) plants: Vec<Plant>,
    pub(crate) not_planted: Vec<String>,
}

/// The two tables of a copy.
#[derive(Clone, Copy)]
pub(crate) struct CopySides<'a> {
    pub(crate) legacy: &'a str,
    pub(crate) twin: &'a str,
    pub(crate) columns: &'a ComparedColumns,
    pub(crate) layout: &'a Layout,
}
