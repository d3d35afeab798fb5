//! What a provider's answer to one request means for the delivery.

use chat4all_message::Address;

use crate::refusal::Refusal;

/// A provider's answer, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The provider took the message.
    Accepted {
        /// Its name for the message, by which later statuses point at it. Absent where the answer
        /// held none; then only the echoed correlation can tell whose statuses they are.
        provider_id: Option<String>,
        /// Other addresses of the recipient, where the answer named them (case 3).
        aliases: Vec<Address>,
    },
    /// The provider did not take it, because the recipient has another address now.
    Moved {
        /// Where to send it instead.
        to: Address,
    },
    /// The provider did not take it, or nobody knows whether it did.
    Refused(Refusal),
}
