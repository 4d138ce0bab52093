//! The layers and habits that no compiler checks.
//!
//! A fence holds a rule for all of `src`. What broke it when the rule was made is listed in
//! `exceptions/<fence>.txt`; such a list may only shrink.

#![cfg(test)]

mod codes;
mod collect;
mod cycles;
mod decisions;
mod dependencies;
mod exceptions;
mod files;
mod graph;
mod habits;
mod layers;
mod names;
mod quoting;
mod registered;
mod sources;
mod sql;
mod verbs;
