//! A reader that notes every statement that goes through it.

use std::sync::{Arc, Mutex};

use midwatch::engine::model::error::Result;
use midwatch::engine::model::query::{Param, ProfileSql, Sql};
use midwatch::engine::port::reader::{Fut, ReadTx, Reader};

use crate::common::wrapped_reader::{ReaderAround, Sending, TxAround};

pub(crate) type Notes = Arc<Mutex<Vec<Sent>>>;

/// By which way a statement went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Profile,
}

/// A statement that went through.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) text: String,
    pub(crate) params: Vec<Param>,
    pub(crate) whose: Whose,
    /// It was prepared only.
    pub(crate) prepared: bool,
}

impl Sent {
    pub(crate) fn ours(sql: &Sql) -> Self {
        let (text, params) = (sql.text().to_owned(), sql.params().to_vec());
        Self { text, params, whose: Whose::Ours, prepared: false }
    }
    pub(crate) fn profile(sql: &ProfileSql, prepared: bool) -> Self {
        let (text, params) = (sql.text().to_owned(), sql.params().to_vec());
        Self { text, params, whose: Whose::Profile, prepared }
    }
    fn of(sending: &Sending<'_>) -> Self {
        match sending {
            Sending::Ours(sql) => Self::ours(sql),
            Sending::Profile(sql) => Self::profile(sql, false),
            Sending::Described(sql) => Self::profile(sql, true),
        }
    }
}

/// Notes what goes through `facts`.
pub(crate) fn recorder(facts: Arc<dyn Reader>, notes: &Notes) -> ReaderAround {
    let notes = Arc::clone(notes);
    let begin = move |facts: Arc<dyn Reader>, options| -> Fut<'static, Result<Box<dyn ReadTx>>> {
        let notes = Arc::clone(&notes);
        Box::pin(async move {
            let before = move |sending: Sending<'_>| notes.lock().unwrap().push(Sent::of(&sending));
            Ok(Box::new(TxAround { inside: facts.begin(options).await?, before }) as Box<dyn ReadTx>)
        })
    };
    ReaderAround::new(facts, Box::new(begin))
}
