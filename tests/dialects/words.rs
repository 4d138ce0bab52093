//! Words of a server that offers and the doctor say come from its dialect.

use std::path::Path;

use midwatch::dialect::postgres::Postgres;
use midwatch::engine::port::dialect::Dialect;
use midwatch::features::{OPERATIONS, VERDICTS};
use midwatch::profile::Library;

use crate::text_only::TextOnly;

#[test]
fn offers_name_locks_in_the_words_of_the_dialect() {
    let profiles = Library::new(Path::new("."), VERDICTS).all().unwrap();
    let guarded = |b: &&midwatch::engine::model::profile::Backfill| b.guard.is_some();
    let found = profiles.iter().find_map(|p| Some((p, &p.backfills.iter().find(guarded)?.name)));
    let (profile, name) = found.expect("a profile with a backfill of a guarded table");
    let backfill = OPERATIONS.iter().find(|o| o.spec().verb == "backfill").unwrap();
    let locks = |dialect: &dyn Dialect| {
        let offers = backfill.offers(profile, dialect);
        offers.into_iter().find(|o| &o.name == name).unwrap().locks
    };
    assert_eq!(locks(&Postgres), "SHARE ROW EXCLUSIVE for each batch: writers wait");
    assert_eq!(locks(&TextOnly), "write lock for each batch: writers wait");
}

#[test]
fn a_server_is_named_and_its_readers_are_made_in_its_own_words() {
    let words = |d: &dyn Dialect| (d.shown_name(), d.reader_hint());
    let hint = "the role needs SELECT on them: midwatch doctor --grants prints what a reader needs";
    assert_eq!(words(&Postgres), ("PostgreSQL", hint));
    assert_eq!(words(&TextOnly), ("Text", "ask the owner"));
}
