//! WhatsApp Business Cloud API. Texts, templates, files, and their statuses; knows one business phone number.
//! Source: provider-contracts, "WhatsApp Business Cloud API".

mod account;
mod inbound;
mod refusal;
mod request;
mod response;
mod upload;
mod webhook;

use std::time::Duration;

use chat4all_message::{Channel as Kind, Delivery, MediaKind, WebhookRecord};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::answer::Answer;
use crate::capabilities::{Capabilities, MediaRule};
use crate::channel::{Channel, Unsendable};
use crate::limit::Limit;
use crate::outgoing::Outgoing;
use crate::pace::{Pace, PairLimit};
use crate::registry::{ChannelConfig, Error};
use crate::upload::Uploads;
use crate::webhook::WebhookEvent;

pub use crate::meta::gate::{Gate, handshake, verify_signature};
use account::Account;

const CAPTION: Option<Limit> = Some(Limit::characters(1024));

/// What WhatsApp can carry. Source: provider-contracts, "WhatsApp Business Cloud API", limits.
pub const CAPABILITIES: Capabilities = Capabilities {
    channel: Kind::Whatsapp,
    text: Limit::characters(4096),
    media: &[
        MediaRule { kind: MediaKind::Image, max_megabytes: Some(5), caption: CAPTION },
        MediaRule { kind: MediaKind::Video, max_megabytes: Some(16), caption: CAPTION },
        MediaRule { kind: MediaKind::Audio, max_megabytes: Some(16), caption: None },
        MediaRule { kind: MediaKind::Document, max_megabytes: Some(100), caption: CAPTION },
    ],
    media_by_id: true,
    template: true,
    reply: true,
    read_mark: true,
    tells_delivered: true,
    tells_read: true,
};

/// How fast a number may send. One that was upgraded may be given more, one in coexistence less.
/// Source: provider-contracts, "WhatsApp Business Cloud API", rates.
pub const PACE: Pace = Pace {
    account: Some(80.0),
    recordings: None,
    recipient: |_| Some(PairLimit { every: Duration::from_secs(6), burst: 45 }),
};

/// One business phone number.
#[derive(Debug)]
pub struct Whatsapp {
    account: Account,
}

impl Whatsapp {
    /// Reads the account and the file `access-token`.
    pub fn open(config: &ChannelConfig) -> Result<Self, Error> {
        Ok(Self { account: Account::open(config)? })
    }
}

impl Channel for Whatsapp {
    fn request(&self, delivery: &Delivery, now: Timestamp) -> Result<Outgoing, Unsendable> {
        request::of(&self.account, delivery, now)
    }

    fn classify(&self, delivery: &Delivery, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        response::classify(&self.account.token, delivery, status, headers, body)
    }

    fn parse_webhook(&self, record: &WebhookRecord) -> Vec<WebhookEvent> {
        webhook::parse(&self.account, record)
    }

    fn uploads(&self) -> Option<&dyn Uploads> {
        Some(&self.account)
    }
}
