//! The words that every part of Chat4All shares: identifiers, addresses, envelopes, statuses
//! and the names of topics. Plain types and rules; knows no Kafka, no store and no provider.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod address;
pub mod credentials;
pub mod dead_letter;
pub mod delivery;
pub mod envelope;
pub mod ids;
pub mod inbound;
pub mod media;
pub mod names;
pub mod status;

pub use address::{Address, Channel};
pub use dead_letter::LetterId;
pub use delivery::{Delivery, DeliveryRef};
pub use envelope::{AcceptedMessage, WebhookRecord};
pub use ids::{ConversationId, DeliveryId, MessageId};
pub use inbound::InboundMessage;
pub use media::{Media, MediaKind, NotMedia};
pub use names::{Connector, Holds, Topics};
pub use status::{Correlation, DeliveryEvent, DeliveryTimes, Effort, ProviderRef, Status, StatusUpdate, Subject};
