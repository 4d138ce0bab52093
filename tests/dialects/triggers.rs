//! Triggers of a table: those of the journal are told by the catalog, not by a name.

use midwatch::engine::model::name::Relation;
use midwatch::engine::port::reader::{ReadOptions, Reader as _};

use crate::on_each_server;
use crate::postgres::Side;

on_each_server! {
    a_trigger_of_the_journal_is_told_by_its_function_s_schema,
}

async fn a_trigger_of_the_journal_is_told_by_its_function_s_schema(side: &Side) {
    let function = |name: &str| {
        format!("create function {name}() returns trigger language plpgsql as 'begin return null; end'")
    };
    let trigger = |name: &str, function: &str| {
        format!("create trigger {name} after insert on t for each row execute function {function}()")
    };
    side.run(&[
        "create schema midwatch; create schema midwatch_other; create table t (id int)".into(),
        function("midwatch.mark"),
        function("midwatch_other.mark"),
        function("public.\"midwatch.mark\""),
        trigger("a_journal", "midwatch.mark"),
        trigger("b_other_schema", "midwatch_other.mark"),
        trigger("c_name_alone", "public.\"midwatch.mark\""),
        trigger("\"midwatch.d\"", "midwatch_other.mark"),
    ])
    .await;
    let reader = side.reader();
    // Also where the profile's path makes the schema's name unnecessary.
    for path in [vec!["public".to_owned()], vec!["midwatch".to_owned(), "public".to_owned()]] {
        reader.set_search_path(&path);
        let mut tx = reader.begin(ReadOptions::default()).await.unwrap();
        let found = reader.dialect().tables(&mut *tx, &[Relation::parse("t")]).await.unwrap();
        let told: Vec<_> = found[0].triggers.known().iter().map(|t| (t.name.as_str(), t.journal)).collect();
        let expected =
            [("a_journal", true), ("b_other_schema", false), ("c_name_alone", false), ("midwatch.d", false)];
        assert_eq!(told, expected, "{path:?}");
    }
}
