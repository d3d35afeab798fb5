//! What a replay puts into Kafka: the record of a letter into its own topic, as it was or with a mended
//! text or recipient. The ids stay. Pure.

use chat4all_channels::{Unsendable, capabilities};
use chat4all_message::envelope::LONGEST_CONTENT;
use chat4all_message::names::connector_for;
use chat4all_message::{AcceptedMessage, Address, Channel, Connector, Delivery, Holds, Topics};
use chat4all_store::{DeadLetter, LetterBody};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// What is changed in the record; nothing by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edit {
    /// Another text.
    pub content: Option<String>,
    /// Another recipient.
    pub recipient: Option<Address>,
}

impl Edit {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A record that goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The topic that it came from.
    pub topic: String,
    /// The key that it had; that of the new recipient where a delivery got one.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// How often it was replayed, with this time.
    pub replays: u32,
}

/// Why a letter cannot be replayed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayable {
    /// Another cluster's record, or of a topic that is no more.
    #[error("topic {0} is none of this deployment; check KAFKA_TOPIC_PREFIX, or discard the letter")]
    ForeignTopic(String),
    /// Nobody would take it.
    #[error("connector {0} is not configured any more; add it to spec.connectors, or discard the letter")]
    NoConnector(String),
    /// It has no text and no recipient that could be changed.
    #[error("only messages and deliveries can be changed; replay this record as it is")]
    NotEditable,
    /// It could not be read, so nothing in it can be changed.
    #[error("the record cannot be read, so nothing in it can be changed; replay it as it is, or discard it")]
    Unreadable,
    /// The text does not fit.
    #[error("content has {0} bytes; it must have at most {LONGEST_CONTENT}")]
    ContentTooLong(usize),
    /// A channel cannot carry it.
    #[error("{0}")]
    Unsendable(Unsendable),
    /// A delivery stays with its connector.
    #[error("recipient_id must be an address of {channel}, which connector {connector} speaks")]
    OtherChannel {
        /// The channel.
        channel: Channel,
        /// The connector.
        connector: String,
    },
    /// Nobody could carry it there.
    #[error("no connector speaks {0}; add one to spec.connectors, or name another recipient_id")]
    UnknownChannel(Channel),
}

impl NotReplayable {
    /// The field of the request that is wrong, where it is one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::ContentTooLong(_) | Self::Unsendable(_) => Some("content"),
            Self::OtherChannel { .. } | Self::UnknownChannel(_) => Some("recipient_id"),
            _ => None,
        }
    }
}

/// The record that replays this letter.
pub fn replay(
    letter: &DeadLetter,
    body: &LetterBody,
    edit: &Edit,
    topics: &Topics,
    connectors: &[Connector],
) -> Result<Replay, NotReplayable> {
    let topic = &letter.origin.topic;
    let holds = topics.holds(topic).ok_or_else(|| NotReplayable::ForeignTopic(topic.clone()))?;
    if let Holds::Deliveries(name) | Holds::Webhooks(name) = holds
        && !connectors.iter().any(|connector| connector.name == name)
    {
        return Err(NotReplayable::NoConnector(name.to_owned()));
    }
    let mut replay =
        Replay { topic: topic.clone(), key: body.key.clone(), value: body.value.clone(), replays: letter.replays + 1 };
    if edit.is_empty() {
        return Ok(replay);
    }
    match holds {
        Holds::Deliveries(connector) => {
            let delivery: Delivery = edited(&mut replay.value, edit)?;
            fits_delivery(&delivery, connector, connectors)?;
            replay.key = delivery.recipient.to_string().into_bytes();
        }
        Holds::Messages => fits_message(&edited(&mut replay.value, edit)?, connectors)?,
        Holds::Statuses | Holds::Webhooks(_) => return Err(NotReplayable::NotEditable),
    }
    Ok(replay)
}

/// Changes the value field by field: what a newer version wrote into it stays.
fn edited<T: serde::de::DeserializeOwned>(value: &mut Vec<u8>, edit: &Edit) -> Result<T, NotReplayable> {
    let mut fields: Map<String, Value> = serde_json::from_slice(value).map_err(|_| NotReplayable::Unreadable)?;
    if let Some(content) = &edit.content {
        fields.insert("content".into(), content.as_str().into());
    }
    if let Some(recipient) = &edit.recipient {
        fields.insert("recipient".into(), recipient.to_string().into());
    }
    let fields = Value::Object(fields);
    *value = fields.to_string().into_bytes();
    serde_json::from_value(fields).map_err(|_| NotReplayable::Unreadable)
}

fn fits_delivery(delivery: &Delivery, name: &str, connectors: &[Connector]) -> Result<(), NotReplayable> {
    let Some(channel) = connectors.iter().find(|c| c.name == name).map(|c| c.channel) else {
        return Err(NotReplayable::NoConnector(name.to_owned()));
    };
    if delivery.recipient.channel() != Some(channel) {
        return Err(NotReplayable::OtherChannel { channel, connector: name.to_owned() });
    }
    capabilities(channel).check(delivery.into()).map_err(NotReplayable::Unsendable)
}

fn fits_message(message: &AcceptedMessage, connectors: &[Connector]) -> Result<(), NotReplayable> {
    if message.content.len() > LONGEST_CONTENT {
        return Err(NotReplayable::ContentTooLong(message.content.len()));
    }
    let Some((recipient, channel)) = message.recipient.as_ref().and_then(|r| Some((r, r.channel()?))) else {
        return Ok(());
    };
    let connector = connector_for(connectors, channel).ok_or(NotReplayable::UnknownChannel(channel))?;
    let delivery = Delivery::of(message, recipient.clone(), &connector.name);
    capabilities(channel).admits((&delivery).into()).map_err(NotReplayable::Unsendable)
}

/// What letters are sorted by so that each recipient's go back in the order in which they were accepted: a
/// letter that failed again after a replay has a younger place in its topic than those that followed it.
pub fn original_order(letter: &DeadLetter) -> (Timestamp, u128, i32, i64) {
    let id = letter.about.message_id;
    let accepted = id.map(|id| id.created_at()).or(letter.origin.at).unwrap_or(letter.given_up_at);
    let message = id.map_or(0, |id| id.as_uuid().as_u128());
    (accepted, message, letter.origin.partition, letter.origin.offset)
}

#[cfg(test)]
mod tests {
    use chat4all_message::{LetterId, MessageId};
    use chat4all_store::Origin;
    use rstest::rstest;

    use super::*;
    use crate::about::about;

    fn topics() -> Topics {
        Topics::with_prefix("acme.")
    }

    fn connectors() -> Vec<Connector> {
        vec!["main=whatsapp".parse().unwrap()]
    }

    fn message() -> AcceptedMessage {
        let id = MessageId::now();
        let text = format!(r#"{{"message_id":"{id}","conversation_id":"c1","sender":"ana","content":"hi"}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn delivery() -> Delivery {
        Delivery::of(&message(), "whatsapp:+5562998765432".parse().unwrap(), "main")
    }

    fn letter(topic: &str, value: &[u8]) -> (DeadLetter, LetterBody) {
        let letter = DeadLetter {
            id: LetterId::of(topic, 0, 7),
            given_up_at: Timestamp::UNIX_EPOCH,
            reason: "131026".into(),
            message: "undeliverable".into(),
            attempts: 1,
            replays: 2,
            group: "g".into(),
            origin: Origin { topic: topic.into(), partition: 0, offset: 7, at: None },
            about: about(&topics(), topic, value),
        };
        (letter, LetterBody { key: b"k".to_vec(), value: value.to_vec() })
    }

    fn planned(topic: &str, value: &[u8], edit: &Edit) -> Result<Replay, NotReplayable> {
        let (letter, body) = letter(topic, value);
        replay(&letter, &body, edit, &topics(), &connectors())
    }

    fn to(recipient: &str) -> Edit {
        Edit { recipient: Some(recipient.parse().unwrap()), ..Edit::default() }
    }

    fn saying(content: &str) -> Edit {
        Edit { content: Some(content.into()), ..Edit::default() }
    }

    #[rstest]
    #[case("acme.main-outbound")]
    #[case("acme.main-inbound")]
    #[case("acme.messages")]
    #[case("acme.status-updates")]
    fn unchanged_a_record_goes_back_byte_for_byte_and_counts_the_replay(#[case] topic: &str) {
        let replay = planned(topic, b"{ \xff", &Edit::default()).unwrap();
        let expected = Replay { topic: topic.into(), key: b"k".to_vec(), value: b"{ \xff".to_vec(), replays: 3 };
        assert_eq!(replay, expected);
    }

    #[test]
    fn a_delivery_with_another_recipient_keeps_its_ids_and_goes_to_the_recipients_partition() {
        let before = delivery();
        let value = serde_json::to_string(&before).unwrap().replacen('{', r#"{"mood":"good","#, 1);
        let edit = Edit { content: Some("olá".into()), ..to("whatsapp:+5562900000002") };
        let replay = planned("acme.main-outbound", value.as_bytes(), &edit).unwrap();
        let after: Delivery = serde_json::from_slice(&replay.value).unwrap();
        assert_eq!(after.reference, before.reference);
        assert_eq!((after.recipient.to_string().as_str(), after.content.as_str()), ("whatsapp:+5562900000002", "olá"));
        assert_eq!(replay.key, b"whatsapp:+5562900000002");
        assert!(String::from_utf8(replay.value).unwrap().contains("mood"), "a newer version's field stays");
    }

    #[test]
    fn a_message_to_nobody_gets_its_recipient() {
        let value = serde_json::to_vec(&message()).unwrap();
        let replay = planned("acme.messages", &value, &to("bob")).unwrap();
        let after: AcceptedMessage = serde_json::from_slice(&replay.value).unwrap();
        assert_eq!(after.recipient, Some("bob".parse().unwrap()));
        assert_eq!(replay.key, b"k", "the conversation's");
    }

    #[test]
    fn what_cannot_be_replayed_says_why_and_what_to_do() {
        let delivery = serde_json::to_vec(&delivery()).unwrap();
        let message = serde_json::to_vec(&message()).unwrap();
        let as_it_is = Edit::default();
        for (topic, value, edit, says, field) in [
            ("messages", &delivery, &as_it_is, "KAFKA_TOPIC_PREFIX", None),
            ("acme.old-outbound", &delivery, &as_it_is, "connector old is not configured", None),
            ("acme.main-inbound", &delivery, &saying("x"), "as it is", None),
            ("acme.main-outbound", &b"{".to_vec(), &saying("x"), "cannot be read", None),
            ("acme.main-outbound", &delivery, &to("telegram:7"), "address of whatsapp", Some("recipient_id")),
            ("acme.main-outbound", &delivery, &to("bob"), "address of whatsapp", Some("recipient_id")),
            ("acme.main-outbound", &delivery, &saying(&"x".repeat(4097)), "4096 characters", Some("content")),
            ("acme.main-outbound", &delivery, &saying(""), "", Some("content")),
            ("acme.messages", &message, &to("telegram:7"), "no connector speaks telegram", Some("recipient_id")),
            ("acme.messages", &message, &saying(&"x".repeat(10_241)), "at most 10240", Some("content")),
        ] {
            let why = planned(topic, value, edit).unwrap_err();
            assert!(why.to_string().contains(says), "{why}");
            assert_eq!(why.field(), field, "{why}");
        }
    }

    #[test]
    fn letters_go_back_in_the_order_in_which_they_were_accepted() {
        let (first, second) = (delivery(), delivery());
        let letter = |delivery: &Delivery, offset| {
            let (letter, _) = letter("acme.main-outbound", &serde_json::to_vec(delivery).unwrap());
            DeadLetter { origin: Origin { offset, ..letter.origin }, ..letter }
        };
        // The first one was replayed before and failed again behind the second one.
        let mut letters = [letter(&second, 8), letter(&first, 9)];
        letters.sort_by_key(original_order);
        assert_eq!(letters[0].origin.offset, 9);
    }
}
