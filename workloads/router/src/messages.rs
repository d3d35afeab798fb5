//! A message: store it, make its deliveries, hand them to the connectors, in this order. A
//! delivery is produced only after its row is there, so a status always finds it.

use std::collections::BTreeSet;

use chat4all_kafka::{Ended, Lease, Record};
use chat4all_message::{AcceptedMessage, Address, Delivery, DeliveryEvent};
use futures::future::join_all;
use jiff::Timestamp;

use crate::handler::Handlers;
use crate::members::Found;
use crate::plan::{Deliveries, Plan, plan, plan_inbound};

/// To so many recipients of one message its deliveries are produced at once.
const RECIPIENTS_AT_ONCE: usize = 16;

impl Handlers {
    /// Handles a record of `messages`.
    pub(crate) async fn message(&self, record: &Record, message: &AcceptedMessage, lease: &Lease) -> Result<(), Ended> {
        let conversation = &message.conversation_id;
        let mut found = self.members.look_up(conversation, lease).await?;
        if message.inbound.is_some() {
            let known = self.is_among(&message.sender, &found.members, lease).await?;
            return self.deliver(message, &plan_inbound(message, &found.members, known), &found, lease).await;
        }
        let mut planned = plan(message, &found.members, &self.connectors);
        if matches!(planned, Plan::GiveUp { .. }) && !found.fresh {
            // Not on what is remembered alone.
            found = self.members.read(conversation, lease).await?;
            planned = plan(message, &found.members, &self.connectors);
        }
        match planned {
            Plan::Deliver(deliveries) => self.deliver(message, &deliveries, &found, lease).await,
            Plan::GiveUp { code, reason } => self.give_up(record, code, &reason, lease).await,
        }
    }

    /// Whether somebody is a member, perhaps by another of their addresses.
    async fn is_among(&self, somebody: &Address, members: &BTreeSet<Address>, lease: &Lease) -> Result<bool, Ended> {
        let canonical = somebody.canonical();
        if members.iter().any(|member| member.canonical() == canonical) {
            return Ok(true);
        }
        let person = lease.persist("read who wrote", || self.store.person(somebody)).await?;
        for member in members.iter().filter(|member| member.channel() == somebody.channel()) {
            let other = lease.persist("read who a member is", || self.store.person(member)).await?;
            if other.address == person.address {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn deliver(
        &self,
        message: &AcceptedMessage,
        planned: &Deliveries,
        found: &Found,
        lease: &Lease,
    ) -> Result<(), Ended> {
        let deliveries: Vec<Delivery> = planned.all().cloned().collect();
        lease.persist("store a message", || self.store.put_message(message, &deliveries)).await?;
        self.members.add(&message.conversation_id, found, &planned.new_members, lease).await?;
        for delivery in &planned.local {
            self.note(delivery, &DeliveryEvent::Delivered, lease).await?;
        }
        for delivery in &planned.unreachable {
            let failed = DeliveryEvent::Failed {
                code: "chat4all:no-connector".into(),
                reason: format!("no connector speaks {}; add one to spec.connectors", delivery.connector),
                effort: None,
                dead_lettered_at: None,
            };
            self.note(delivery, &failed, lease).await?;
        }
        // The parts for one recipient stand together and keep their order; nobody waits for another one's.
        let recipients: Vec<_> = planned.outbound.chunk_by(|one, next| one.recipient == next.recipient).collect();
        for some in recipients.chunks(RECIPIENTS_AT_ONCE) {
            // What is being produced is waited for also when the lease ended: it must not come behind what is next.
            let handed_over = join_all(some.iter().map(|parts| self.hand_over(parts, lease))).await;
            handed_over.into_iter().collect::<Result<(), Ended>>()?;
        }
        Ok(())
    }

    async fn note(&self, delivery: &Delivery, event: &DeliveryEvent, lease: &Lease) -> Result<(), Ended> {
        let at = Timestamp::now();
        lease.persist("note a delivery", || self.store.apply(&delivery.reference, event, at)).await
    }

    async fn hand_over(&self, parts: &[Delivery], lease: &Lease) -> Result<(), Ended> {
        for delivery in parts {
            let topic = self.topics.outbound(&delivery.connector);
            let key = delivery.recipient.to_string();
            let value = serde_json::to_vec(delivery).expect("a delivery has only strings");
            lease.persist("produce a delivery", || self.producer.send(&topic, key.as_bytes(), &value, &[])).await?;
        }
        Ok(())
    }
}
