//! `POST /v1/messages`: checks a message and puts it into Kafka. 202 means that Kafka has it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chat4all_kafka::ProduceError;
use chat4all_message::{ConversationId, MessageId};
use chat4all_store::{Claim, ClaimState, RequestKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::draft::Draft;
use crate::idempotency::{self, Claimed, Turn};
use crate::problem::{Document, Problem};
use crate::{Api, body};

const LARGEST_BODY: usize = 64 << 10;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Seconds until a broker that was restarted answers again, roughly.
const KAFKA_RETRY_AFTER: u64 = 5;

/// A message to send.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field so that errors name the field")]
pub(crate) struct NewMessage {
    /// 1 to 128 letters, digits or `. _ : @ + -`, chosen by the client.
    #[schema(example = "order-1042")]
    conversation_id: String,
    /// 1 to 10,240 bytes of UTF-8, and no more than the recipient's channel carries (see
    /// /v1/channels). May be left out where there is `media` or `template`.
    #[schema(example = "Your order is on its way.")]
    content: Option<String>,
    /// Needed in the first message of a conversation; later all other members receive a message
    /// that names nobody.
    #[schema(example = "whatsapp:+5562998765432")]
    recipient_id: Option<String>,
    /// The token's user when it is left out; somebody else only with a token of a service.
    sender_id: Option<String>,
    /// A file sent along by its id, between users of this deployment.
    file_id: Option<String>,
    /// A file sent along, which the recipient's provider fetches.
    media: Option<NewMedia>,
    /// A text that the recipient's provider approved beforehand; alone, without `content` and files.
    template: Option<NewTemplate>,
    /// The `provider_message_id` of the message that this one answers; needs `recipient_id`.
    reply_to: Option<String>,
}

/// A file by URL or by the provider's id.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a part of the body, as above")]
pub(crate) struct NewMedia {
    /// `image`, `video`, `audio` or `document`.
    #[schema(example = "image")]
    kind: String,
    /// http or https; at most 2,048 bytes. Either this or `id`.
    #[schema(example = "https://files.example.com/invoice.pdf")]
    url: Option<String>,
    /// The provider's id of a file that it has already, where the channel takes it.
    id: Option<String>,
    /// What a document sent by `id` is shown as.
    filename: Option<String>,
}

/// A template with what goes into its blanks.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a part of the body, as above")]
pub(crate) struct NewTemplate {
    /// As it was given at the provider: lower-case letters, digits and `_`.
    #[schema(example = "order_shipped")]
    name: String,
    #[schema(example = "pt_BR")]
    language: String,
    /// The parts that have blanks, in the form of the provider (see docs/channels.md):
    /// `header`, `body` and `button` with `parameters`.
    #[schema(value_type = Vec<Object>)]
    components: Option<Vec<serde_json::Value>>,
}

/// A message that was accepted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// A UUID of version 7.
    message_id: Uuid,
    /// Always `ACCEPTED`; what becomes of it is told by the conversation.
    #[schema(example = "ACCEPTED")]
    status: &'static str,
    #[schema(example = "order-1042")]
    conversation_id: String,
}

/// Send a message.
///
/// 202 means that it is stored safely and will be delivered, or fail visibly. After any other
/// answer, or none, send it again with the same `Idempotency-Key`: it is then sent once.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages", request_body = NewMessage, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; remembered for 24 hours")),
    responses(
        (status = 202, body = Accepted, description = "Kafka has it", headers(("Idempotency-Replayed" = String, description = "`true` when this repeats the first answer"))),
        (status = 400, body = Document, description = "A field is wrong; `field` names it", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not the sender, or not a member", content_type = "application/problem+json"),
        (status = 409, body = Document, description = "The first request with this key is still at work", content_type = "application/problem+json"),
        (status = 413, body = Document, description = "More than 64 KiB", content_type = "application/problem+json"),
        (status = 422, body = Document, description = "The key belongs to another body", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "Kafka or the store is away; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn message(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = idempotency::key(&headers)?;
    let bytes = body::read(&headers, body, LARGEST_BODY).await?;
    let draft = Draft::read(&bytes, &user, &api.connectors)?;
    let turn = key.as_ref().map(|_| api.keyed.take()).transpose()?;
    let members = api.members.look_up(&draft.conversation, &draft.sender).await?;
    draft.may_enter(&members, user.role)?;
    match key {
        None => {
            let (id, conversation) = (MessageId::now(), draft.conversation.clone());
            place(&api, draft, id).await.map_err(|error| unkeyed(&error))?;
            Ok(accepted(id, &conversation))
        }
        Some(key) => {
            let key = RequestKey { user: user.address.to_string(), key };
            once(&api, turn, draft, &key, Sha256::digest(&bytes).into()).await
        }
    }
}

/// Sends a message whose request may come several times. Its `turn` ends when it is claimed: what waits for
/// Kafka keeps nobody from the store.
async fn once(
    api: &Api,
    turn: Option<Turn<'_>>,
    draft: Draft,
    key: &RequestKey,
    fingerprint: [u8; 32],
) -> Result<Response, Problem> {
    let conversation = draft.conversation.clone();
    let claim = match idempotency::claim(&*api.store, key, fingerprint).await? {
        Claimed::Ours(claim) => claim,
        Claimed::Replay(id) => {
            let mut response = accepted(id, &conversation);
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            return Ok(response);
        }
    };
    drop(turn);
    if let Err(error) = place(api, draft, claim.message_id).await {
        return Err(failed(api, key, &claim, &error).await);
    }
    let settled = Claim { state: ClaimState::Accepted, ..claim.clone() };
    if let Err(error) = api.store.settle(key, &settled).await {
        // It is accepted. A repetition takes the claim over and uses the same id again.
        tracing::warn!(%error, message_id = %claim.message_id, "an accepted request was not written down as such");
    }
    Ok(accepted(claim.message_id, &conversation))
}

/// Puts a message into Kafka; returns when all replicas have it.
async fn place(api: &Api, draft: Draft, id: MessageId) -> Result<(), ProduceError> {
    let message = draft.accept(id);
    let value = serde_json::to_vec(&message).expect("a message has only strings");
    let key = message.conversation_id.as_str();
    let placed = api.journal.append(&api.topics.messages(), key.as_bytes(), &value).await;
    match &placed {
        Ok(at) => tracing::debug!(message_id = %id, partition = at.partition, offset = at.offset, "accepted a message"),
        Err(error) => {
            api.metrics.produce_failed("messages");
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(message_id = %id, %error, cause, "could not accept a message");
        }
    }
    placed.map(drop)
}

/// What to tell when a request with a key failed. When it is certain that nothing was stored, the
/// key is given back. Otherwise the claim is given up: the retry takes it over with the same
/// message id, so that the message is sent once even if Kafka has it already.
async fn failed(api: &Api, key: &RequestKey, claim: &Claim, error: &ProduceError) -> Problem {
    if error.is_certain() {
        match api.store.withdraw(key, claim).await {
            Ok(()) => {
                let detail = "Kafka is not reachable; nothing was accepted, send the request again";
                return Problem::unavailable(KAFKA_RETRY_AFTER, detail);
            }
            Err(error) => tracing::warn!(%error, "could not give an idempotency key back"),
        }
    }
    let detail = "Kafka did not acknowledge the message in time; send the request again with the same Idempotency-Key";
    let wait = match api.store.give_up(key, claim).await {
        Ok(()) => KAFKA_RETRY_AFTER,
        Err(error) => {
            tracing::warn!(%error, "could not give an idempotency key up");
            let age = Timestamp::now().duration_since(claim.since).as_secs();
            u64::try_from(idempotency::DEAD_AFTER - age).unwrap_or(0).max(KAFKA_RETRY_AFTER)
        }
    };
    Problem::unavailable(wait, detail)
}

/// What to tell when a request without a key failed.
fn unkeyed(error: &ProduceError) -> Problem {
    let detail = if error.is_certain() {
        "Kafka is not reachable; nothing was accepted, send the request again"
    } else {
        "Kafka did not acknowledge the message in time; it may still be sent. Requests with an Idempotency-Key can be repeated safely"
    };
    Problem::unavailable(KAFKA_RETRY_AFTER, detail)
}

fn accepted(id: MessageId, conversation: &ConversationId) -> Response {
    let body = Accepted { message_id: id.as_uuid(), status: "ACCEPTED", conversation_id: conversation.to_string() };
    (StatusCode::ACCEPTED, Json(body)).into_response()
}
