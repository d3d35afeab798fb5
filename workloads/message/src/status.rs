//! What became of a delivery. Events commute: each sets a time of its own, and the shown status
//! is derived by rank, so the order of arrival does not matter and no lock is needed.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::delivery::DeliveryRef;
use crate::ids::{DeliveryId, MessageId};

/// The status shown to clients, from the lowest rank to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Kafka holds it; in flight.
    Accepted,
    /// The provider took it.
    Sent,
    /// Given up, with a reason. Outranked by proof that the message did arrive.
    Failed,
    /// It reached the recipient's device, or the mailbox of a local user.
    Delivered,
    /// The recipient opened it.
    Read,
}

impl Status {
    /// The name shown to clients.
    pub fn name(self) -> &'static str {
        match self {
            Status::Accepted => "ACCEPTED",
            Status::Sent => "SENT",
            Status::Failed => "FAILED",
            Status::Delivered => "DELIVERED",
            Status::Read => "READ",
        }
    }

    /// The status of a message with these deliveries: the least advanced of those that can still
    /// advance; FAILED only when every one failed; ACCEPTED while there is none.
    pub fn of_message(deliveries: impl IntoIterator<Item = Status>) -> Status {
        let mut least = None;
        let mut failed = false;
        for status in deliveries {
            match status {
                Status::Failed => failed = true,
                other => least = Some(least.map_or(other, |l: Status| l.min(other))),
            }
        }
        least.unwrap_or(if failed { Status::Failed } else { Status::Accepted })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The instants of a delivery's states, one for each; what is not known yet is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeliveryTimes {
    /// The provider took it.
    pub sent_at: Option<Timestamp>,
    /// It reached the recipient.
    pub delivered_at: Option<Timestamp>,
    /// The recipient opened it.
    pub read_at: Option<Timestamp>,
    /// It was given up.
    pub failed_at: Option<Timestamp>,
    /// Failures up to this instant were answered by a replay from the dead-letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopened_at: Option<Timestamp>,
}

impl DeliveryTimes {
    /// When it was given up, unless it was replayed since. Compared with the instant of the failure that the
    /// replay answers and not with that of the replay: another pod's clock has no say in it.
    pub fn standing_failure(&self) -> Option<Timestamp> {
        self.failed_at.filter(|failed| self.reopened_at.is_none_or(|reopened| *failed > reopened))
    }

    /// The highest-ranking state that has a time.
    pub fn status(&self) -> Status {
        [
            (self.read_at, Status::Read),
            (self.delivered_at, Status::Delivered),
            (self.standing_failure(), Status::Failed),
            (self.sent_at, Status::Sent),
        ]
        .into_iter()
        .find_map(|(at, status)| at.map(|_| status))
        .unwrap_or(Status::Accepted)
    }

    /// Notes an event that happened at `at`.
    pub fn note(&mut self, event: &DeliveryEvent, at: Timestamp) {
        match event {
            DeliveryEvent::Sent { .. } => self.sent_at = Some(at),
            DeliveryEvent::Delivered => self.delivered_at = Some(at),
            DeliveryEvent::Read => self.read_at = Some(at),
            DeliveryEvent::Failed { .. } => self.failed_at = Some(at),
        }
    }
}

/// How much it took: told with the outcome, so that clients and audits can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Effort {
    /// Provider calls that were begun.
    pub attempts: u32,
    /// Those among them whose answer never came: each may have reached the recipient.
    pub unknown_outcomes: u32,
}

/// Something that happened to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DeliveryEvent {
    /// The provider took it.
    Sent {
        /// The provider's id, by which its later statuses name the message. Absent where the answer held none.
        provider_id: Option<String>,
        /// What it took; absent when a provider's own status tells of it.
        effort: Option<Effort>,
    },
    /// It reached the recipient.
    Delivered,
    /// The recipient opened it.
    Read,
    /// It will not arrive.
    Failed {
        /// The provider's code, or `chat4all:<slug>` where the reason is ours.
        code: String,
        /// The reason in words.
        reason: String,
        /// What it took; absent when a provider's own status tells of it.
        effort: Option<Effort>,
        /// When its record was put into the dead-letter queue, if it was.
        dead_lettered_at: Option<Timestamp>,
    },
}

/// A provider's name for a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProviderRef {
    /// The connector that spoke with the provider.
    pub connector: String,
    /// The id, unique within the connector's account.
    pub provider_id: String,
}

/// Our own reference that a provider echoes in its statuses. Helpful, never certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Correlation {
    /// The message.
    pub message_id: MessageId,
    /// Its delivery.
    pub delivery_id: DeliveryId,
}

/// The text is not a correlation of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a correlation of this deployment: {0:?}")]
pub struct NotACorrelation(String);

impl From<&DeliveryRef> for Correlation {
    fn from(reference: &DeliveryRef) -> Self {
        Self { message_id: reference.message_id, delivery_id: reference.delivery_id }
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.message_id, self.delivery_id)
    }
}

impl FromStr for Correlation {
    type Err = NotACorrelation;
    fn from_str(text: &str) -> Result<Self, NotACorrelation> {
        let wrong = || NotACorrelation(text.to_owned());
        let (message, delivery) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Self {
            message_id: message.parse().map_err(|_| wrong())?,
            delivery_id: Uuid::parse_str(delivery).map_err(|_| wrong())?.into(),
        })
    }
}

impl TryFrom<String> for Correlation {
    type Error = NotACorrelation;
    fn try_from(text: String) -> Result<Self, NotACorrelation> {
        text.parse()
    }
}

impl From<Correlation> for String {
    fn from(correlation: Correlation) -> String {
        correlation.to_string()
    }
}

/// Whose status it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A delivery, told by the connector that carried it.
    Delivery {
        /// The delivery.
        delivery: DeliveryRef,
        /// The connector that carried it.
        connector: String,
    },
    /// A message by the name that the provider gave it.
    Provider(ProviderRef),
}

/// The value of a record in `status-updates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusUpdate {
    /// Whose status it is.
    pub subject: Subject,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: DeliveryEvent,
    /// Our reference, where the provider echoed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<Correlation>,
}

impl StatusUpdate {
    /// The record's key: the message where it is known, so that its statuses meet in one
    /// partition; else the provider's id.
    pub fn key(&self) -> String {
        match (&self.subject, &self.correlation) {
            (Subject::Delivery { delivery, .. }, _) => delivery.message_id.to_string(),
            (Subject::Provider(_), Some(correlation)) => correlation.message_id.to_string(),
            (Subject::Provider(provider), None) => provider.provider_id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failed() -> DeliveryEvent {
        DeliveryEvent::Failed {
            code: "131026".into(),
            reason: "undeliverable".into(),
            effort: None,
            dead_lettered_at: None,
        }
    }

    fn sent() -> DeliveryEvent {
        DeliveryEvent::Sent { provider_id: None, effort: None }
    }

    #[test]
    fn case_28_a_late_sent_after_delivered_or_failed_never_goes_back() {
        for (event, status) in [(DeliveryEvent::Delivered, Status::Delivered), (failed(), Status::Failed)] {
            let mut times = DeliveryTimes::default();
            times.note(&event, at(2));
            times.note(&sent(), at(1));
            assert_eq!(times.status(), status);
        }
    }

    #[test]
    fn a_replayed_delivery_is_in_flight_again_and_ends_as_the_replay_ends() {
        let given_up = DeliveryTimes { failed_at: Some(at(5)), ..DeliveryTimes::default() };
        let replayed = DeliveryTimes { reopened_at: Some(at(5)), ..given_up };
        assert_eq!((given_up.status(), replayed.status()), (Status::Failed, Status::Accepted));
        let mut arrives = replayed;
        arrives.note(&sent(), at(7));
        assert_eq!(arrives.status(), Status::Sent);
        let mut fails_again = replayed;
        fails_again.note(&failed(), at(7));
        assert_eq!(fails_again.status(), Status::Failed);
    }

    #[test]
    fn a_message_is_as_far_as_its_least_advanced_delivery() {
        assert_eq!(Status::of_message([]), Status::Accepted);
        assert_eq!(Status::of_message([Status::Read, Status::Sent]), Status::Sent);
        assert_eq!(Status::of_message([Status::Read, Status::Failed]), Status::Read);
        assert_eq!(Status::of_message([Status::Failed]), Status::Failed);
    }

    #[test]
    fn statuses_of_one_message_share_a_key() {
        let message_id = MessageId::now();
        let delivery =
            DeliveryRef { conversation_id: "c".parse().unwrap(), message_id, delivery_id: Uuid::nil().into() };
        let correlation = Some(Correlation::from(&delivery));
        let ours = StatusUpdate {
            subject: Subject::Delivery { delivery, connector: "w".into() },
            at: at(0),
            event: sent(),
            correlation: None,
        };
        let theirs = StatusUpdate {
            subject: Subject::Provider(ProviderRef { connector: "w".into(), provider_id: "wamid.1".into() }),
            at: at(0),
            event: DeliveryEvent::Read,
            correlation,
        };
        assert_eq!(ours.key(), theirs.key());
        let text = serde_json::to_string(&theirs).unwrap();
        assert_eq!(serde_json::from_str::<StatusUpdate>(&text).unwrap(), theirs);
    }

    proptest! {
        #[test]
        fn events_give_the_same_status_in_every_order(order in Just(vec![0usize, 1, 2, 3]).prop_shuffle(), present in proptest::collection::vec(any::<bool>(), 4)) {
            let events = [sent(), DeliveryEvent::Delivered, DeliveryEvent::Read, failed()];
            let apply = |indices: &[usize]| {
                let mut times = DeliveryTimes::default();
                for &i in indices.iter().filter(|&&i| present[i]) {
                    times.note(&events[i], at(i as i64));
                }
                times
            };
            prop_assert_eq!(apply(&order), apply(&[0, 1, 2, 3]));
            prop_assert_eq!(apply(&order).status(), apply(&[0, 1, 2, 3]).status());
        }
    }
}
