//! A simulator on a loopback port, a receiver for its webhooks, and short ways to speak to both.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chat4all_simulator::{Config, Secret, Simulator};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const NUMBER_ID: &str = "106540352242922";
pub const TOKEN: &str = "token-1";
pub const APP_SECRET: &str = "app-secret-1";
const PATIENCE: Duration = Duration::from_secs(20);

/// A running simulator; ends when it is dropped.
pub struct Running {
    pub url: String,
    pub client: reqwest::Client,
    _end: DropGuard,
}

pub fn config(webhook_url: Option<String>) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        phone_number_id: NUMBER_ID.into(),
        access_token: Secret::new(TOKEN),
        app_secret: Secret::new(APP_SECRET),
        webhook_url,
        webhook_delay: Duration::from_millis(5),
        webhook_patience: Config::WEBHOOK_PATIENCE,
        webhook_capacity: Config::WEBHOOK_CAPACITY,
        log_capacity: Config::LOG_CAPACITY,
        enforce_limits: false,
        stand_ins: Default::default(),
    }
}

/// A simulator that sends no webhooks.
pub async fn silent() -> Running {
    start(config(None)).await
}

pub async fn start(config: Config) -> Running {
    let simulator = Simulator::bind(config).await.unwrap();
    let shutdown = CancellationToken::new();
    let url = format!("http://{}", simulator.address());
    tokio::spawn(simulator.serve(shutdown.clone()));
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    Running { url, client, _end: shutdown.drop_guard() }
}

pub fn text_to(to: &str, body: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "type": "text",
        "text": {"body": body, "preview_url": false},
        "biz_opaque_callback_data": format!("correlation of {body}"),
    })
}

impl Running {
    pub fn messages_url(&self) -> String {
        format!("{}/v25.0/{NUMBER_ID}/messages", self.url)
    }

    pub async fn try_send(&self, body: &Value) -> Result<reqwest::Response, reqwest::Error> {
        self.client.post(self.messages_url()).bearer_auth(TOKEN).json(body).send().await
    }

    /// Status and body of the answer.
    pub async fn send(&self, body: &Value) -> (u16, Value) {
        parts(self.try_send(body).await.unwrap()).await
    }

    pub async fn set_fault(&self, fault: Value) {
        let response = self.client.put(format!("{}/fault", self.url)).json(&fault).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }

    pub async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    pub async fn delete(&self, path: &str) {
        assert_eq!(self.client.delete(format!("{}{path}", self.url)).send().await.unwrap().status(), 204);
    }

    pub async fn log(&self) -> Vec<Value> {
        self.get("/log?limit=10000").await["entries"].as_array().unwrap().clone()
    }
}

pub async fn parts(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Takes webhooks. Refuses a wrong signature, and otherwise answers as it is told, then with 200.
pub struct Receiver {
    pub url: String,
    requests: mpsc::UnboundedReceiver<Request>,
    statuses: VecDeque<Value>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

/// A webhook as it came.
#[derive(Debug)]
pub struct Request {
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Clone)]
struct Inbox {
    requests: mpsc::UnboundedSender<Request>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/whatsapp", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        let answers = Arc::default();
        let inbox = Inbox { requests: sender, answers: Arc::clone(&answers) };
        let app = Router::new().route("/webhooks/whatsapp", post(take)).with_state(inbox);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, requests, statuses: VecDeque::new(), answers }
    }

    pub fn answer_first_with(&self, answers: &[u16]) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// The next webhook that was taken with a valid signature and acknowledged.
    pub async fn next_request(&mut self) -> Request {
        timeout(PATIENCE, self.requests.recv()).await.expect("no webhook came").unwrap()
    }

    /// The next status out of these webhooks.
    pub async fn next(&mut self) -> Value {
        while self.statuses.is_empty() {
            let body: Value = serde_json::from_slice(&self.next_request().await.body).unwrap();
            let value = &body["entry"][0]["changes"][0]["value"];
            assert_eq!(value["metadata"]["phone_number_id"], NUMBER_ID);
            self.statuses.extend(value["statuses"].as_array().unwrap().iter().cloned());
        }
        self.statuses.pop_front().unwrap()
    }

    pub async fn next_names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.next().await["status"].as_str().unwrap().to_owned());
        }
        names
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut mac = Hmac::<Sha256>::new_from_slice(APP_SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let signature = headers["x-hub-signature-256"].to_str().unwrap().strip_prefix("sha256=").unwrap();
    if mac.verify_slice(&hex::decode(signature).unwrap()).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let answer = inbox.answers.lock().unwrap().pop_front().unwrap_or(200);
    if answer == 200 {
        inbox.requests.send(Request { headers, body }).unwrap();
    }
    StatusCode::from_u16(answer).unwrap()
}
