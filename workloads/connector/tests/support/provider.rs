//! The simulator as the provider, over real HTTP on a loopback port: what it received, and how it is
//! told to misbehave.

use chat4all_simulator::{Config, Secret, Simulator, StandIns};
use reqwest::Client;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const NUMBER_ID: &str = "106540352242922";
pub const PAGE_ID: &str = "102290129340398";
pub const TOKEN: &str = "token-1";

/// A provider; ends when it is dropped.
pub struct Provider {
    pub url: String,
    client: Client,
    _end: DropGuard,
}

/// A request that the provider received.
#[derive(Debug, Clone, Deserialize)]
pub struct Call {
    /// What the message is called; absent when it was not taken.
    pub message_id: Option<String>,
    #[serde(deserialize_with = "or_empty")]
    pub to: String,
    #[serde(deserialize_with = "or_empty")]
    pub body: String,
    /// The file's link or id; of an upload its name.
    pub media: Option<String>,
    #[serde(deserialize_with = "or_empty")]
    pub correlation: String,
    pub at: jiff::Timestamp,
    pub answer: Answered,
}

/// What the provider answered.
#[derive(Debug, Clone, Deserialize)]
pub struct Answered {
    pub code: Option<i64>,
}

impl Provider {
    pub async fn start(enforce_limits: bool) -> Self {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            phone_number_id: NUMBER_ID.into(),
            access_token: Secret::new(TOKEN),
            app_secret: Secret::new("app-secret-1"),
            webhook_url: None,
            webhook_delay: Config::WEBHOOK_DELAY,
            webhook_patience: Config::WEBHOOK_PATIENCE,
            webhook_capacity: Config::WEBHOOK_CAPACITY,
            log_capacity: Config::LOG_CAPACITY,
            enforce_limits,
            stand_ins: StandIns { page_id: Some(PAGE_ID.into()), ..StandIns::default() },
        };
        let simulator = Simulator::bind(config).await.unwrap();
        let url = format!("http://{}", simulator.address());
        let end = CancellationToken::new();
        tokio::spawn(simulator.serve(end.clone()));
        let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { url, client, _end: end.drop_guard() }
    }

    /// From now on, until it is well again or the fault is used up.
    pub async fn misbehave(&self, fault: Value) {
        let answer = self.client.put(format!("{}/fault", self.url)).json(&fault).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{fault}");
    }

    pub async fn be_well(&self) {
        assert_eq!(self.client.delete(format!("{}/fault", self.url)).send().await.unwrap().status(), 204);
    }

    /// Every request so far, in order of arrival.
    pub async fn calls(&self) -> Vec<Call> {
        #[derive(Deserialize)]
        struct Log {
            entries: Vec<Call>,
        }
        let url = format!("{}/log?limit=10000", self.url);
        self.client.get(url).send().await.unwrap().json::<Log>().await.unwrap().entries
    }

    /// The messages that the provider took, in its order.
    pub async fn taken(&self) -> Vec<Call> {
        self.calls().await.into_iter().filter(|call| call.message_id.is_some()).collect()
    }
}

/// A server that gives everybody this picture; its URL.
pub async fn picture() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/photo.jpg", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\njpeg").await;
        }
    });
    url
}

/// An upload goes to nobody and has no text.
fn or_empty<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}
