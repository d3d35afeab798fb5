//! Signed webhooks to endpoints that somebody else runs, after Standard Webhooks 1.0.0. Each endpoint is
//! a server of its own, so what one does says nothing about the others.
//! Source: provider-contracts, "Generic webhook channel".

mod account;
mod gate;
mod request;
mod response;
mod signature;

use chat4all_message::{Channel as Kind, Delivery, MediaKind, WebhookRecord};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::answer::Answer;
use crate::capabilities::{Capabilities, MediaRule};
use crate::channel::{Channel, Unsendable};
use crate::guard::Guard;
use crate::limit::Limit;
use crate::outgoing::Outgoing;
use crate::registry::{ChannelConfig, Error};
use crate::webhook::WebhookEvent;

use account::Account;
pub use gate::Gate;

/// The API takes no longer text than this (10,240 bytes), so it is never what refuses one.
const TEXT: Limit = Limit::characters(10_240);

/// What a webhook can carry: everything, since files travel as their URL and nobody fetches them.
pub const CAPABILITIES: Capabilities = Capabilities {
    channel: Kind::Webhook,
    text: TEXT,
    media: &[
        MediaRule { kind: MediaKind::Image, max_megabytes: None, caption: Some(TEXT) },
        MediaRule { kind: MediaKind::Video, max_megabytes: None, caption: Some(TEXT) },
        MediaRule { kind: MediaKind::Audio, max_megabytes: None, caption: Some(TEXT) },
        MediaRule { kind: MediaKind::Document, max_megabytes: None, caption: Some(TEXT) },
    ],
    media_by_id: false,
    template: false,
    reply: true,
    read_mark: false,
    tells_delivered: false,
    tells_read: false,
};

/// The endpoints of one connector.
#[derive(Debug)]
pub struct StandardWebhook {
    account: Account,
}

impl StandardWebhook {
    /// Reads the account, and for each endpoint the file of its name.
    pub fn open(config: &ChannelConfig) -> Result<Self, Error> {
        Ok(Self { account: Account::open(config)? })
    }
}

impl Channel for StandardWebhook {
    fn request(&self, delivery: &Delivery, now: Timestamp) -> Result<Outgoing, Unsendable> {
        request::of(&self.account, delivery, now)
    }

    fn classify(&self, delivery: &Delivery, status: StatusCode, headers: &HeaderMap, _body: &[u8]) -> Answer {
        response::classify(delivery, status, headers)
    }

    fn parse_webhook(&self, _record: &WebhookRecord) -> Vec<WebhookEvent> {
        vec![WebhookEvent::Ignored { place: String::new(), why: "nothing comes in over this channel".to_owned() }]
    }

    fn each_recipient_is_a_server(&self) -> bool {
        true
    }

    fn guard(&self) -> Option<&Guard> {
        Some(&self.account.guard)
    }
}

/// `webhook-id`: the same for every attempt at a delivery, and without a dot, which separates it from
/// what follows in the text that is signed.
fn webhook_id(delivery: &Delivery) -> String {
    format!("msg_{}", delivery.reference.delivery_id)
}
