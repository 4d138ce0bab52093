//! An application that writes while tables change places, and remembers what was committed to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::model::error::Error;
use tokio::task::JoinHandle;

use crate::program::until;
use crate::world::World;

/// What it did.
#[derive(Debug, Default)]
struct Ledger {
    /// Its rows that must be there: id and amount.
    rows: BTreeMap<String, i64>,
    deleted: Vec<String>,
    /// Of these nobody knows: the server was killed before it answered.
    unsure: Vec<String>,
    inserts_unsure: usize,
    errors: Vec<String>,
}

/// At work until it is stopped; also over a restart of its server.
pub(crate) struct Application {
    stop: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    task: JoinHandle<Ledger>,
}

/// Its rows.
const ORG: &str = "9009";

impl Application {
    pub(crate) fn start(world: &World) -> Self {
        let (rig, db) = (world.rig, world.db.clone());
        let (stop, commits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (asked, counted) = (Arc::clone(&stop), Arc::clone(&commits));
        let task = tokio::spawn(async move {
            let (mut ledger, mut session, mut turn) = (Ledger::default(), None, 0_i64);
            while !asked.load(Ordering::Acquire) {
                if session.is_none() {
                    session = rig.server.owner(&db).await.ok();
                    // Not held up by a standby that is not there.
                    if let Some(owner) = &mut session
                        && owner.execute_script("set synchronous_commit = local").await.is_err()
                    {
                        session = None;
                    }
                }
                if let Some(owner) = &mut session {
                    turn += 1;
                    match step(owner, &mut ledger, turn).await {
                        Ok(()) => drop(counted.fetch_add(1, Ordering::Release)),
                        Err(_) if rig.mortal => session = None,
                        Err(e) => {
                            ledger.errors.push(format!("{} {}", e.code.unwrap_or_default(), e.message));
                            session = None;
                        }
                    }
                }
                // An application has other things to do as well.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            ledger
        });
        Self { stop, commits, task }
    }

    /// It still gets its writes through.
    pub(crate) async fn goes_on(&self) {
        let before = self.commits.load(Ordering::Acquire);
        until("the application writes", async || self.commits.load(Ordering::Acquire) > before + 4).await;
    }

    /// Nothing is lost on either side, and nothing has failed.
    pub(crate) async fn judge(self, world: &World, tables: [&str; 2]) {
        self.goes_on().await;
        self.stop.store(true, Ordering::Release);
        let ledger = self.task.await.unwrap();
        assert_eq!(ledger.errors, Vec::<String>::new(), "writes of the application that failed");
        for table in tables {
            let sql = format!("select id::text, amount_cents::text from {table} where org_id = {ORG}");
            let there: BTreeMap<String, i64> = world
                .rows(&sql)
                .await
                .into_iter()
                .map(|mut r| (r.remove(0).unwrap(), r.remove(0).unwrap().parse().unwrap()))
                .collect();
            for (id, amount) in ledger.rows.iter().filter(|(id, _)| !ledger.unsure.contains(id)) {
                assert_eq!(there.get(id), Some(amount), "row {id} of the application in {table}");
            }
            for id in ledger.deleted.iter().filter(|id| !ledger.unsure.contains(id)) {
                assert_eq!(there.get(id), None, "row {id} of {table} was deleted by the application");
            }
            let known = |id: &&String| ledger.rows.contains_key(*id) || ledger.unsure.contains(id);
            let foreign: Vec<_> = there.keys().filter(|id| !known(id)).collect();
            assert!(
                foreign.len() <= ledger.inserts_unsure,
                "{table} has rows that nobody wrote: {foreign:?}"
            );
        }
    }
}

/// Inserts, updates, moves between partitions, deletes: of its own rows.
async fn step(owner: &mut Owner, ledger: &mut Ledger, turn: i64) -> Result<(), Error> {
    let own = ledger.rows.keys().next().cloned().filter(|_| turn % 4 > 1);
    let Some(id) = own else {
        let sql = "insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id)
                   values (9009, 9, $1::int, date_trunc('day', now() at time zone 'UTC'), 9) returning id::text";
        match owner.fetch_value(sql, &[&turn.to_string()]).await {
            Ok(id) => drop(ledger.rows.insert(id.unwrap(), turn)),
            Err(e) => {
                ledger.inserts_unsure += 1;
                return Err(e);
            }
        }
        return Ok(());
    };
    let change = match turn % 4 {
        2 => {
            "update revenues set amount_cents = $2::int, occurred_at = occurred_at - interval '31 days' where id = $1::bigint"
        }
        _ => "delete from revenues where id = $1::bigint and $2::int > 0",
    };
    let done = owner.execute(change, &[&id, &turn.to_string()]).await;
    let amount = ledger.rows.remove(&id);
    match (done, turn % 4) {
        (Err(e), _) => {
            ledger.unsure.push(id);
            return Err(e);
        }
        (Ok(0), _) => return Err(Error::usage(format!("row {id} is not there any more"))),
        (Ok(_), 2) => drop(ledger.rows.insert(id, turn)),
        (Ok(_), _) => ledger.deleted.extend(amount.map(|_| id)),
    }
    Ok(())
}
