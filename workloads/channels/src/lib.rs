//! What Chat4All knows about providers: how a delivery becomes their request, what their answers
//! mean and how their webhooks are checked and read. Pure: no Kafka, no store, no HTTP client, no
//! clock. One module for each channel; everyone else speaks to [`Channel`] and [`WebhookGate`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod base_url;
mod capabilities;
mod channel;
mod guard;
pub mod instagram;
mod limit;
pub mod messenger;
mod meta;
mod outgoing;
mod pace;
mod refusal;
mod registry;
mod secret;
pub mod standard_webhook;
pub mod telegram;
mod time;
mod transport;
mod upload;
mod wait;
mod webhook;
pub mod whatsapp;

pub use answer::Answer;
pub use capabilities::{Capabilities, Load, MediaRule};
pub use channel::{Channel, Unsendable};
pub use guard::{Forbidden, Guard};
pub use limit::{Limit, Unit};
pub use outgoing::Outgoing;
pub use pace::{Pace, PairLimit};
pub use refusal::{Cause, Kind, Refusal, Retry, Scope};
pub use registry::{ChannelConfig, Error, capabilities, open, open_webhook_gate, pace};
pub use secret::Secret;
pub use transport::Transport;
pub use upload::{Upload, Uploads, not_fetched};
pub use wait::Wait;
pub use webhook::{Forged, Handshake, WebhookEvent, WebhookGate};
