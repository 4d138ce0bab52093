//! Roles: who looks as superuser, and who can create in the search path, each planted and found, and nothing else.

use midwatch::engine::model::report::Severity;

use crate::common::{Database, engine, observe, shared_server};

/// Its database is named nowhere, so it is production.
const PROFILE: &str = "name = \"p\"\nsearch_path = [\"app\", \"public\"]\n[[anomalies]]\nname = \"r\"\ntitle = \"r\"\n\
                       key = [\"id\"]\nsql = \"select 1 as id where false\"\n";

fn as_role(database: &Database, role: &str) -> String {
    database.url().replacen(shared_server().user(), role, 1)
}

async fn prepared(script: &str) -> Database {
    let database = Database::empty().await;
    let roles = ["looks", "creates", "owns"].map(|r| {
        format!("do $$ begin create role roles_{r} login; exception when duplicate_object or unique_violation then null; end $$;")
    });
    let mut owner = database.owner().await;
    owner.execute_script(&(roles.join("\n") + script)).await.unwrap();
    database
}

#[tokio::test]
async fn looking_as_superuser_is_critical_on_production_and_information_on_a_demo() {
    let database = prepared("create schema app").await;
    let report = observe(&engine(&database.url(), PROFILE).await, "roles/reader").await;
    assert_eq!((report.status.word(), report.findings.len()), ("fail", 1), "{report:?}");
    assert_eq!(report.findings[0].id, "roles/reader/superuser");
    assert!(report.notes.iter().any(|n| n.text.contains("midwatch doctor --grants")), "{:?}", report.notes);
    let reader = engine(&as_role(&database, "roles_looks"), PROFILE).await;
    let report = observe(&reader, "roles/reader").await;
    assert_eq!((report.status.word(), report.findings.len()), ("ok", 0), "{report:?}");
    for (environment, severity, status) in
        [("staging", Severity::Warning, "warn"), ("demo", Severity::Info, "ok")]
    {
        let set = format!("alter database {} set midwatch.environment = '{environment}'", database.name);
        database.owner().await.execute_script(&set).await.unwrap();
        let report = observe(&engine(&database.url(), PROFILE).await, "roles/reader").await;
        assert_eq!((report.findings[0].severity, report.status.word()), (severity, status));
    }
}

/// Who can become a superuser, or reach a program through a role, is named with it.
#[tokio::test]
async fn a_member_of_what_reaches_the_server_is_named() {
    let database = prepared(
        "create schema app;
         do $$ begin create role roles_runs login; create role roles_becomes login; create role roles_super superuser;
           grant pg_execute_server_program to roles_runs; grant roles_super to roles_becomes;
         exception when duplicate_object or unique_violation then null; end $$",
    )
    .await;
    for (role, finding, named) in [
        ("roles_runs", "roles/reader/powers", "pg_execute_server_program"),
        ("roles_becomes", "roles/reader/superuser", "roles_super"),
    ] {
        let report = observe(&engine(&as_role(&database, role), PROFILE).await, "roles/reader").await;
        assert_eq!(report.findings[0].id, finding, "{report:?}");
        assert!(report.summary.contains(named), "{report:?}");
    }
}

/// Each statement of the report takes away what it names: after all of them nothing is found.
#[tokio::test]
async fn who_can_create_in_the_search_path_is_named_and_its_statements_end_it() {
    let database = prepared(
        "create schema app authorization roles_owns; grant create on schema app to roles_creates with grant option;
         grant create on schema public to public",
    )
    .await;
    let looking = engine(&as_role(&database, "roles_looks"), PROFILE).await;
    let report = observe(&looking, "roles/search-path").await;
    assert_eq!((report.status.word(), report.findings.len()), ("fail", 2), "{report:?}");
    assert!(!report.findings[0].message.contains("with the rights of"), "{report:?}");
    let engine = engine(&database.url(), PROFILE).await;
    let report = observe(&engine, "roles/search-path").await;
    assert_eq!(report.status.word(), "fail");
    assert!(report.findings[0].message.contains("run with the rights of keeper"), "{report:?}");
    let ids: Vec<_> = report.findings.iter().map(|f| f.id.as_str()).collect();
    assert_eq!(ids, ["roles/search-path/creators/app", "roles/search-path/creators/public"]);
    assert!(report.findings[0].message.contains("role roles_creates"), "{report:?}");
    assert!(report.findings[0].message.contains("its owner role roles_owns"), "{report:?}");
    assert!(report.findings[1].message.contains("every role"), "{report:?}");
    for creator in report.facts["creators"].as_array().unwrap() {
        let statement = creator["revocation"].as_str().unwrap();
        assert!(report.notes.iter().any(|n| n.text.contains(statement)), "{:?}", report.notes);
        database.owner().await.execute_script(statement).await.unwrap();
    }
    let report = observe(&engine, "roles/search-path").await;
    assert_eq!((report.status.word(), report.findings.len()), ("ok", 0), "{report:?}");
}

/// An application's schema is owned by its role: that is a warning, unless who reads or changes could do more than it.
#[tokio::test]
async fn the_owner_of_a_schema_alone_is_a_warning_where_nobody_has_more_rights() {
    let database = prepared("create schema app authorization roles_owns").await;
    for (role, attribute, status) in
        [("roles_owner_looks", "", "warn"), ("roles_owner_creates", "createrole", "fail")]
    {
        let role_is = format!("drop role if exists {role}; create role {role} login {attribute}");
        database.owner().await.execute_script(&role_is).await.unwrap();
        let report = observe(&engine(&as_role(&database, role), PROFILE).await, "roles/search-path").await;
        assert_eq!((report.status.word(), report.findings.len()), (status, 1), "{report:?}");
    }
}

/// Who may create a schema in the database may create one that the path names and nobody has.
#[tokio::test]
async fn a_schema_that_does_not_exist_can_be_created_by_others() {
    let database = prepared("").await;
    let engine = engine(&database.url(), PROFILE).await;
    assert_eq!(observe(&engine, "roles/search-path").await.status.word(), "ok");
    let grant = format!("grant create on database {} to roles_creates", database.name);
    database.owner().await.execute_script(&grant).await.unwrap();
    let report = observe(&engine, "roles/search-path").await;
    assert_eq!(report.findings.len(), 1, "{report:?}");
    let expected = format!("REVOKE CREATE ON DATABASE \"{}\" FROM \"roles_creates\"", database.name);
    assert_eq!(report.facts["creators"][0]["revocation"], expected);
}

#[tokio::test]
async fn a_socket_of_this_machine_is_not_exposed() {
    let database = prepared("").await;
    let report = observe(&engine(&database.url(), PROFILE).await, "roles/transport").await;
    assert_eq!((report.status.word(), &report.facts["exposed"]), ("ok", &serde_json::json!(false)));
}
