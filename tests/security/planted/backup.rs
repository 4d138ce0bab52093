//! A backup is proved by sums of its rows: what their owner defines decides neither whose rights that takes nor what it says.

use midwatch::engine::model::error::Result;
use midwatch::engine::model::secret::Secret;
use midwatch::engine::port::backups::{Dump, Dumped};
use midwatch::engine::port::driver::ReaderLogin;
use midwatch::sandbox::{CopiedTarget, for_dialect};

use super::World;

impl World {
    /// A backup that is restored and compared.
    async fn backup(&self, table: &str, reader: Option<&str>) -> Result<Dumped> {
        let version = self.value("select current_setting('server_version')").await;
        let target = CopiedTarget {
            url: Some(Secret::new(self.database.url())),
            password_command: vec![],
            reader: reader.map(|role| ReaderLogin { role: role.to_owned(), password_command: vec![] }),
            version,
            database: self.database.name.clone(),
            search_path: vec!["public".into()],
            backups: Some(self.home.path().to_owned()),
            extensions: vec!["ltree".into()],
        };
        let sandbox = for_dialect("postgres", target).unwrap();
        sandbox.backups.dump(&Dump { tables: vec![table.into()], verify: true }, "1").await
    }
}

/// The owner of a table may define a cast of its rows. At commit 4eabe32, and as long as `t::text` summed them, a superuser's
/// switchover called it.
#[tokio::test]
async fn a_cast_of_rows_is_not_called() {
    let world = World::new().await;
    world.value(&format!("alter table public.old owner to {}", world.role())).await;
    world.plant(super::casts::CASTS).await;
    let made = world.backup("public.old", None).await;
    assert_eq!(world.called(), "");
    let made = made.unwrap();
    assert_eq!(made.rows, [("public.old".to_owned(), 300)]);
    assert!(made.verified.unwrap().starts_with("restored from nothing"));
}

/// At commit 4eabe32 the operator summed the rows, with a reader as without: the function of an index expression ran as a
/// superuser.
#[tokio::test]
async fn a_reader_sums_the_rows() {
    let world = World::new().await;
    let (role, reader) = (world.role(), format!("looks_{}", world.database.name));
    world.value(&format!("alter table public.byname owner to {role}")).await;
    world.value(&format!("create role {reader} login")).await;
    let indexed = format!(
        "grant select on public.byname to {reader};
         create function public.pure(text) returns text language plpgsql immutable as $$
           begin perform public.planted('planned'); return $1; end $$;
         create index on public.byname (public.pure('x'), name)"
    );
    world.plant(&indexed).await;
    world.value("select count(*)::text from public.byname").await;
    assert_eq!(world.called(), "planned", "the attack itself");
    let made = world.backup("public.byname", Some(&reader)).await;
    assert_eq!(world.called(), "");
    assert_eq!(made.unwrap().rows, [("public.byname".to_owned(), 40)]);
    // Whoever may not read them proves nothing of them.
    let refused = world.backup("public.bypath", Some(&reader)).await.unwrap_err();
    assert!(refused.message.contains("bypath"), "{refused:?}");
}

/// At commit 4eabe32 a column called `t` was all that was summed: a backup that is restored to other rows was proved.
#[tokio::test]
async fn every_column_counts_whatever_one_is_called() {
    let world = World::new().await;
    let other = "create function public.place(int) returns text language sql immutable as 'select current_database()::text';
                 create table public.odd (id int primary key, t int, x text generated always as (public.place(id)) stored);
                 insert into public.odd (id, t) select n, n from generate_series(1, 9) n";
    world.database.owner().await.execute_script(other).await.unwrap();
    let refused = world.backup("public.odd", None).await.unwrap_err();
    assert!(refused.message.contains("is not what was dumped: public.odd"), "{refused:?}");
}
