//! `POST /v1/messages/{id}/read`: tells a customer that what they wrote was read, and maybe that an
//! answer is being written. Goes through Kafka as messages do, behind those to the same person.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chat4all_channels::capabilities;
use chat4all_message::{Delivery, MessageId, ReadMark};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::fields::Fields;
use crate::problem::{Document, Kind, Problem};
use crate::users::Role;
use crate::{Api, body};

const LARGEST_BODY: usize = 4 << 10;

/// Seconds until a broker that was restarted answers again, roughly.
const KAFKA_RETRY_AFTER: u64 = 5;

/// What to tell beside that it was read; the body may be left out.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field so that errors name the field")]
pub(crate) struct NewMark {
    /// Shows the customer for up to 25 seconds that somebody is writing.
    typing: Option<bool>,
}

/// A mark that was accepted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Marked {
    message_id: Uuid,
    /// Always `ACCEPTED`.
    #[schema(example = "ACCEPTED")]
    status: &'static str,
}

/// Mark a customer's message as read.
///
/// The provider shows it to the customer, with every earlier message of theirs. Marking twice is once.
#[utoipa::path(
    post, path = "/v1/messages/{id}/read", tag = "messages", request_body = Option<NewMark>, security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "A message that came in from a provider")),
    responses(
        (status = 202, body = Marked, description = "Kafka has it"),
        (status = 400, body = Document, description = "A field is wrong, or the channel takes no such mark", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not a member", content_type = "application/problem+json"),
        (status = 404, body = Document, description = "No such message came in", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "Kafka or the store is away; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn read(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let parsed: Option<MessageId> = id.parse::<Uuid>().ok().and_then(|uuid| uuid.try_into().ok());
    let id = parsed.ok_or_else(|| Problem::field("id", format!("{id:?} is not the id of a message")))?;
    let typing = typing(&body::read(&headers, body, LARGEST_BODY).await?)?;
    let place = api.store.inbound(id).await?.ok_or_else(|| {
        let detail = format!("no message {id} came in from a provider, or it is not stored yet");
        Problem::new(Kind::MessageNotFound, detail)
    })?;
    let conversation = &place.conversation_id;
    let members = api.members.look_up(conversation, &user.address).await?;
    if user.role != Role::Service && !members.contains(&user.address) {
        let detail = format!("{} is not a member of conversation {conversation}", user.address);
        return Err(Problem::new(Kind::NotAMember, detail));
    }
    let takes_marks = place.sender.channel().is_some_and(|channel| capabilities(channel).read_mark);
    if !takes_marks {
        let detail = format!("the channel of {} takes no read marks; see /v1/channels", place.sender);
        return Err(Problem::field("id", detail));
    }
    if !api.connectors.iter().any(|connector| connector.name == place.connector) {
        let detail = format!("connector {}, by which it came, is not there any more", place.connector);
        return Err(Problem::field("id", detail));
    }
    let mark = ReadMark { provider_id: place.provider_id, typing, asked_at: Timestamp::now() };
    let delivery = Delivery::marking(id, place.conversation_id, place.sender, place.connector, mark);
    let value = serde_json::to_vec(&delivery).expect("a delivery has only strings, numbers and flags");
    let topic = api.topics.outbound(&delivery.connector);
    let placed = api.journal.append(&topic, delivery.recipient.to_string().as_bytes(), &value).await;
    placed.map_err(|error| {
        api.metrics.produce_failed("outbound");
        tracing::warn!(message_id = %id, %error, "could not accept a read mark");
        Problem::unavailable(KAFKA_RETRY_AFTER, "Kafka did not acknowledge the mark; send it again")
    })?;
    let marked = Marked { message_id: id.as_uuid(), status: "ACCEPTED" };
    Ok((StatusCode::ACCEPTED, Json(marked)).into_response())
}

/// Old clients send no body, or an empty one.
fn typing(body: &[u8]) -> Result<bool, Problem> {
    if body.is_empty() { Ok(false) } else { Ok(Fields::of(body)?.optional_flag("typing")?.unwrap_or(false)) }
}
