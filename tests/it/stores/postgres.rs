//! What only a server can get wrong.

use std::convert::Infallible;

use vestibule::store::{DatabaseUrl, OpenError, Opening, RegisterError, Store, StoreError, Taken, Who};

use super::accounts::{account, all_at_once, at, key, register};
use super::limits::hourly;
use crate::harness::postgres::{Database, execute, number};

async fn open(url: &str) -> Result<Store, OpenError> {
    Store::open(&DatabaseUrl::parse(url).expect("a database URL"), Opening::Serve).await
}

#[tokio::test]
async fn a_foreign_users_table_is_refused_untouched() {
    let database = Database::create().await;
    execute(&database.url, "CREATE TABLE users (id int)").await;
    let error = open(&database.url).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(number(&database.url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 1);
    database.drop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_one_clear_line() {
    let nowhere = ["postgres://u:s3cret@127.0.0.1:1/v", "postgres://u:s3cret@%2Fnowhere/v"];
    for url in nowhere {
        let error = open(url).await.unwrap_err();
        let line = error.to_string();
        assert!(matches!(error, OpenError::Connect { .. }) && line.contains("cannot connect"), "{line}");
        assert!(!line.contains('\n') && !line.contains("s3cret"), "{line}");
    }
    let database = Database::create().await;
    let url = format!("{}_absent", database.url);
    let line = open(&url).await.unwrap_err().to_string();
    assert!(line.contains("does not exist"), "{line}");
    database.drop().await;
}

/// The rights that docs/operations.md names, and no others.
#[tokio::test]
async fn a_role_that_may_not_change_tables_serves() {
    let database = Database::create().await;
    open(&database.url).await.expect("the owner makes the tables").close().await;
    let role = format!("serving_{}", database.url.rsplit('/').next().expect("a name"));
    let (start, host) = database.url.split_once('@').expect("a user");
    let url = format!("{}//{role}@{host}", start.split_once("//").expect("a scheme").0);
    execute(&database.url, &format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO PUBLIC;"))
        .await;
    execute(
        &database.url,
        &include_str!("../../../docs/serving-role.sql")
            .replace("TO vestibule_serving;", &format!("TO {role};")),
    )
    .await;
    let store = open(&url).await.expect("it may look at all that it needs");
    assert_eq!(register(&store, account("a@example.com")).await.expect("an account"), 1);
    let now = at("2026-12-04T09:30:00Z");
    store.purge(now).await.expect("it may forget repetitions and proofs");
    assert_eq!(store.take(vec![hourly(1, 1)], true).await.expect("it may count"), Taken::All);
    store.purge_limits().await.expect("and forget that");
    store.purge_attempts(vestibule::user::least_uuid_v7(now)).await.expect("and attempts");
    assert!(store.find(&Who::Key(key("email", "a@example.com"))).await.expect("it may read").is_some());
    store.close().await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a session");
    tokio::spawn(connection);
    for forbidden in
        ["CREATE TABLE more ()", "DROP TABLE users", "ALTER TABLE users ADD more int", "DELETE FROM events"]
    {
        let error = client.batch_execute(forbidden).await.expect_err(forbidden);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{forbidden}");
    }
    drop(client);
    execute(&database.url, &format!("DROP OWNED BY {role}; DROP ROLE {role};")).await;
    database.drop().await;
}

#[tokio::test]
async fn of_several_hosts_the_one_that_can_be_written_to_serves() {
    let database = Database::create().await;
    // The first of them is not there; without a word about it, only a server that takes writes will do.
    let (start, host) = database.url.split_once('@').expect("a user");
    let url = format!("{start}@%2Fnowhere,{host}");
    let store = open(&url).await.expect("the second one serves");
    assert_eq!(register(&store, account("a@example.com")).await.unwrap(), 1);
    store.close().await;
    // One that can only be read, as a standby can, is passed by.
    execute(&database.url, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$").await;
    let error = open(&url).await.unwrap_err();
    assert!(matches!(error, OpenError::Connect { .. }), "{error}");
    database.drop().await;
}

/// Makes the first inserts of an event fail with an SQLSTATE of choice.
fn failing(times: u32, action: &str) -> String {
    format!(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('tries') <= {times} THEN {action}; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail();"
    )
}

#[tokio::test]
async fn a_serialization_failure_or_dead_lock_is_tried_again() {
    for code in ["40001", "40P01"] {
        let database = Database::create().await;
        let store = open(&database.url).await.unwrap();
        execute(&database.url, &failing(3, &format!("RAISE EXCEPTION 'again' USING ERRCODE = '{code}'")))
            .await;
        assert_eq!(register(&store, account("a@example.com")).await.unwrap(), 1);
        assert_eq!(number(&database.url, "SELECT count(*) FROM users").await, 1);
        database.drop().await;
    }
}

/// A trigger refuses a fifth of all inserts at random, as a server under serializable isolation does. Five tries let
/// one sign-up in three thousand fail; whoever fails is told so and has left nothing.
#[tokio::test(flavor = "multi_thread")]
async fn random_serialization_failures_lose_and_double_nobody() {
    let database = Database::create().await;
    let store = open(&database.url).await.unwrap();
    let at_random = "
        CREATE SEQUENCE refusals;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF random() < 0.2 THEN
                PERFORM nextval('refusals');
                RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER fail BEFORE INSERT ON user_keys FOR EACH ROW EXECUTE FUNCTION fail();";
    execute(&database.url, at_random).await;
    let all = (0..200).map(|number| account(&format!("u{number}@example.com")));
    let outcomes = all_at_once(&store, all).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as i64;
    let lost =
        |o: &&Result<_, _>| !matches!(o, Ok(_) | Err(RegisterError::Unavailable(StoreError::Refused(_))));
    assert_eq!(outcomes.iter().find(lost).map(|o| format!("{o:?}")), None);
    assert!(won >= 190, "{won}");
    for table in ["users", "user_keys", "events"] {
        assert_eq!(number(&database.url, &format!("SELECT count(*) FROM {table}")).await, won, "{table}");
    }
    assert!(number(&database.url, "SELECT last_value FROM refusals").await > 10, "the trigger was there");
    database.drop().await;
}

#[tokio::test]
async fn trying_again_has_an_end() {
    let database = Database::create().await;
    let store = open(&database.url).await.unwrap();
    execute(&database.url, &failing(1_000_000, "RAISE EXCEPTION 'again' USING ERRCODE = '40001'")).await;
    let refused = register(&store, account("a@example.com")).await;
    assert!(matches!(refused, Err(RegisterError::Unavailable(StoreError::Refused(_)))), "{refused:?}");
    assert_eq!(number(&database.url, "SELECT count(*) FROM users").await, 0);
    database.drop().await;
}

#[tokio::test]
async fn a_violation_that_is_no_claim_is_never_told_as_taken() {
    let database = Database::create().await;
    let store = open(&database.url).await.unwrap();
    execute(&database.url, &failing(9, "RAISE EXCEPTION 'x' USING ERRCODE = '23505', CONSTRAINT = 'other'"))
        .await;
    let refused = register(&store, account("a@example.com")).await;
    assert!(matches!(refused, Err(RegisterError::Unavailable(StoreError::Refused(_)))), "{refused:?}");
    database.drop().await;
}

#[tokio::test]
async fn f8_a_claim_that_was_given_back_is_tried_again() {
    let database = Database::create().await;
    let store = open(&database.url).await.unwrap();
    let given_back = "RAISE EXCEPTION 'x' USING ERRCODE = '23505', CONSTRAINT = 'user_keys_pkey'";
    execute(&database.url, &failing(2, given_back)).await;
    assert_eq!(register(&store, account("a@example.com")).await.unwrap(), 1);
    database.drop().await;
}

#[tokio::test]
async fn a_connection_lost_in_the_write_is_unknown() {
    let database = Database::create().await;
    let store = open(&database.url).await.unwrap();
    execute(&database.url, &failing(1, "PERFORM pg_terminate_backend(pg_backend_pid())")).await;
    let lost = register(&store, account("a@example.com")).await;
    assert!(matches!(lost, Err(RegisterError::Unknown(_))), "{lost:?}");
    // The next one gets a connection that works.
    register(&store, account("b@example.com")).await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn a_connection_lost_before_the_write_costs_nothing() {
    let database = Database::create().await;
    let store = open(&database.url).await.unwrap();
    register(&store, account("a@example.com")).await.unwrap();
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for round in 0..10 {
        execute(&database.url, others).await;
        register(&store, account(&format!("u{round}@example.com"))).await.unwrap();
        execute(&database.url, others).await;
        assert!(store.find(&Who::Key(key("email", "a@example.com"))).await.unwrap().is_some());
    }
    database.drop().await;
}

#[tokio::test]
async fn sessions_have_limits_and_a_name() {
    let database = Database::create().await;
    let store = open(&format!("{}?options=-c%20lock_timeout%3D77", database.url)).await.unwrap();
    let seal = |_| Err::<vestibule::store::Sealed<()>, _>(());
    assert!(matches!(store.register(account("a@example.com"), seal).await, Err(RegisterError::Seal(()))));
    let named = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vestibule'";
    assert!(number(&database.url, named).await >= 1);
    // A sign-up that waits for a lock gives up, by the limit that the URL set.
    let (blocker, connection) = tokio_postgres::connect(&database.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    blocker.batch_execute("BEGIN; LOCK TABLE user_keys").await.unwrap();
    let refused: Result<i64, RegisterError<Infallible>> = register(&store, account("b@example.com")).await;
    let Err(RegisterError::Unavailable(StoreError::Refused(fault))) = refused else { panic!("{refused:?}") };
    assert_eq!(fault.code.as_deref(), Some("55P03"));
    drop(blocker);
    database.drop().await;
}
