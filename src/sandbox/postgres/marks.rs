//! What the engine's marks tell a switchover, on a real server.

use crate::dialect::postgres::owner::Owner;
use crate::dialect::postgres::{Connection, PgReader, Postgres};
use crate::engine::model::profile::Twin;
use crate::engine::model::query::{Param, Sql};
use crate::engine::port::reader::{ReadOptions, Reader as _};
use crate::features::parity::pair::{catalog, change_capture, pair, partitions};
use crate::sandbox::{Options, Server};

const TABLES: &str = "
    create table t (id int primary key, d date not null, v citext);
    create table p (v citext, id int, d date, primary key (id, d)) partition by range (d);
    create table p1 partition of p for values from ('2025-01-01') to ('2025-02-01');
    create table p2 partition of p for values from ('2025-02-01') to ('2025-03-01');
    insert into t select i, date '2025-01-01' + i, 'v' || i from generate_series(1, 50) i;
    insert into p (id, d, v) select id, d, v from t";

async fn keys(owner: &mut Owner, sql: &str) -> Vec<String> {
    let rows = owner.fetch_text(&format!("select q.key::text from ({sql}) q order by 1"), &[]).await.unwrap();
    rows.into_iter().map(|mut r| r.remove(0).unwrap_or_else(|| "all".into())).collect()
}

#[tokio::test]
async fn only_what_was_written_since_is_compared_and_only_what_is_not_equal_is_named() {
    let server = Server::start(Options { memory: true, ..Options::default() }).await.unwrap();
    server.create_database("m", None).await.unwrap();
    let mut owner = server.owner("m").await.unwrap();
    owner.execute_script("create extension citext").await.unwrap();
    owner.execute_script(TABLES).await.unwrap();
    owner.execute_script(&crate::dialect::postgres::journal::install::script().unwrap()).await.unwrap();
    let twin =
        Twin { legacy: "t".into(), partitioned: "p".into(), key: vec!["id".into()], ..Twin::default() };
    let reader = PgReader::new(Connection::new(Some(&server.url("m"))).unwrap());
    let mut tx = reader.begin(ReadOptions::default()).await.unwrap();
    let pair = pair(&mut *tx, &Postgres, &twin).await.unwrap();
    let columns =
        catalog::columns(&Postgres, pair.legacy.as_ref().unwrap(), &pair.partitioned, &twin.key).unwrap();
    let layout = partitions::layout(&mut *tx, &pair.partitioned).await.unwrap();
    let triggers = change_capture::install(&pair, &columns, &layout, &change_capture::GapScope::All, "");
    owner.execute_script(&triggers.create_statements().join(";")).await.unwrap();
    assert!(matches!(
        change_capture::installed(&mut *tx, &pair, &columns, &layout).await.unwrap(),
        change_capture::CaptureState::Complete(_)
    ));
    // Older than the marks: nobody noted it.
    let snapshot = owner.fetch_value("select pg_current_snapshot()::text", &[]).await.unwrap().unwrap();
    owner
        .execute_script(
            "update t set v = 'V1' where id = 1; delete from p where id = 2; insert into t values (60, '2025-02-02', null);
             insert into p (id, d) values (60, '2025-02-02'); insert into p (id, d, v) select id, d + 20, v from t where id = 5;
             update t set v = 'same' where id = 7; update p set v = 'same' where id = 7;
             insert into p (id, d) values (70, '2025-02-02'); delete from p where id = 70",
        )
        .await
        .unwrap();
    let since = crate::engine::model::name::literal(&snapshot);
    let changed = keys(&mut owner, &change_capture::changed_keys(&pair, &layout, &since)).await;
    assert_eq!(changed, ["{1}", "{2}", "{5}", "{60}", "{70}", "{7}"]);
    let unequal = change_capture::unequal(&Postgres, &pair, &columns, &layout, &since);
    assert_eq!(keys(&mut owner, &unequal).await, ["{1}", "{2}", "{5}"]);
    // As a parameter too, and while both tables are locked.
    let bound = change_capture::unequal(&Postgres, &pair, &columns, &layout, "$1");
    let rows = tx
        .texts(
            &Sql::new(format!("select q.key::text from ({bound}) q")).bind([Param::from(snapshot.as_str())]),
        )
        .await;
    assert_eq!(rows.unwrap().len(), 3);
    drop(tx);
    owner.execute_script("begin").await.unwrap();
    owner.execute_script("lock t, p in access exclusive mode").await.unwrap();
    assert_eq!(keys(&mut owner, &unequal).await.len(), 3);
    owner.execute_script("rollback").await.unwrap();
    owner.execute_script("truncate p1").await.unwrap();
    assert!(
        keys(&mut owner, &change_capture::changed_keys(&pair, &layout, &since))
            .await
            .contains(&"all".to_owned())
    );
    owner.execute_script(&triggers.drop_statements().join(";")).await.unwrap();
    server.stop().await.unwrap();
}
