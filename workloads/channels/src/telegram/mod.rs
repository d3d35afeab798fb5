//! Telegram Bot API. Texts and files by URL; knows one bot. The provider tells neither when a message
//! arrived nor when it was read, so SENT is the last that is heard of it.
//! Source: provider-contracts, "Telegram Bot API".

mod account;
mod gate;
mod refusal;
mod request;
mod response;
mod webhook;

use std::time::Duration;

use chat4all_message::{Address, Channel as Kind, Delivery, MediaKind, WebhookRecord};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::answer::Answer;
use crate::capabilities::{Capabilities, MediaRule};
use crate::channel::{Channel, Unsendable};
use crate::limit::Limit;
use crate::outgoing::Outgoing;
use crate::pace::{Pace, PairLimit};
use crate::registry::{ChannelConfig, Error};
use crate::webhook::WebhookEvent;

use account::Account;
pub use gate::Gate;

const CAPTION: Option<Limit> = Some(Limit::utf16_units(1024));

/// What Telegram can carry. Source: provider-contracts, "Telegram Bot API"; the sizes are those of
/// files that the provider fetches by URL (Bot API, "Sending files").
pub const CAPABILITIES: Capabilities = Capabilities {
    channel: Kind::Telegram,
    text: Limit::utf16_units(4096),
    media: &[
        MediaRule { kind: MediaKind::Image, max_megabytes: Some(5), caption: CAPTION },
        MediaRule { kind: MediaKind::Video, max_megabytes: Some(20), caption: CAPTION },
        MediaRule { kind: MediaKind::Audio, max_megabytes: Some(20), caption: CAPTION },
        MediaRule { kind: MediaKind::Document, max_megabytes: Some(20), caption: CAPTION },
    ],
    media_by_id: true,
    template: false,
    reply: true,
    read_mark: false,
    tells_delivered: false,
    tells_read: false,
};

/// How fast a bot may send: to a person one a second, to a group 20 a minute, and nothing ahead.
/// Source: provider-contracts, "Telegram Bot API".
pub const PACE: Pace = Pace {
    account: Some(30.0),
    recordings: None,
    recipient: |chat| match chat {
        Address::Telegram(chat) => {
            let every = Duration::from_secs(if *chat < 0 { 3 } else { 1 });
            Some(PairLimit { every, burst: 1 })
        }
        _ => None,
    },
};

/// One bot.
#[derive(Debug)]
pub struct Telegram {
    account: Account,
}

impl Telegram {
    /// Reads the file `bot-token`.
    pub fn open(config: &ChannelConfig) -> Result<Self, Error> {
        Ok(Self { account: Account::open(config)? })
    }
}

impl Channel for Telegram {
    fn request(&self, delivery: &Delivery, _now: Timestamp) -> Result<Outgoing, Unsendable> {
        request::of(&self.account, delivery)
    }

    fn classify(&self, delivery: &Delivery, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        response::classify(&self.account.token, &delivery.recipient, status, headers, body)
    }

    fn parse_webhook(&self, record: &WebhookRecord) -> Vec<WebhookEvent> {
        vec![webhook::parse(record)]
    }
}

/// The provider's ids are unique within a chat only, so ours hold the chat.
fn provider_id(chat: i64, message: i64) -> String {
    format!("{chat}:{message}")
}
