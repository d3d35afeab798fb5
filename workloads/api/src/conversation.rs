//! `GET /v1/conversations/{id}/messages`: a page of a conversation with what became of its messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat4all_message::{ConversationId, MessageId};
use chat4all_store::{Cursor, PageRequest, StoredDelivery, StoredMessage};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::caller::Caller;
use crate::problem::{Document, Kind, Problem};
use crate::users::Role;

const DEFAULT_LIMIT: u32 = 50;
const LARGEST_LIMIT: u32 = 200;
/// Skipping costs as much as reading; whoever goes further uses cursors.
const LARGEST_OFFSET: u32 = 10_000;

/// A page of a conversation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Messages {
    conversation_id: String,
    /// Newest first.
    messages: Vec<Message>,
    pagination: Pagination,
}

#[derive(Serialize, ToSchema)]
struct Pagination {
    limit: u32,
    offset: u32,
    /// How many messages this page has.
    returned: usize,
    /// Give it as `cursor` to get the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Message {
    message_id: Uuid,
    #[schema(example = "ana")]
    sender_id: String,
    content: String,
    /// The file that was sent along.
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Media>,
    /// The provider's id of the message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[schema(example = "2026-11-25T10:00:00.123Z")]
    created_at: String,
    /// The least advanced of its deliveries: ACCEPTED, SENT, DELIVERED, READ, or FAILED when all failed.
    #[schema(example = "DELIVERED")]
    status: &'static str,
    deliveries: Vec<Delivery>,
}

/// A file by URL.
#[derive(Serialize, ToSchema)]
struct Media {
    #[schema(example = "image")]
    kind: &'static str,
    url: String,
}

/// What became of a message at one recipient. Instants are RFC 3339 in UTC with milliseconds.
#[derive(Serialize, ToSchema)]
struct Delivery {
    delivery_id: Uuid,
    #[schema(example = "whatsapp:+5562998765432")]
    recipient_id: String,
    /// The connector that carries it; `local` for users of this deployment.
    connector: String,
    /// ACCEPTED, SENT, FAILED, DELIVERED or READ.
    status: &'static str,
    accepted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<String>,
    /// When it went to the dead-letter queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_lettered_at: Option<String>,
    /// The provider's code of the failure, or `chat4all:<slug>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The failure in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_message_id: Option<String>,
    /// Provider calls that were begun.
    attempts: u32,
    /// Those among them whose answer never came.
    unknown_outcomes: u32,
}

/// Read a conversation, newest message first.
///
/// Follow `next_cursor` for older pages. `offset` is there for old clients.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/messages", tag = "messages", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The conversation"),
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("offset" = Option<u32>, Query, description = "Messages to skip, at most 10,000; not together with cursor"),
    ),
    responses(
        (status = 200, body = Messages, description = "A page"),
        (status = 400, body = Document, description = "A parameter is wrong; `field` names it", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not a member", content_type = "application/problem+json"),
        (status = 404, body = Document, description = "No such conversation, or its first message is not stored yet", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "The store is away; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn messages(
    State(api): State<Arc<Api>>,
    Caller(user): Caller,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Result<Json<Messages>, Problem> {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let conversation: ConversationId = id.parse().map_err(|why| Problem::field("conversation_id", format!("{why}")))?;
    let Query(query) = query.map_err(|error| Problem::new(Kind::InvalidRequest, error.body_text()))?;
    let request = page_request(&query)?;
    let members = api.members.look_up(&conversation, &user.address).await?;
    if members.is_empty() {
        let detail = format!("there is no conversation {conversation}, or its first message is not stored yet");
        return Err(Problem::new(Kind::ConversationNotFound, detail));
    }
    if user.role != Role::Service && !members.contains(&user.address) {
        let detail = format!("{} is not a member of conversation {conversation}", user.address);
        return Err(Problem::new(Kind::NotAMember, detail));
    }
    let page = api.store.page(&conversation, &request).await?;
    Ok(Json(Messages {
        conversation_id: conversation.to_string(),
        pagination: Pagination {
            limit: request.limit,
            offset: request.offset,
            returned: page.messages.len(),
            next_cursor: page.next.map(encode),
        },
        messages: page.messages.into_iter().map(Message::of).collect(),
    }))
}

fn page_request(query: &BTreeMap<String, String>) -> Result<PageRequest, Problem> {
    let number = |name: &'static str, default: u32, from: u32, to: u32| match query.get(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (from..=to).contains(n))
            .ok_or_else(|| Problem::field(name, format!("{name} must be a number from {from} to {to}"))),
    };
    let limit = number("limit", DEFAULT_LIMIT, 1, LARGEST_LIMIT)?;
    let offset = number("offset", 0, 0, LARGEST_OFFSET)?;
    let before = query.get("cursor").map(|text| decode(text)).transpose()?;
    if before.is_some() && offset > 0 {
        return Err(Problem::field("offset", "give either offset or cursor, not both"));
    }
    Ok(PageRequest { before, offset, limit })
}

/// A cursor is opaque to clients.
fn encode(cursor: Cursor) -> String {
    URL_SAFE_NO_PAD.encode(cursor.message_id.as_uuid())
}

fn decode(text: &str) -> Result<Cursor, Problem> {
    let uuid = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| Uuid::from_slice(&bytes).ok());
    let message_id = uuid.and_then(|uuid| MessageId::try_from(uuid).ok());
    let message_id = message_id
        .ok_or_else(|| Problem::field("cursor", "cursor must be a next_cursor of this conversation, unchanged"))?;
    Ok(Cursor { message_id })
}

/// As clients see instants.
pub(crate) fn shown(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl Message {
    fn of(stored: StoredMessage) -> Self {
        let status = stored.status().name();
        let accepted_at = stored.message.accepted_at();
        Self {
            message_id: stored.message.message_id.as_uuid(),
            sender_id: stored.message.sender.to_string(),
            content: stored.message.content,
            media: stored.message.media.map(|media| Media { kind: media.kind.name(), url: media.url }),
            reply_to: stored.message.reply_to,
            created_at: shown(accepted_at),
            status,
            deliveries: stored.deliveries.into_iter().map(|d| Delivery::of(d, accepted_at)).collect(),
        }
    }
}

impl Delivery {
    fn of(stored: StoredDelivery, accepted_at: Timestamp) -> Self {
        // A failure that a replay answered is history.
        let stored = match (stored.times.failed_at, stored.times.standing_failure()) {
            (Some(_), None) => StoredDelivery { code: None, reason: None, dead_lettered_at: None, ..stored },
            _ => stored,
        };
        Self {
            delivery_id: stored.delivery_id.as_uuid(),
            recipient_id: stored.recipient.to_string(),
            connector: stored.connector,
            status: stored.times.status().name(),
            accepted_at: shown(accepted_at),
            sent_at: stored.times.sent_at.map(shown),
            delivered_at: stored.times.delivered_at.map(shown),
            read_at: stored.times.read_at.map(shown),
            failed_at: stored.times.standing_failure().map(shown),
            dead_lettered_at: stored.dead_lettered_at.map(shown),
            code: stored.code,
            reason: stored.reason,
            provider_message_id: stored.provider_id,
            attempts: stored.effort.attempts,
            unknown_outcomes: stored.effort.unknown_outcomes,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn query(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[rstest]
    #[case(&[("limit", "0")], "limit must be a number from 1 to 200")]
    #[case(&[("limit", "201")], "limit must be a number from 1 to 200")]
    #[case(&[("limit", "ten")], "limit must be a number from 1 to 200")]
    #[case(&[("offset", "-1")], "offset must be a number from 0 to 10000")]
    #[case(&[("offset", "10001")], "offset must be a number from 0 to 10000")]
    #[case(&[("cursor", "7")], "cursor must be a next_cursor")]
    fn a_wrong_parameter_is_named_with_its_range(#[case] pairs: &[(&str, &str)], #[case] detail: &str) {
        let problem = page_request(&query(pairs)).unwrap_err();
        assert!(format!("{problem:?}").contains(detail), "{problem:?}");
    }

    #[test]
    fn a_cursor_reads_back_as_it_was_given() {
        let cursor = Cursor { message_id: MessageId::now() };
        let request = page_request(&query(&[("cursor", &encode(cursor)), ("limit", "7")])).unwrap();
        assert_eq!(request, PageRequest { before: Some(cursor), offset: 0, limit: 7 });
        assert!(page_request(&query(&[("cursor", &encode(cursor)), ("offset", "7")])).is_err());
    }

    #[test]
    fn instants_are_shown_with_milliseconds() {
        assert_eq!(shown("2026-11-25T10:00:00Z".parse().unwrap()), "2026-11-25T10:00:00.000Z");
        assert_eq!(shown("2026-11-25T10:00:00.1234Z".parse().unwrap()), "2026-11-25T10:00:00.123Z");
    }
}
