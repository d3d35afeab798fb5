//! Sends webhooks: signed, in batches, again until they are acknowledged. A handful of workers
//! takes from the outbox; while the receiver is away they wait, and the outbox fills.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use sha2::Sha256;
use tokio::time::{Instant, sleep};

use crate::config::{Config, Error, Secret};
use crate::outbox::Outbox;
use crate::whatsapp::status::{self, Status};

/// Requests at a time. Each is answered after a produce to Kafka, so a few keep thousands of
/// statuses a second going.
pub(crate) const WORKERS: usize = 8;
/// Statuses in one request, well below the real provider's 1000.
const BATCH: usize = 50;
/// The real provider expects an answer within seconds as well.
const TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Short, so that statuses flow soon after the receiver is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Sends the webhooks of one simulator.
pub(crate) struct Sender {
    client: Client,
    target: Url,
    secret: Secret,
    phone_number_id: String,
    patience: Duration,
    pub(crate) outbox: Outbox<Status>,
}

impl Sender {
    /// `None` when there is nowhere to send to.
    pub(crate) fn of(config: &Config) -> Result<Option<Arc<Self>>, Error> {
        let Some(target) = config.webhook_target()? else { return Ok(None) };
        let mut client = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy();
        if target.scheme() == "http" {
            // Else the client insists on finding CA certificates, which a small image need not have.
            client = client.tls_certs_only([]);
        }
        Ok(Some(Arc::new(Self {
            client: client.build().map_err(Error::Client)?,
            target,
            secret: config.app_secret.clone(),
            phone_number_id: config.phone_number_id.clone(),
            patience: config.webhook_patience,
            outbox: Outbox::new(config.webhook_capacity, config.webhook_delay),
        })))
    }

    /// One worker; goes on until it is dropped.
    pub(crate) async fn work(self: Arc<Self>) {
        loop {
            let (statuses, places): (Vec<Status>, Vec<_>) =
                self.outbox.take(BATCH).await.into_iter().map(|pending| pending.into_parts()).unzip();
            let body = Bytes::from(status::webhook(&self.phone_number_id, &statuses));
            if !self.send(body).await {
                tracing::warn!(statuses = statuses.len(), "gave up webhooks that nobody acknowledged");
            }
            for (status, place) in statuses.into_iter().zip(places) {
                if let Some(next) = status.next() {
                    self.outbox.put(next, place);
                }
            }
        }
    }

    /// Whether it was acknowledged before patience ran out.
    async fn send(&self, body: Bytes) -> bool {
        let signature = sign(&self.secret, &body);
        let give_up = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.post(&signature, body.clone()).await {
                Ok(()) => return true,
                Err(why) => tracing::debug!(%why, "webhook not acknowledged"),
            }
            if Instant::now() + pause > give_up {
                return false;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn post(&self, signature: &str, body: Bytes) -> Result<(), String> {
        let request = self
            .client
            .post(self.target.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("X-Hub-Signature-256", signature)
            .body(body);
        let response = request.send().await.map_err(|error| error.to_string())?;
        if response.status().is_success() { Ok(()) } else { Err(format!("answered {}", response.status())) }
    }
}

/// The value of `X-Hub-Signature-256` for these bytes.
fn sign(secret: &Secret, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.0.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
