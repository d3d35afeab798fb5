//! A client of the API, as a program of a customer would be one.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use tokio::sync::RwLock;
use uuid::Uuid;

use crate::history::{Stored, StoredDelivery};

/// Longer than the API waits for Kafka's acknowledgement (11 s), so that it is the API who tells.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A pod that was killed says nothing. Who does not even acknowledge for so long is not there.
const GONE_AFTER: Duration = Duration::from_secs(3);

/// What every refusal of the API begins its type with.
const PROBLEM: &str = "https://chat4all.io/problems/";

/// The largest page that is asked for.
const PAGE: usize = 200;

/// A client that has signed in as a user. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: String,
    user: Arc<User>,
}

struct User {
    name: String,
    password: String,
    token: RwLock<String>,
}

/// A call of the API failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer came.
    #[error("{0}: no answer")]
    NoAnswer(String, #[source] reqwest::Error),
    /// An answer came that is not the wanted one.
    #[error("{request} was answered with {status}: {body}")]
    Answer {
        /// Method and path.
        request: String,
        /// The status.
        status: StatusCode,
        /// The body.
        body: String,
    },
    /// The answer does not have the form that it should have.
    #[error("{0}: the answer is not what it should be")]
    Form(String, #[source] reqwest::Error),
}

/// What became of a request to send.
#[derive(Debug)]
pub enum Sent {
    /// 202.
    Accepted(Uuid),
    /// Not now, or nobody knows: to be repeated with the same key, not before this time.
    Again {
        /// The `Retry-After` of the answer.
        after: Option<Duration>,
        /// What happened.
        why: Error,
    },
    /// No.
    Refused(Error),
}

/// A message to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The conversation.
    pub conversation: String,
    /// The recipient's address.
    pub recipient: String,
    /// The text.
    pub content: String,
    /// Makes repetitions of the request one message.
    pub idempotency_key: String,
}

impl Api {
    /// Signs in.
    pub async fn sign_in(base: &str, name: &str, password: &str) -> Result<Self, Error> {
        // What proxies are set for does not concern loopback.
        let http = Client::builder().timeout(TIMEOUT).tcp_user_timeout(GONE_AFTER).no_proxy().build();
        let http = http.map_err(|error| Error::NoAnswer("the HTTP client".into(), error))?;
        let user = User { name: name.to_owned(), password: password.to_owned(), token: RwLock::default() };
        let api = Self { http, base: base.to_owned(), user: Arc::new(user) };
        api.renew_token().await?;
        Ok(api)
    }

    async fn renew_token(&self) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Token {
            access_token: String,
        }
        let credentials = json!({"username": self.user.name, "password": self.user.password});
        let request = self.http.post(format!("{}/auth/token", self.base)).json(&credentials);
        let token: Token = read("POST /auth/token", StatusCode::OK, request).await?;
        *self.user.token.write().await = token.access_token;
        Ok(())
    }

    /// Sends a message once.
    pub async fn send(&self, message: &Outgoing) -> Sent {
        #[derive(Deserialize)]
        struct Accepted {
            message_id: Uuid,
        }
        let body = json!({
            "conversation_id": message.conversation,
            "recipient_id": message.recipient,
            "content": message.content,
        });
        let request = self
            .http
            .post(format!("{}/v1/messages", self.base))
            .bearer_auth(&*self.user.token.read().await)
            .header("Idempotency-Key", &message.idempotency_key)
            .json(&body);
        let response = match answered("POST /v1/messages", StatusCode::ACCEPTED, request).await {
            Ok(response) => response,
            Err((error, after)) => return self.not_accepted(error, after).await,
        };
        match response.json::<Accepted>().await {
            Ok(accepted) => Sent::Accepted(accepted.message_id),
            // Cut off in the middle: accepted, but under which id?
            Err(error) => Sent::Again { after: None, why: Error::Form("POST /v1/messages".into(), error) },
        }
    }

    async fn not_accepted(&self, why: Error, after: Option<Duration>) -> Sent {
        let status = match &why {
            // For a moment after a node was restarted, an address may be another pod's than the API's.
            Error::Answer { body, .. } if !body.contains(PROBLEM) => return Sent::Again { after, why },
            Error::Answer { status, .. } => *status,
            _ => return Sent::Again { after, why },
        };
        match status {
            // In flight: the first request with this key has not been answered yet.
            StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE => Sent::Again { after, why },
            StatusCode::UNAUTHORIZED => match self.renew_token().await {
                Ok(()) => Sent::Again { after, why },
                Err(error) => Sent::Refused(error),
            },
            _ => Sent::Refused(why),
        }
    }

    /// All messages of a conversation with what became of them.
    pub async fn messages(&self, conversation: &str) -> Result<Vec<Stored>, Error> {
        let rows: Vec<Row> = self.pages(conversation).await?;
        Ok(rows.into_iter().map(|row| row.stored(conversation)).collect())
    }

    /// All messages of a conversation as the API shows them, newest first, page by page. Pages are asked
    /// for by offset: a cursor names a message, and could hide its second row at the edge of a page. The
    /// conversation must be at rest.
    pub async fn pages<T: for<'de> Deserialize<'de>>(&self, conversation: &str) -> Result<Vec<T>, Error> {
        #[derive(Deserialize)]
        struct Page<T> {
            messages: Vec<T>,
        }
        let mut shown = Vec::new();
        loop {
            let offset = shown.len();
            let path = format!("/v1/conversations/{conversation}/messages?limit={PAGE}&offset={offset}");
            let url = format!("{}{path}", self.base);
            let said = format!("GET {path}");
            let ask = async || {
                read(&said, StatusCode::OK, self.http.get(&url).bearer_auth(&*self.user.token.read().await)).await
            };
            let page: Page<T> = match ask().await {
                Err(Error::Answer { status: StatusCode::UNAUTHORIZED, .. }) => {
                    self.renew_token().await?;
                    ask().await?
                }
                // Before its first message is stored a conversation is not there.
                Err(Error::Answer { status: StatusCode::NOT_FOUND, .. }) => return Ok(shown),
                other => other?,
            };
            let returned = page.messages.len();
            shown.extend(page.messages);
            if returned < PAGE {
                return Ok(shown);
            }
        }
    }

    /// Tells a customer that what they wrote was read.
    pub async fn mark_read(&self, message: Uuid) -> Result<(), Error> {
        let path = format!("/v1/messages/{message}/read");
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&*self.user.token.read().await);
        Ok(answered(&format!("POST {path}"), StatusCode::ACCEPTED, request).await.map(drop)?)
    }

    /// A webhook of the provider, as the provider signs it.
    pub async fn webhook(&self, connector: &str, body: Vec<u8>, app_secret: &str) -> Result<(), Error> {
        let path = format!("/webhooks/{connector}");
        let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(&body);
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let request =
            self.http.post(format!("{}{path}", self.base)).header("X-Hub-Signature-256", signature).body(body);
        Ok(answered(&format!("POST {path}"), StatusCode::OK, request).await.map(drop)?)
    }
}

/// A message in a page.
#[derive(Deserialize)]
struct Row {
    message_id: Uuid,
    deliveries: Vec<StoredDelivery>,
}

impl Row {
    fn stored(self, conversation: &str) -> Stored {
        Stored { message_id: self.message_id, conversation: conversation.to_owned(), deliveries: self.deliveries }
    }
}

impl From<(Error, Option<Duration>)> for Error {
    fn from((error, _): (Error, Option<Duration>)) -> Self {
        error
    }
}

/// Makes a request that must be answered with this status; else tells what happened instead, and
/// after what time the API wants to be asked again.
async fn answered(
    said: &str,
    wanted: StatusCode,
    request: RequestBuilder,
) -> Result<Response, (Error, Option<Duration>)> {
    let response = request.send().await.map_err(|error| (Error::NoAnswer(said.to_owned(), error), None))?;
    let status = response.status();
    if status == wanted {
        return Ok(response);
    }
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = response.text().await.unwrap_or_default();
    Err((Error::Answer { request: said.to_owned(), status, body }, after.map(Duration::from_secs)))
}

async fn read<T: for<'de> Deserialize<'de>>(
    said: &str,
    wanted: StatusCode,
    request: RequestBuilder,
) -> Result<T, Error> {
    answered(said, wanted, request).await?.json().await.map_err(|error| Error::Form(said.to_owned(), error))
}
