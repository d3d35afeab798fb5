//! The store in a real Cassandra or ScyllaDB behaves as a store. Needs one: set
//! `STORE_CONTACT_POINTS` (default 127.0.0.1:9042) and run with `--ignored`. Each test has a
//! keyspace of its own, dropped at the end.

#![allow(clippy::unwrap_used)]

mod suite;

use std::panic::AssertUnwindSafe;

use chat4all_message::{DeliveryRef, MessageId};
use chat4all_store::cassandra::{CassandraConfig, ConnectError, Migrated, Replication, migrate};
use chat4all_store::{
    Attempt, Cassandra, Claim, ClaimState, IdempotencyKeys as _, Ledger as _, LedgerEntry, Outcome, RequestKey,
};
use futures::future::{BoxFuture, FutureExt as _, join_all};
use jiff::{SignedDuration, Timestamp};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use uuid::Uuid;

fn config() -> CassandraConfig {
    let points = std::env::var("STORE_CONTACT_POINTS").unwrap_or_else(|_| "127.0.0.1:9042".to_owned());
    CassandraConfig {
        contact_points: points.split(',').map(str::to_owned).collect(),
        keyspace: format!("test_{}", Uuid::new_v4().simple()).parse().unwrap(),
    }
}

fn replication() -> Replication {
    r#"{"class":"NetworkTopologyStrategy","replication_factor":"1"}"#.parse().unwrap()
}

async fn plain_session(config: &CassandraConfig) -> Session {
    SessionBuilder::new().known_nodes(&config.contact_points).build().await.unwrap()
}

/// Runs a test on a keyspace name of its own and drops that keyspace whatever happens.
async fn with_keyspace(test: impl for<'a> FnOnce(&'a CassandraConfig) -> BoxFuture<'a, ()>) {
    let config = config();
    let outcome = AssertUnwindSafe(test(&config)).catch_unwind().await;
    let drop = format!("DROP KEYSPACE IF EXISTS \"{}\"", config.keyspace);
    plain_session(&config).await.query_unpaged(drop, ()).await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[tokio::test]
#[ignore = "needs Cassandra"]
async fn cassandra_behaves_as_a_store() {
    with_keyspace(|config| {
        async move {
            migrate(config, &replication()).await.unwrap();
            let store = Cassandra::connect(config).await.unwrap();
            macro_rules! run {
                ($($behaviour:ident)+) => {
                    $(eprintln!("behaviour {}", stringify!($behaviour));
                    suite::$behaviour(&store).await;)+
                };
            }
            for_each_behaviour!(run);
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Cassandra"]
async fn migrating_again_changes_nothing_and_keeps_the_replication_of_the_keyspace() {
    with_keyspace(|config| {
        async move {
            let Migrated { from: None, to } = migrate(config, &replication()).await.unwrap() else { panic!() };
            let other = r#"{"class":"SimpleStrategy","replication_factor":"1"}"#.parse().unwrap();
            assert_eq!(migrate(config, &other).await.unwrap(), Migrated { from: Some(to), to });
            let described = format!("DESCRIBE KEYSPACE \"{}\"", config.keyspace);
            let rows =
                plain_session(config).await.query_unpaged(described, ()).await.unwrap().into_rows_result().unwrap();
            let (_, _, _, text) = rows.rows::<(String, String, String, String)>().unwrap().next().unwrap().unwrap();
            assert!(text.contains("NetworkTopologyStrategy"), "{text}");
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Cassandra"]
async fn several_may_migrate_at_once() {
    with_keyspace(|config| {
        async move {
            let replication = replication();
            let all = join_all((0..4).map(|_| migrate(config, &replication))).await;
            let from: Vec<Option<i32>> = all.into_iter().map(|outcome| outcome.unwrap().from).collect();
            assert_eq!(from.iter().filter(|from| from.is_none()).count(), 1, "one did the work: {from:?}");
            Cassandra::connect(config).await.unwrap();
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Cassandra"]
async fn a_keyspace_may_be_dropped_and_made_again() {
    with_keyspace(|config| {
        async move {
            migrate(config, &replication()).await.unwrap();
            let drop = format!("DROP KEYSPACE \"{}\"", config.keyspace);
            plain_session(config).await.query_unpaged(drop, ()).await.unwrap();
            assert_eq!(migrate(config, &replication()).await.unwrap().from, None);
            suite::of_twenty_concurrent_claims_exactly_one_wins(&Cassandra::connect(config).await.unwrap()).await;
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Cassandra"]
async fn a_newer_schema_is_left_alone_by_migrations_and_used_by_workloads() {
    with_keyspace(|config| {
        async move {
            migrate(config, &replication()).await.unwrap();
            let newer = format!(
                "INSERT INTO \"{}\".schema_version (part, version, applied_at) VALUES ('store', 99, 0)",
                config.keyspace
            );
            plain_session(config).await.query_unpaged(newer, ()).await.unwrap();
            let migrated = migrate(config, &replication()).await.unwrap();
            assert_eq!((migrated.from, migrated.to), (Some(99), 99));
            Cassandra::connect(config).await.unwrap();
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Cassandra"]
async fn without_a_schema_the_error_names_the_remedy() {
    with_keyspace(|config| {
        async move {
            let error = Cassandra::connect(config).await.unwrap_err();
            assert!(matches!(error, ConnectError::NoSchema { .. }), "{error:?}");
            assert!(error.to_string().contains("chat4all migrate"), "{error}");
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Cassandra"]
async fn an_entry_of_a_connector_whose_clock_was_ahead_is_written_over_by_the_next_one() {
    with_keyspace(|config| {
        async move {
            migrate(config, &replication()).await.unwrap();
            let store = Cassandra::connect(config).await.unwrap();
            let delivery = DeliveryRef {
                conversation_id: "c1".parse().unwrap(),
                message_id: MessageId::now(),
                delivery_id: Uuid::new_v4().into(),
            };
            let ahead = (Timestamp::now() + SignedDuration::from_secs(300)).as_microsecond();
            let (keyspace, id) = (&config.keyspace, delivery.delivery_id.as_uuid());
            let write = format!(
                "INSERT INTO \"{keyspace}\".ledger (delivery_id, attempts, attempt, at)
                VALUES ({id}, 1, 'attempting', '2026-11-28T10:05:00Z') USING TIMESTAMP {ahead}"
            );
            plain_session(config).await.query_unpaged(write, ()).await.unwrap();
            let standing = store.entry(delivery.delivery_id).await.unwrap().unwrap();
            assert!(matches!(standing.attempt, Attempt::Attempting { .. }));
            let outcome = Outcome::Sent { provider_id: Some("wamid.1".into()) };
            let attempt = Attempt::Ended { at: "2026-11-28T10:00:01Z".parse().unwrap(), outcome };
            let next = LedgerEntry { attempt, ..standing };
            store.record(&delivery, &next).await.unwrap();
            assert_eq!(store.entry(delivery.delivery_id).await.unwrap(), Some(next));
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
#[ignore = "needs Cassandra"]
async fn a_claim_that_was_given_up_is_forgotten_as_a_whole() {
    with_keyspace(|config| {
        async move {
            migrate(config, &replication()).await.unwrap();
            let store = Cassandra::connect(config).await.unwrap();
            let key = RequestKey { user: "ana".into(), key: "k1".into() };
            let (message_id, since) = (MessageId::now(), Timestamp::now());
            let claim = Claim { fingerprint: [7; 32], message_id, since, state: ClaimState::InFlight };
            store.claim(&key, &claim).await.unwrap();
            store.give_up(&key, &claim).await.unwrap();
            let written = format!(
                "SELECT WRITETIME(fingerprint), WRITETIME(message_id), WRITETIME(since), WRITETIME(state)
                FROM \"{}\".idempotency_keys",
                config.keyspace
            );
            let rows = plain_session(config).await.query_unpaged(written, ()).await.unwrap();
            let (a, b, c, d) = rows.into_rows_result().unwrap().single_row::<(i64, i64, i64, i64)>().unwrap();
            assert_eq!([a, b, c], [d, d, d], "columns written together live equally long");
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
async fn an_unreachable_store_is_named_with_each_contact_point() {
    // Port 1 of the loopback: nothing listens there. The other name never resolves (RFC 6761).
    let contact_points = vec!["127.0.0.1:1".to_owned(), "cassandra.invalid:9042".to_owned()];
    let config = CassandraConfig { contact_points, ..config() };
    let error = Cassandra::connect(&config).await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1: ") && error.contains("refused"), "{error}");
    assert!(error.contains("cassandra.invalid:9042: "), "{error}");
    assert!(error.contains("STORE_CONTACT_POINTS"), "{error}");
}
