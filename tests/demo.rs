//! The planted problems are exactly what the manifest says.

mod common;

use common::{Database, shared_server};
use midwatch::sandbox::demo::{System, load_system};

#[tokio::test]
async fn try_load() {
    for (name, rows) in [("hithonix", 50_000), ("hospitality", 50_000)] {
        let rows = std::env::var("ROWS").ok().and_then(|r| r.parse().ok()).unwrap_or(rows);
        let database = Database::empty().await;
        let begun = std::time::Instant::now();
        let manifest = load_system(shared_server(), &database.name, System::named(name).unwrap(), rows).await;
        println!("{name} {:?}", begun.elapsed());
        match manifest {
            Ok(m) => std::fs::write(format!("/tmp/m-{name}.json"), serde_json::to_string_pretty(&m).unwrap())
                .unwrap(),
            Err(e) => panic!("{e}"),
        }
    }
}
