//! Tells a customer that what they wrote was read, and maybe that an answer is being written. Travels to
//! the connector as a delivery without content, so that it keeps its place among the messages.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long "is typing" is shown. Source: Meta's reference of typing indicators (25 s).
const TYPING: SignedDuration = SignedDuration::from_secs(25);

/// A message of a customer that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    /// The provider's id of the message.
    pub provider_id: String,
    /// Whether somebody is writing an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub typing: bool,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

impl ReadMark {
    /// The mark as it should be made at `now`: nobody is still typing who began so long ago.
    pub fn at(&self, now: Timestamp) -> Self {
        Self { typing: self.typing && now.duration_since(self.asked_at) < TYPING, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_typing_half_a_minute_ago_is_not_shown_as_typing() {
        let asked_at: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let mark = ReadMark { provider_id: "wamid.1".into(), typing: true, asked_at };
        assert!(mark.at(asked_at + SignedDuration::from_secs(24)).typing);
        assert!(!mark.at(asked_at + SignedDuration::from_secs(25)).typing);
    }
}
