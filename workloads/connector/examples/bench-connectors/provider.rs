//! The simulator in a process of its own, so that its memory and its work are not counted as the connector's.

use std::process::Stdio;
use std::time::Duration;

use chat4all_simulator::{Config, Secret, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// The argument with which this program is the provider.
pub const AS_PROVIDER: &str = "as-provider";
pub const NUMBER_ID: &str = "106540352242922";
pub const TOKEN: &str = "token-of-the-bench";

/// Is the provider until it is killed; prints where it listens.
pub async fn serve() {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        phone_number_id: NUMBER_ID.into(),
        access_token: Secret::new(TOKEN),
        app_secret: Secret::new("secret-of-the-bench"),
        webhook_url: None,
        webhook_delay: Config::WEBHOOK_DELAY,
        webhook_patience: Config::WEBHOOK_PATIENCE,
        webhook_capacity: Config::WEBHOOK_CAPACITY,
        log_capacity: 1,
        enforce_limits: false,
        stand_ins: Default::default(),
    };
    let simulator = Simulator::bind(config).await.unwrap();
    println!("http://{}", simulator.address());
    simulator.serve(CancellationToken::new()).await.unwrap();
}

/// A provider; ends when it is dropped.
pub struct Provider {
    pub url: String,
    client: reqwest::Client,
    _process: Child,
}

impl Provider {
    pub async fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(AS_PROVIDER)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.next_line().await.unwrap().expect("the provider says where it is");
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { url, client, _process: process }
    }

    /// Every answer comes after so long.
    pub async fn answer_after(&self, time: Duration) {
        if time.is_zero() {
            self.client.delete(format!("{}/fault", self.url)).send().await.unwrap().error_for_status().unwrap();
        } else {
            self.misbehave(json!({"delayMillis": time.as_millis() as u64})).await;
        }
    }

    /// Every call is refused for now.
    pub async fn be_away(&self) {
        self.misbehave(json!({"status": 503})).await;
    }

    async fn misbehave(&self, fault: Value) {
        let asked = self.client.put(format!("{}/fault", self.url)).json(&fault).send().await;
        asked.unwrap().error_for_status().unwrap();
    }
}
