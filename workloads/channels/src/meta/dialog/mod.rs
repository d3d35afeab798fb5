//! The dialogs of Messenger and Instagram: one Send API, one table of codes, one form of webhooks.
//! Source: provider-contracts, "Messenger" and "Instagram".

mod refusal;
mod request;
mod response;
mod webhook;

use chat4all_message::{Address, Channel as Kind, Delivery, WebhookRecord};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use jiff::Timestamp;

use crate::answer::Answer;
use crate::capabilities::Capabilities;
use crate::channel::{Channel, Unsendable};
use crate::outgoing::Outgoing;
use crate::pace::Pace;
use crate::secret::Secret;
use crate::webhook::WebhookEvent;

/// How fast a page or an account may send. Source: provider-contracts, "Instagram", which speaks of both.
pub(crate) const PACE: Pace = Pace { account: Some(300.0), recordings: Some(10.0), recipient: |_| None };

/// One page or one Instagram account. `Debug` shows no token.
#[derive(Debug)]
pub(crate) struct Dialog {
    pub(crate) connector: String,
    pub(crate) capabilities: &'static Capabilities,
    /// `object` of its webhooks.
    pub(crate) object: &'static str,
    /// `entry.id` of its webhooks.
    pub(crate) entry_id: String,
    pub(crate) token: Secret,
    pub(crate) authorization: HeaderValue,
    pub(crate) messages_url: Uri,
}

impl Channel for Dialog {
    fn request(&self, delivery: &Delivery, _now: Timestamp) -> Result<Outgoing, Unsendable> {
        request::of(self, delivery)
    }

    fn classify(&self, _delivery: &Delivery, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        response::classify(&self.token, status, headers, body)
    }

    fn parse_webhook(&self, record: &WebhookRecord) -> Vec<WebhookEvent> {
        webhook::parse(self, record)
    }
}

impl Dialog {
    /// The person's id, when the address is of this channel.
    fn person<'a>(&self, address: &'a Address) -> Option<&'a str> {
        match (self.capabilities.channel, address) {
            (Kind::Messenger, Address::Messenger(id)) | (Kind::Instagram, Address::Instagram(id)) => Some(id),
            _ => None,
        }
    }
}
