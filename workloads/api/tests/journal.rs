//! The replay of a journal through the API, on a real Kafka with a router and a connector at work. Needs
//! `KAFKA_BOOTSTRAP_SERVERS`; run with `--ignored`.

#![allow(clippy::unwrap_used)]

#[path = "../../connector/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chat4all_api::{Api, Config, Metrics, app};
use chat4all_kafka::ConsumerMetrics;
use chat4all_message::{AcceptedMessage, MessageId, Status, WebhookRecord};
use chat4all_store::{Conversations as _, PageRequest, StoredMessage};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use support::{Cluster, MAIN, NUMBER_ID, Place, Policies, Running, eventually, recipient, with_place};
use tempfile::TempDir;
use tower::ServiceExt as _;

const FIRST: PageRequest = PageRequest { before: None, offset: 0, limit: 1 };

fn start_router(place: &Place<'_>) -> Running<chat4all_kafka::Error> {
    let cluster = place.cluster;
    let config = chat4all_router::Config {
        topics: cluster.topics.clone(),
        connectors: vec![format!("{MAIN}=whatsapp").parse().unwrap()],
        drain: Duration::from_secs(5),
    };
    let (producer, store) = (cluster.producer.clone(), place.memory.clone());
    let router =
        chat4all_router::Router::new(config, &cluster.kafka, producer, store, ConsumerMetrics::default()).unwrap();
    Running::start(router.pulses(), |shutdown| router.run(shutdown))
}

/// The API with the operator `ops`, whose password is its name.
fn api(place: &Place<'_>, files: &TempDir) -> Router {
    let hash = chat4all_api::users::hash_password("ops");
    let users = format!("- {{username: ops, passwordHash: \"{hash}\", role: operator}}\n");
    std::fs::write(files.path().join("users.yaml"), users).unwrap();
    std::fs::write(files.path().join("jwt-key"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let secrets = files.path().join(MAIN);
    std::fs::create_dir_all(&secrets).unwrap();
    std::fs::write(secrets.join("app-secret"), "s").unwrap();
    std::fs::write(secrets.join("verify-token"), "v").unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        kafka: place.cluster.kafka.clone(),
        topics: place.cluster.topics.clone(),
        connectors: vec![format!("{MAIN}=whatsapp").parse().unwrap()],
        auth_dir: files.path().into(),
        webhooks_dir: files.path().into(),
        shutdown_grace: Duration::from_secs(2),
    };
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (journal, store) = (Arc::new(place.cluster.producer.clone()), place.memory.clone());
    app(Arc::new(Api::open(&config, journal, store, metrics, Arc::new(registry)).unwrap()))
}

async fn post(app: &Router, path: &str, token: Option<&str>, body: &Value) -> Value {
    let mut request = Request::post(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = app.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Meta's webhook that tells of a message's delivery.
fn delivered(wamid: &str, to: &str) -> WebhookRecord {
    let status = json!({"id": wamid, "status": "delivered", "timestamp": "1795600000", "recipient_id": to});
    let value = json!({"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER_ID}, "statuses": [status]});
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    WebhookRecord { received_at: Timestamp::now(), headers: BTreeMap::new(), body: body.to_string().into() }
}

async fn stored(place: &Place<'_>, message: &AcceptedMessage) -> StoredMessage {
    place.memory.page(&message.conversation_id, &FIRST).await.unwrap().messages.remove(0)
}

async fn parsed_and_applied(cluster: &Cluster) {
    cluster.drained(&cluster.topics.inbound_group(MAIN), &[cluster.topics.inbound(MAIN)]).await;
    cluster.drained(&cluster.topics.status_group(), &[cluster.topics.status_updates()]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn webhooks_are_parsed_again_under_a_running_connector_and_take_effect_once() {
    with_place(Policies::default(), async |place| {
        let (cluster, files) = (place.cluster, TempDir::new().unwrap());
        let api = api(place, &files);
        let (router, connector) = (start_router(place), place.start());
        let from = Timestamp::now() - SignedDuration::from_secs(1);
        let message = AcceptedMessage {
            message_id: MessageId::now(),
            conversation_id: "c1".parse().unwrap(),
            sender: "ana".parse().unwrap(),
            recipient: Some(recipient(1)),
            content: "olá".into(),
            file_id: None,
            media: None,
            template: None,
            inbound: None,
            reply_to: None,
        };
        cluster.put(&cluster.topics.messages(), "c1", &message).await;
        eventually("the provider has it", async || !place.provider.taken().await.is_empty()).await;
        let call = place.provider.taken().await.remove(0);
        let webhook = delivered(call.message_id.as_deref().unwrap(), &call.to);
        cluster.put(&cluster.topics.inbound(MAIN), "k", &webhook).await;
        eventually("it is delivered", async || {
            let page = place.memory.page(&message.conversation_id, &FIRST).await.unwrap();
            page.messages.first().is_some_and(|stored| stored.status() == Status::Delivered)
        })
        .await;
        let (before, told) = (stored(place, &message).await, cluster.statuses().await.len());

        let login = post(&api, "/auth/token", None, &json!({"username": "ops", "password": "ops"})).await;
        let token = login["access_token"].as_str();
        for round in 1..=2 {
            let path = format!("/v1/journal/{MAIN}/replay");
            let answer = post(&api, &path, token, &json!({"from": from})).await;
            assert_eq!(answer, json!({"webhooks": 1}), "what a replay put there is not replayed");
            parsed_and_applied(cluster).await;
            assert_eq!(cluster.statuses().await.len(), told + round, "it was parsed again");
            assert_eq!(stored(place, &message).await, before, "and changed nothing");
        }
        let later = json!({"from": Timestamp::now() + SignedDuration::from_secs(60), "to": "9999-01-01T00:00:00Z"});
        let nothing = post(&api, &format!("/v1/journal/{MAIN}/replay"), token, &later).await;
        assert_eq!(nothing, json!({"webhooks": 0}));
        assert_eq!(place.provider.calls().await.len(), 1);
        connector.stop().await;
        router.stop().await;
    })
    .await;
}
