//! What a record is about, read from its topic and its value. Pure; reads what it can and no more.

use chat4all_message::{AcceptedMessage, Delivery, Holds, StatusUpdate, Subject, Topics};
use chat4all_store::About;
use serde_json::from_slice;

/// What the record of this topic is about.
pub fn about(topics: &Topics, topic: &str, value: &[u8]) -> About {
    let of = |connector: &str| About { connector: Some(connector.to_owned()), ..About::default() };
    match topics.holds(topic) {
        None => About::default(),
        Some(Holds::Webhooks(connector)) => of(connector),
        Some(Holds::Deliveries(connector)) => match from_slice::<Delivery>(value) {
            Ok(delivery) => About {
                recipient: Some(delivery.recipient),
                conversation_id: Some(delivery.reference.conversation_id),
                message_id: Some(delivery.reference.message_id),
                delivery_id: Some(delivery.reference.delivery_id),
                ..of(connector)
            },
            Err(_) => of(connector),
        },
        Some(Holds::Messages) => match from_slice::<AcceptedMessage>(value) {
            Ok(message) => About {
                recipient: message.recipient,
                conversation_id: Some(message.conversation_id),
                message_id: Some(message.message_id),
                ..About::default()
            },
            Err(_) => About::default(),
        },
        Some(Holds::Statuses) => match from_slice::<StatusUpdate>(value).map(|update| update.subject) {
            Ok(Subject::Delivery { delivery, connector }) => About {
                conversation_id: Some(delivery.conversation_id),
                message_id: Some(delivery.message_id),
                delivery_id: Some(delivery.delivery_id),
                ..of(&connector)
            },
            Ok(Subject::Provider(provider)) => of(&provider.connector),
            Err(_) => About::default(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198b8a0-0000-7000-8000-000000000001";

    fn read(topic: &str, value: &str) -> About {
        about(&Topics::with_prefix("acme."), topic, value.as_bytes())
    }

    #[test]
    fn a_delivery_tells_connector_recipient_and_all_its_ids() {
        let value = format!(
            r#"{{"conversation_id":"c1","message_id":"{ID}","delivery_id":"{ID}","connector":"main","recipient":"whatsapp:+5562998765432","content":"hi"}}"#
        );
        let about = read("acme.main-outbound", &value);
        assert_eq!(about.connector.as_deref(), Some("main"));
        assert_eq!(about.recipient.as_ref().unwrap().to_string(), "whatsapp:+5562998765432");
        assert_eq!(about.delivery().unwrap().message_id.to_string(), ID);
    }

    #[test]
    fn a_message_without_a_recipient_tells_its_conversation() {
        let value = format!(r#"{{"conversation_id":"c1","message_id":"{ID}","sender":"ana","content":"hi"}}"#);
        let about = read("acme.messages", &value);
        assert_eq!((about.recipient, about.connector), (None, None));
        assert_eq!(about.conversation_id.unwrap().as_str(), "c1");
    }

    #[test]
    fn what_cannot_be_read_still_tells_the_connector_of_its_topic() {
        for topic in ["acme.main-outbound", "acme.main-inbound"] {
            assert_eq!(read(topic, "\u{0}").connector.as_deref(), Some("main"));
        }
        for topic in ["acme.messages", "acme.status-updates", "main-outbound"] {
            assert_eq!(read(topic, "{}"), About::default());
        }
    }
}
