//! WhatsApp Business Cloud API. Text messages and their statuses; knows one business phone number.
//! Source: provider-contracts, "WhatsApp Business Cloud API".

mod account;
mod gate;
mod refusal;
mod request;
mod response;
mod webhook;

use bytes::Bytes;
use chat4all_message::{Delivery, WebhookRecord};
use http::{HeaderMap, Request, StatusCode};

use crate::answer::Answer;
use crate::channel::{Channel, Unsendable};
use crate::limit::{Limit, Unit};
use crate::registry::{ChannelConfig, Error};
use crate::webhook::WebhookEvent;

use account::Account;
pub use gate::{Gate, handshake, verify_signature};

/// Text in one message. Source: provider-contracts, "Limits".
pub const TEXT_LIMIT: Limit = Limit { max: 4096, unit: Unit::Characters };

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
    fn text_limit(&self) -> Limit {
        TEXT_LIMIT
    }

    fn request(&self, delivery: &Delivery) -> Result<Request<Bytes>, Unsendable> {
        request::of(&self.account, delivery)
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        response::classify(&self.account.token, status, headers, body)
    }

    fn parse_webhook(&self, record: &WebhookRecord) -> Vec<WebhookEvent> {
        webhook::parse(&self.account, record)
    }
}
