//! A switchover on a dialect that it has no statements for: it is refused before anything is sent.

use midwatch::engine::model::error::Class;
use midwatch::features::switchover::status::SwitchoverStatus;

use crate::paper_server::{self, Paper, able};

const TWINS: &str =
    "name = \"p\"\n[[twins]]\nlegacy = \"orders\"\npartitioned = \"orders_parts\"\nkey = [\"id\"]\n";
const WHY: &str = "not supported on text";

#[tokio::test]
async fn every_operation_on_twins_is_disabled_and_its_plan_refused() {
    let (engine, notes) = paper_server::engine(Paper::new(able()), TWINS).await;
    let offers: Vec<_> = engine.offers().into_iter().filter(|o| o.name == "orders").collect();
    let verbs: Vec<_> = offers.iter().map(|o| o.verb).collect();
    assert_eq!(
        verbs,
        [
            "watch",
            "copy-missing",
            "repair-triggers",
            "repair",
            "rehearse",
            "switchover",
            "rollback",
            "cleanup"
        ]
    );
    for offer in offers {
        assert_eq!(offer.disabled.as_deref(), Some(WHY), "{}", offer.verb);
        let refused =
            engine.plan(&paper_server::request(offer.verb, None, &[]), &|_| ()).await.err().unwrap();
        let expected = format!("{} orders: {WHY}", offer.verb);
        assert_eq!((refused.class, refused.message), (Class::Refused, expected));
    }
    assert!(notes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_room_asks_nothing() {
    let (engine, notes) = paper_server::engine(Paper::new(able()), TWINS).await;
    for name in ["all", "orders"] {
        assert_eq!(SwitchoverStatus::read(&engine, name).await.err().unwrap().message, WHY);
    }
    assert!(notes.lock().unwrap().is_empty());
}
