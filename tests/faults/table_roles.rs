//! Which table has which name, and which way writes are mirrored: seen by writing.

use crate::world::World;

/// Each with a column that may be written.
pub(crate) const TWINS: [(&str, &str); 3] = [
    ("revenues", "amount_cents"),
    ("expenses", "amount_cents"),
    ("daily_cash_balances", "closing_balance_cents"),
];

const BEFORE: &str = "daily_cash_balances=r daily_cash_balances_partitioned=p expenses=r expenses_partitioned=p \
                      revenues=r revenues_partitioned=p";
const AFTER: &str = "daily_cash_balances=p daily_cash_balances_legacy=r daily_cash_balances_partitioned=v expenses=p \
                     expenses_legacy=r expenses_partitioned=v revenues=p revenues_legacy=r revenues_partitioned=v";

/// All twins, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Before,
    Switched,
}

impl Standing {
    /// Fails where it is half.
    pub(crate) async fn read(world: &World) -> Self {
        let sql = "select string_agg(relname || '=' || relkind::text, ' ' order by relname) from pg_class
                   where relname ~ '^(revenues|expenses|daily_cash_balances)(_partitioned|_legacy)?$'";
        match world.value(sql).await.as_str() {
            BEFORE => Self::Before,
            AFTER => Self::Switched,
            half => panic!("neither before nor after: {half}"),
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Before => Self::Switched,
            Self::Switched => Self::Before,
        }
    }

    /// What applications write, and what follows it.
    pub(crate) fn names(self, twin: &str) -> [String; 2] {
        let follows = match self {
            Self::Before => "partitioned",
            Self::Switched => "legacy",
        };
        [twin.to_owned(), format!("{twin}_{follows}")]
    }

    /// A write on what applications write arrives on the other side; one on the other side does not come back.
    pub(crate) async fn mirrors_one_way(self, world: &World) {
        let mut owner = world.owner().await;
        for (twin, column) in TWINS {
            let [front, back] = self.names(twin);
            let id = world.value(&format!("select min(id)::text from {front} where org_id <> 9009")).await;
            let ask = format!(
                "select (f.{column} is not distinct from b.{column})::text from {front} f join {back} b on b.id = f.id where f.id = {id}"
            );
            for (written, follows) in [(&front, "true"), (&back, "false")] {
                let write = format!(
                    "begin; update {written} set {column} = coalesce({column}, 0) + 1 where id = {id}"
                );
                owner.execute_script(&write).await.unwrap();
                let equal = owner.fetch_value(&ask, &[]).await.unwrap();
                owner.execute_script("rollback").await.unwrap();
                assert_eq!(equal.as_deref(), Some(follows), "{self:?}: after a write on {written}");
            }
            let count = |table: &str| format!("select count(*)::text from {table} where id = {id}");
            let delete = match twin {
                "daily_cash_balances" => format!("begin; delete from {front} where id = {id}"),
                // Something may refer to the oldest ones.
                _ => continue,
            };
            owner.execute_script(&delete).await.unwrap();
            let left = owner.fetch_value(&count(&back), &[]).await.unwrap();
            owner.execute_script("rollback").await.unwrap();
            assert_eq!(left.as_deref(), Some("0"), "{self:?}: after a delete on {front}");
        }
        owner.close().await;
    }

    /// Row by row, in one snapshot each; not the program's own comparison.
    pub(crate) async fn is_equal(self, world: &World) {
        for (twin, _) in TWINS {
            let [front, back] = self.names(twin);
            let columns = world
                .value(&format!(
                    "select string_agg(quote_ident(f.attname), ', ' order by f.attnum) from pg_attribute f join pg_attribute b
                       on b.attname = f.attname and b.atttypid = f.atttypid and b.attgenerated = ''
                     where f.attrelid = '{front}'::regclass and b.attrelid = '{back}'::regclass and f.attnum > 0
                       and not f.attisdropped and f.attgenerated = ''"
                ))
                .await;
            assert!(columns.contains("amount_cents") || columns.contains("balance_cents"), "{columns}");
            let differ = world
                .value(&format!(
                    "with f as (select {columns} from {front}), b as (select {columns} from {back})
                     select ((select count(*) from (table f except all table b) x) + (select count(*) from (table b except all table f) y))::text"
                ))
                .await;
            assert_eq!(differ, "0", "{self:?}: rows of {front} and {back} that differ");
        }
    }
}

/// Triggers, views and functions of the twins, and what midwatch made.
pub(crate) async fn definitions(world: &World) -> String {
    let sql = "select coalesce(string_agg(x, e'\\n' order by x), '') from (
        select t.tgrelid::regclass || ' ' || t.tgname || ' ' || t.tgenabled::text as x from pg_trigger t
        where not t.tgisinternal and t.tgname not like 'fault%' and t.tgrelid::regclass::text not like 'midwatch.%'
        union all select p.oid::regprocedure || ' ' || md5(p.prosrc) from pg_proc p
        where p.pronamespace = 'public'::regnamespace or p.proname like 'mark\\_%') q";
    world.value(sql).await
}

/// What a switchover brings and its way back takes away.
pub(crate) async fn reverse_triggers(world: &World) -> u64 {
    let sql = "select ((select count(*) from pg_trigger where not tgisinternal and tgname like '%midwatch_reverse%')
               + (select count(*) from pg_proc where proname like 'midwatch_reverse%'))::text";
    world.value(sql).await.parse().unwrap()
}
