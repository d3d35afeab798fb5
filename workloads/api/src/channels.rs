//! `GET /v1/channels`: what each channel can carry, and which ones are configured here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chat4all_channels::{Capabilities, Limit, MediaRule, capabilities};
use chat4all_message::Channel as Kind;
use chat4all_message::names::connector_for;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::caller::Caller;
use crate::problem::Document;

/// What can be sent where.
#[derive(Serialize, ToSchema)]
pub(crate) struct Channels {
    channels: Vec<Channel>,
}

/// What one channel can carry. What goes beyond it is refused with 400.
#[derive(Serialize, ToSchema)]
struct Channel {
    /// The word before the colon of its addresses.
    #[schema(example = "whatsapp")]
    channel: &'static str,
    /// The connector that carries its messages; missing where none is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<String>,
    /// The longest text of one message.
    text: Length,
    /// The kinds of `media` that it takes.
    media: Vec<Media>,
    /// Whether `media.id` is taken.
    media_by_id: bool,
    /// Whether `template` is taken.
    template: bool,
    /// Whether `reply_to` is taken.
    reply: bool,
    /// Whether messages that come in can be marked as read.
    read_mark: bool,
    /// Whether a message's status can become DELIVERED.
    tells_delivered: bool,
    /// Whether a message's status can become READ.
    tells_read: bool,
}

/// A length and what it counts.
#[derive(Serialize, ToSchema)]
struct Length {
    #[schema(example = 4096)]
    max: usize,
    #[schema(example = "characters")]
    unit: &'static str,
}

#[derive(Serialize, ToSchema)]
struct Media {
    #[schema(example = "image")]
    kind: &'static str,
    /// The provider refuses larger files; missing where nobody fetches them.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_megabytes: Option<u32>,
    /// The longest `content` beside it; missing where the text follows as a message of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<Length>,
}

impl From<Limit> for Length {
    fn from(limit: Limit) -> Self {
        Self { max: limit.max, unit: limit.unit.name() }
    }
}

impl From<&MediaRule> for Media {
    fn from(rule: &MediaRule) -> Self {
        Self { kind: rule.kind.name(), max_megabytes: rule.max_megabytes, caption: rule.caption.map(Length::from) }
    }
}

impl Channel {
    fn of(can: &Capabilities, connector: Option<String>) -> Self {
        Self {
            channel: can.channel.name(),
            connector,
            text: can.text.into(),
            media: can.media.iter().map(Media::from).collect(),
            media_by_id: can.media_by_id,
            template: can.template,
            reply: can.reply,
            read_mark: can.read_mark,
            tells_delivered: can.tells_delivered,
            tells_read: can.tells_read,
        }
    }
}

/// See what each channel can carry.
#[utoipa::path(
    get, path = "/v1/channels", tag = "messages", security(("bearer" = [])),
    responses(
        (status = 200, body = Channels, description = "Every channel that this version knows"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn channels(State(api): State<Arc<Api>>, _: Caller) -> Json<Channels> {
    let connector = |kind| connector_for(&api.connectors, kind).map(|connector| connector.name.clone());
    let channels = Kind::ALL.map(|kind| Channel::of(capabilities(kind), connector(kind)));
    Json(Channels { channels: channels.into() })
}
