//! Our own statements mean the same under any search path: a name of the profile's is looked up once, under the profile's.

use midwatch::engine::model::name::Relation;
use midwatch::engine::model::step::LockStrength;
use midwatch::engine::port::catalog::WantedLocks;
use midwatch::engine::port::reader::{ReadOptions, Reader as _};

use crate::common::own_path::own_path;
use crate::on_each_server;
use crate::postgres::Side;

on_each_server! {
    what_a_profile_names_is_found_by_statements_that_know_no_path,
}

async fn what_a_profile_names_is_found_by_statements_that_know_no_path(side: &Side) {
    let mut holder = side.owner().await;
    holder.execute_script("create table t (id int)").await.unwrap();
    let reader = own_path(side.engine().await.into_parts().facts);
    let dialect = reader.dialect();
    let mut tx = reader.begin(ReadOptions::default()).await.unwrap();
    let names = [Relation::parse("t"), Relation::parse("nothing"), Relation::parse("public.t")];
    let found = dialect.tables(&mut *tx, &names).await.unwrap();
    let found: Vec<String> = found.iter().map(|t| t.name.to_string()).collect();
    assert_eq!(found, ["\"public\".\"t\""; 2]);
    holder.execute_script("begin; lock table t in access exclusive mode").await.unwrap();
    let tables = ["t".to_owned()];
    let wanted =
        WantedLocks { tables: &tables, mode: dialect.lock_mode(LockStrength::Everyone), older_ms: 0 };
    assert_eq!(dialect.blockers(&mut *tx, &wanted).await.unwrap().len(), 1);
    let nothing = ["nothing".to_owned()];
    let why = dialect.blockers(&mut *tx, &WantedLocks { tables: &nothing, ..wanted }).await.unwrap_err();
    assert!(why.message.contains("nothing"), "{why:?}");
}
