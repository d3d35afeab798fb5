//! Probes, metrics, stopping, and paths that are not there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use chat4all_message::{
    AcceptedMessage, Address, ConversationId, Delivery, DeliveryEvent, DeliveryId, DeliveryRef, LetterId, MessageId,
    ProviderRef,
};
use chat4all_store::{
    Claim, Closing, Conversations, DeadLetter, DeadLetters, Deed, Error, HeldStatus, IdempotencyKeys, InboundPlace,
    Inbox, Ledger, LedgerEntry, LetterBody, LetterCursor, LetterFilter, LetterPage, Page, PageRequest, People, Person,
    Place, RequestKey, Result, Statuses, Store, StoredDelivery, StoredLetter, Unread, Waiting, WaitingDelivery,
};
use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::serve::serve;
use crate::testing::{Mood, World, hello, post};

#[tokio::test]
async fn readiness_says_which_part_is_not_reachable() {
    let world = World::new();
    assert_eq!(world.get("/readyz").await.status, 200);
    assert_eq!(world.get("/health").await.json(), json!({"status": "ok"}));

    let world = World::new();
    world.kafka.mood.send_replace(Mood::Refuses);
    let answer = world.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({"ready": false, "kafka": "unreachable", "store": "ok", "stopping": false}));
    assert_eq!(world.get("/health").await.status, 503);
    assert_eq!(world.get("/livez").await.status, 200, "a restart would not help");

    let world = World::with_store(Arc::new(Away));
    assert_eq!(world.get("/readyz").await.json()["store"], "unreachable");
}

#[tokio::test]
async fn a_store_that_is_away_is_a_503_with_retry_after() {
    let world = World::with_store(Arc::new(Away));
    let answer = world.post_as("ana", &hello()).await;
    answer.problem(503, "unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    world.get_as("ana", "/v1/conversations/c1/messages").await.problem(503, "unavailable");
    assert!(world.kafka.messages().is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let world = World::new();
    world.get("/v2/messages").await.problem(404, "route-not-found");
    let answer = world.get("/v1/messages").await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test]
async fn requests_are_counted_by_route_template_and_status_class() {
    let world = World::new();
    for id in ["c1", "c2"] {
        world.get_as("ana", &format!("/v1/conversations/{id}/messages")).await;
    }
    world.get("/nowhere").await;
    let metrics = world.get("/metrics").await.text;
    let line = |text: &str| assert!(metrics.lines().any(|l| l == text), "{text} not in {metrics}");
    line("chat4all_api_requests_total{method=\"GET\",route=\"/v1/conversations/{id}/messages\",status=\"4xx\"} 2");
    line("chat4all_api_requests_total{method=\"GET\",route=\"unmatched\",status=\"4xx\"} 1");
    line("chat4all_api_request_duration_seconds_count{route=\"/auth/token\"} 2");
}

#[tokio::test]
async fn failures_are_counted_from_zero() {
    let metrics = World::new().get("/metrics").await.text;
    for line in [
        "chat4all_api_produce_failures_total{topic=\"messages\"} 0",
        "chat4all_api_produce_failures_total{topic=\"inbound\"} 0",
        "chat4all_api_webhook_signature_failures_total{connector=\"main\"} 0",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} not in {metrics}");
    }
}

#[tokio::test]
async fn the_description_names_the_routes_of_clients() {
    let description = World::new().get("/openapi.json").await.json();
    let paths: Vec<&str> = description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let letters =
        ["", "/replay", "/{id}", "/{id}/discard", "/{id}/replay"].map(|rest| format!("/v1/dead-letters{rest}"));
    let others = [
        "/auth/token",
        "/v1/channels",
        "/v1/ledger",
        "/v1/journal/{connector}/replay",
        "/v1/conversations/{id}/messages",
        "/v1/messages",
        "/v1/messages/{id}/read",
    ];
    let expected: BTreeSet<&str> = letters.iter().map(String::as_str).chain(others).collect();
    assert_eq!(paths.into_iter().collect::<BTreeSet<_>>(), expected);
    let accepted = &description["paths"]["/v1/messages"]["post"]["responses"]["202"];
    assert_eq!(accepted["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Accepted");
    assert_eq!(description["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    for responses in
        description["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        let described = |response: &serde_json::Value| response["description"].is_string();
        assert!(responses["responses"].as_object().unwrap().values().all(described), "OpenAPI wants it: {responses}");
    }
    for schema in ["Problem", "NewMessage", "Credentials", "Token", "Messages"] {
        assert!(description["components"]["schemas"][schema].is_object(), "{schema} in {description}");
    }
}

#[tokio::test]
async fn a_stop_lets_requests_under_way_end_and_flushes_the_producer() {
    let world = World::new();
    let token = world.token("ana").await;
    // The first free port; nobody else in this process asks for it by number.
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve(world.api.clone(), listen, world.config.shutdown_grace, shutdown.clone()));
    let mut connection = loop {
        match TcpStream::connect(listen).await {
            Ok(connection) => break connection,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    world.kafka.mood.send_replace(Mood::Waits);
    let body = hello().to_string();
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    while world.kafka.waiting.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    while !world.api.readiness.is_stopping() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.get("/readyz").await.json()["stopping"], true);
    world.kafka.mood.send_replace(Mood::Acknowledges);
    world.kafka.permits.add_permits(1);
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(answer.contains("connection: close"), "clients go elsewhere: {answer}");
    serving.await.unwrap().unwrap();
    assert!(world.kafka.flushed.load(Ordering::Relaxed));
    assert!(TcpStream::connect(listen).await.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn a_request_without_a_token_is_not_read() {
    let world = World::new();
    let body = Body::from_stream(futures::stream::pending::<std::result::Result<Vec<u8>, std::io::Error>>());
    let request = Request::post("/v1/messages").body(body).unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(2), world.send(request)).await.unwrap();
    answer.problem(401, "unauthorized");
    let with_token = post(&world.token("ana").await, &hello(), None);
    assert_eq!(world.send(with_token).await.status, 202);
}

/// A store that does not answer.
struct Away;

fn away<T>() -> Result<T> {
    Err(Error { action: "reach the store".into(), source: "connection refused".into() })
}

#[async_trait]
impl Conversations for Away {
    async fn members(&self, _: &ConversationId) -> Result<BTreeSet<Address>> {
        away()
    }
    async fn add_members(&self, _: &ConversationId, _: &[Address]) -> Result<()> {
        away()
    }
    async fn put_message(&self, _: &AcceptedMessage, _: &[Delivery]) -> Result<()> {
        away()
    }
    async fn deliveries(&self, _: &ConversationId, _: MessageId) -> Result<Option<Vec<StoredDelivery>>> {
        away()
    }
    async fn page(&self, _: &ConversationId, _: &PageRequest) -> Result<Page> {
        away()
    }
}

#[async_trait]
impl Statuses for Away {
    async fn apply(&self, _: &DeliveryRef, _: &DeliveryEvent, _: Timestamp) -> Result<()> {
        away()
    }
    async fn reopen(&self, _: &DeliveryRef, _: Timestamp) -> Result<()> {
        away()
    }
    async fn link(&self, _: &ProviderRef, _: &DeliveryRef) -> Result<()> {
        away()
    }
    async fn linked(&self, _: &ProviderRef) -> Result<Option<DeliveryRef>> {
        away()
    }
    async fn hold(&self, _: &ProviderRef, _: &HeldStatus) -> Result<()> {
        away()
    }
    async fn held(&self, _: &ProviderRef) -> Result<Vec<HeldStatus>> {
        away()
    }
    async fn release(&self, _: &ProviderRef) -> Result<()> {
        away()
    }
}

#[async_trait]
impl Ledger for Away {
    async fn entry(&self, _: DeliveryId) -> Result<Option<LedgerEntry>> {
        away()
    }
    async fn record(&self, _: &DeliveryRef, _: &LedgerEntry) -> Result<()> {
        away()
    }
    async fn delivery(&self, _: DeliveryId) -> Result<Option<DeliveryRef>> {
        away()
    }
    async fn taken(&self, _: DeliveryId, _: &str, _: Timestamp) -> Result<()> {
        away()
    }
}

#[async_trait]
impl People for Away {
    async fn person(&self, _: &Address) -> Result<Person> {
        away()
    }
    async fn same_person(&self, _: &Address, _: &Address) -> Result<()> {
        away()
    }
    async fn met(&self, _: &Address, _: &ConversationId, _: Timestamp) -> Result<()> {
        away()
    }
    async fn wrote_from(&self, _: &Address, _: Timestamp) -> Result<()> {
        away()
    }
    async fn place(&self, _: &str, _: &str, _: &Place) -> Result<Place> {
        away()
    }
}

#[async_trait]
impl Unread for Away {
    async fn sent_to(&self, _: &str, _: &Address, _: Timestamp, _: &DeliveryRef) -> Result<Option<Timestamp>> {
        away()
    }
    async fn read_until(&self, _: &str, _: &Address, _: Timestamp) -> Result<Vec<DeliveryRef>> {
        away()
    }
    async fn forget_read(&self, _: &str, _: &Address, _: Timestamp) -> Result<()> {
        away()
    }
}

#[async_trait]
impl Waiting for Away {
    async fn wait(&self, _: &str, _: &WaitingDelivery) -> Result<()> {
        away()
    }
    async fn overdue(&self, _: &str, _: Timestamp, _: u32) -> Result<Vec<WaitingDelivery>> {
        away()
    }
    async fn take(&self, _: &str, _: &WaitingDelivery) -> Result<bool> {
        away()
    }
    async fn ended(&self, _: &str, _: &WaitingDelivery) -> Result<()> {
        away()
    }
}

#[async_trait]
impl IdempotencyKeys for Away {
    async fn claim(&self, _: &RequestKey, _: &Claim) -> Result<Option<Claim>> {
        away()
    }
    async fn settle(&self, _: &RequestKey, _: &Claim) -> Result<bool> {
        away()
    }
    async fn give_up(&self, _: &RequestKey, _: &Claim) -> Result<()> {
        away()
    }
    async fn withdraw(&self, _: &RequestKey, _: &Claim) -> Result<()> {
        away()
    }
}

#[async_trait]
impl Inbox for Away {
    async fn inbound(&self, _: MessageId) -> Result<Option<InboundPlace>> {
        away()
    }
}

#[async_trait]
impl DeadLetters for Away {
    async fn given_up_at(&self, _: LetterId) -> Result<Option<Timestamp>> {
        away()
    }
    async fn put_letter(&self, _: &DeadLetter, _: &LetterBody) -> Result<()> {
        away()
    }
    async fn letter(&self, _: LetterId) -> Result<Option<(StoredLetter, LetterBody)>> {
        away()
    }
    async fn letters(&self, _: &LetterFilter, _: Option<LetterCursor>, _: usize) -> Result<LetterPage> {
        away()
    }
    async fn close_letter(&self, _: LetterCursor, _: &Closing) -> Result<bool> {
        away()
    }
    async fn note_deed(&self, _: LetterId, _: &Deed) -> Result<()> {
        away()
    }
    async fn deeds(&self, _: LetterId) -> Result<Vec<Deed>> {
        away()
    }
}

#[async_trait]
impl Store for Away {
    async fn ping(&self) -> Result<()> {
        away()
    }
}
