//! What the tests of the API stand on: a Kafka that does as it is told, the in-memory store, and
//! requests as clients write them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use argon2::{Argon2, Params, PasswordHasher as _};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use chat4all_kafka::{GroupProtocol, KafkaConfig, Placed, ProduceError};
use chat4all_message::{AcceptedMessage, WebhookRecord};
use chat4all_store::{Memory, Store};
use hmac::{Hmac, KeyInit as _, Mac as _};
use prometheus_client::registry::Registry;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use crate::{Api, Config, Journal, Metrics, app};

pub(crate) const APP_SECRET: &str = "app-secret-of-the-test";
pub(crate) const VERIFY_TOKEN: &str = "verify-token-of-the-test";

/// A hash that costs next to nothing, for tests only.
pub(crate) fn cheap_hash(password: &str) -> String {
    let cheap = Argon2::from(Params::new(8, 1, 1, None).unwrap());
    cheap.hash_password(password.as_bytes()).unwrap().to_string()
}

/// How Kafka behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Acknowledges,
    /// Every record waits for a permit.
    Waits,
    /// Certain that nothing was stored.
    Refuses,
    /// Stores the record, but the acknowledgement is lost.
    Forgets,
}

pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: Vec<(String, String)>,
}

/// A Kafka for tests.
pub(crate) struct FakeKafka {
    pub(crate) mood: watch::Sender<Mood>,
    pub(crate) permits: Semaphore,
    /// Records that wait for a permit.
    pub(crate) waiting: AtomicUsize,
    pub(crate) records: std::sync::Mutex<Vec<Record>>,
    pub(crate) flushed: AtomicBool,
}

impl FakeKafka {
    fn new() -> Self {
        Self {
            mood: watch::Sender::new(Mood::Acknowledges),
            permits: Semaphore::new(0),
            waiting: AtomicUsize::new(0),
            records: std::sync::Mutex::default(),
            flushed: AtomicBool::new(false),
        }
    }

    pub(crate) fn messages(&self) -> Vec<AcceptedMessage> {
        let records = self.records.lock().unwrap();
        records.iter().filter(|r| r.topic == "messages").map(|r| serde_json::from_slice(&r.value).unwrap()).collect()
    }

    pub(crate) fn webhooks(&self) -> Vec<WebhookRecord> {
        let records = self.records.lock().unwrap();
        let inbound = records.iter().filter(|r| r.topic == "main-inbound");
        inbound.map(|r| serde_json::from_slice(&r.value).unwrap()).collect()
    }
}

#[async_trait]
impl Journal for FakeKafka {
    async fn append_with(
        &self,
        topic: &str,
        key: &[u8],
        value: &[u8],
        headers: &[(&str, &[u8])],
    ) -> Result<Placed, ProduceError> {
        let mood = *self.mood.borrow();
        let source = |code| KafkaError::MessageProduction(code);
        if mood == Mood::Refuses {
            return Err(ProduceError::Refused { topic: topic.into(), source: source(RDKafkaErrorCode::QueueFull) });
        }
        if mood == Mood::Waits {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            self.permits.acquire().await.unwrap().forget();
        }
        let key = String::from_utf8(key.to_vec()).unwrap();
        let mut records = self.records.lock().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
        records.push(Record { topic: topic.into(), key, value: value.into(), headers });
        if mood == Mood::Forgets {
            return Err(ProduceError::Unknown {
                topic: topic.into(),
                source: source(RDKafkaErrorCode::MessageTimedOut),
            });
        }
        Ok(Placed { partition: 0, offset: records.len() as i64 - 1 })
    }

    async fn reachable(&self, _within: Duration) -> bool {
        *self.mood.borrow() == Mood::Acknowledges
    }

    fn fatal_error(&self) -> Option<String> {
        None
    }

    async fn flush(&self, _within: Duration) -> bool {
        self.flushed.store(true, Ordering::Relaxed);
        true
    }
}

/// An API with its surroundings.
pub(crate) struct World {
    pub(crate) api: Arc<Api>,
    pub(crate) kafka: Arc<FakeKafka>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: Config,
    _files: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Checks that this is a problem document of this status and kind, and gives its detail.
    pub(crate) fn problem(&self, status: u16, slug: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let document = self.json();
        assert_eq!(document["type"], format!("https://chat4all.io/problems/{slug}"));
        assert_eq!(document["status"], status);
        document["detail"].as_str().unwrap().to_owned()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_store(Arc::new(Memory::new()))
    }

    pub(crate) fn with_store(store: Arc<dyn Store>) -> Self {
        let kafka = Arc::new(FakeKafka::new());
        let (api, config, files) = open(kafka.clone(), store.clone());
        Self { api, kafka, store, config, _files: files }
    }

    pub(crate) fn app(&self) -> Router {
        app(self.api.clone())
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(self.app(), request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, user: &str, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {}", self.token(user).await));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn token(&self, user: &str) -> String {
        token(self.app(), user).await
    }

    /// Posts a message as this user.
    pub(crate) async fn post_as(&self, user: &str, body: &Value) -> Answer {
        self.send(post(&self.token(user).await, body, None)).await
    }

    pub(crate) async fn post_with_key(&self, user: &str, body: &Value, key: &str) -> Answer {
        self.send(post(&self.token(user).await, body, Some(key))).await
    }
}

/// An API on this journal and this store, with the users ana, bob (users), crm (service) and ops
/// (operator), whose passwords are their names, and the WhatsApp connector `main`.
pub(crate) fn open(journal: Arc<dyn Journal>, store: Arc<dyn Store>) -> (Arc<Api>, Config, TempDir) {
    let files = tempfile::tempdir().unwrap();
    let user = |name: &str, role: &str| {
        format!("- username: {name}\n  passwordHash: \"{}\"\n  role: {role}\n", cheap_hash(name))
    };
    let users = user("ana", "user") + &user("bob", "user") + &user("crm", "service") + &user("ops", "operator");
    std::fs::write(files.path().join("users.yaml"), users).unwrap();
    std::fs::write(files.path().join("jwt-key"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let secrets = files.path().join("webhooks/main");
    std::fs::create_dir_all(&secrets).unwrap();
    std::fs::write(secrets.join("app-secret"), APP_SECRET).unwrap();
    std::fs::write(secrets.join("verify-token"), VERIFY_TOKEN).unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        // Nobody listens there.
        kafka: KafkaConfig {
            bootstrap_servers: "127.0.0.1:1".into(),
            session_timeout: Duration::from_secs(6),
            protocol: GroupProtocol::default(),
        },
        topics: chat4all_message::Topics::default(),
        connectors: vec!["main=whatsapp".parse().unwrap()],
        auth_dir: files.path().to_owned(),
        webhooks_dir: files.path().join("webhooks"),
        shutdown_grace: Duration::from_secs(2),
    };
    let mut registry = Registry::with_prefix("chat4all");
    let metrics = Metrics::register(&mut registry);
    let api = Api::open(&config, journal, store, metrics, Arc::new(registry)).unwrap();
    (Arc::new(api), config, files)
}

pub(crate) async fn send(app: Router, request: Request<Body>) -> Answer {
    let response = app.oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = axum::body::to_bytes(response.into_body(), 16 << 20).await.unwrap();
    Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

pub(crate) async fn token(app: Router, user: &str) -> String {
    let body = json!({"username": user, "password": user});
    let request = Request::post("/auth/token").body(Body::from(body.to_string())).unwrap();
    let answer = send(app, request).await;
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

pub(crate) fn post(token: &str, body: &Value, key: Option<&str>) -> Request<Body> {
    let mut request = Request::post("/v1/messages").header("authorization", format!("Bearer {token}"));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

/// A message to a customer that begins conversation `c1`.
pub(crate) fn hello() -> Value {
    json!({"conversation_id": "c1", "content": "olá", "recipient_id": "whatsapp:+5562998765432"})
}

pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

pub(crate) fn webhook(connector: &str, signature: Option<&str>, body: &[u8]) -> Request<Body> {
    let mut request = Request::post(format!("/webhooks/{connector}"));
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    request.body(Body::from(body.to_vec())).unwrap()
}
