//! What customers wrote becomes messages: each once, in the conversation where the person was spoken
//! with last, or in a new one named after their address.

use std::sync::Arc;

use chat4all_kafka::{Ended, Lease, Producer};
use chat4all_message::{
    AcceptedMessage, Address, ConversationId, DeliveryEvent, Inbound, InboundMessage, MessageId, ProviderRef,
    StatusUpdate, Subject, Topics,
};
use chat4all_store::{Place, Store};
use jiff::Timestamp;
use uuid::Uuid;

use crate::deliver::produce_status;

/// Takes in what webhooks tell about people.
pub(crate) struct Intake {
    pub(crate) connector: String,
    pub(crate) topics: Topics,
    pub(crate) producer: Producer,
    pub(crate) store: Arc<dyn Store>,
}

impl Intake {
    /// Makes a message of what somebody wrote. A repeated event has its place already and makes the
    /// same message again, which changes nothing.
    pub(crate) async fn message(
        &self,
        written: InboundMessage,
        received_at: Timestamp,
        lease: &Lease,
    ) -> Result<(), Ended> {
        let from = &written.from;
        // A clock that is ahead must not put a message above all that follow.
        let at = written.at.min(received_at);
        if let Some(other) = &written.also {
            lease.persist("write an alias", || self.store.same_person(other, from)).await?;
        }
        let person = lease.persist("read who wrote", || self.store.person(from)).await?;
        let conversation_id = match self.answered(&written, lease).await? {
            Some(conversation) => conversation,
            None => person.conversation.unwrap_or_else(|| named_after(&person.address)),
        };
        let message_id = MessageId::of_event(&self.connector, &written.event_id, at);
        let place = Place { conversation_id, message_id };
        let claim = || self.store.place(&self.connector, &written.event_id, &place);
        let place = lease.persist("give an event its place", claim).await?;
        lease.persist("note where to answer", || self.store.wrote_from(from, at)).await?;
        let message = AcceptedMessage {
            message_id: place.message_id,
            conversation_id: place.conversation_id,
            sender: written.from.clone(),
            recipient: None,
            content: written.text,
            file_id: None,
            media: None,
            template: None,
            reply_to: written.reply_to,
            inbound: Some(Inbound {
                connector: self.connector.clone(),
                provider_id: written.provider_id,
                name: written.name,
                files: written.files,
            }),
        };
        let value = serde_json::to_vec(&message).expect("a message has only strings");
        let (topic, key) = (self.topics.messages(), message.conversation_id.as_str().as_bytes());
        lease.persist("produce a message", || self.producer.send(&topic, key, &value, &[])).await?;
        Ok(())
    }

    /// The conversation of the message that is answered, where it is one of ours.
    async fn answered(&self, written: &InboundMessage, lease: &Lease) -> Result<Option<ConversationId>, Ended> {
        let Some(provider_id) = written.reply_to.clone() else { return Ok(None) };
        let answered = ProviderRef { connector: self.connector.clone(), provider_id };
        let linked = lease.persist("look up what is answered", || self.store.linked(&answered)).await?;
        Ok(linked.map(|delivery| delivery.conversation_id))
    }

    /// Somebody has read everything up to `until`: tells it of each delivery.
    pub(crate) async fn read_until(&self, by: &Address, until: Timestamp, lease: &Lease) -> Result<(), Ended> {
        let read = || self.store.read_until(&self.connector, by, until);
        let deliveries = lease.persist("note what was read", read).await?;
        let topic = self.topics.status_updates();
        for delivery in deliveries {
            let subject = Subject::Delivery { delivery, connector: self.connector.clone() };
            let update = StatusUpdate { subject, at: until, event: DeliveryEvent::Read, correlation: None };
            produce_status(&self.producer, &topic, &update, lease).await?;
        }
        lease.persist("forget what was read", || self.store.forget_read(&self.connector, by, until)).await
    }
}

/// The conversation that begins with a message of somebody who was not spoken with before.
fn named_after(address: &Address) -> ConversationId {
    let name = address.to_string();
    // A business-scoped id may be longer than a name.
    let short = || {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
        ConversationId::try_from(format!("person:{id}")).expect("a word and a UUID are a name")
    };
    name.parse().unwrap_or_else(|_| short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_can_name_a_conversation() {
        let long = format!("whatsapp:US.{}", "a".repeat(128));
        for text in ["whatsapp:+5562998765432", "telegram:-1001234", "messenger:7001", "whatsapp:US.1349"] {
            assert_eq!(named_after(&text.parse().unwrap()).as_str(), text);
        }
        assert!(named_after(&long.parse().unwrap()).as_str().starts_with("person:"));
    }
}
