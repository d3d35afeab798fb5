//! Reads the journal of webhooks and passes on what they tell. Reading a record again tells the
//! same again: statuses commute, and an event makes one message however often it is read.

use std::sync::Arc;

use chat4all_channels::{Channel, WebhookEvent};
use chat4all_dead_letters::Desk;
use chat4all_kafka::{DeadLetter, Ended, Handler, Lease, Record};
use chat4all_message::WebhookRecord;
use futures::future::{try_join, try_join_all};
use jiff::Timestamp;

use crate::deliver::produce_status;
use crate::inbound::Intake;
use crate::metrics::{Call, ConnectorMetrics};

/// Handles the records of `<connector>-inbound`.
pub(crate) struct Journal {
    pub(crate) group: String,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) intake: Intake,
    pub(crate) desk: Desk,
    pub(crate) metrics: ConnectorMetrics,
}

impl Handler for Journal {
    async fn handle(&self, record: Record, lease: Lease) -> Result<(), Ended> {
        match serde_json::from_slice::<WebhookRecord>(&record.value) {
            Ok(webhook) => {
                let events = self.channel.parse_webhook(&webhook).into_iter();
                let (messages, others): (Vec<_>, Vec<_>) =
                    events.partition(|event| matches!(event, WebhookEvent::Message(_)));
                // What somebody wrote, in the order in which they did; the rest needs none.
                let in_order = async {
                    for message in messages {
                        self.pass_on(message, webhook.received_at, &lease).await?;
                    }
                    Ok(())
                };
                let others = others.into_iter().map(|event| self.pass_on(event, webhook.received_at, &lease));
                try_join(in_order, try_join_all(others)).await.map(drop)
            }
            Err(error) => {
                let message = format!("the record cannot be read: {error}");
                let letter =
                    DeadLetter { group: &self.group, reason: "chat4all:unreadable", message: &message, attempts: 0 };
                self.desk.give_up(&letter, &record, &lease).await
            }
        }
    }
}

impl Journal {
    async fn pass_on(&self, event: WebhookEvent, received_at: Timestamp, lease: &Lease) -> Result<(), Ended> {
        let connector = &self.intake.connector;
        let outcome = match event {
            WebhookEvent::Status(update) => {
                let topic = self.intake.topics.status_updates();
                produce_status(&self.intake.producer, &topic, &update, lease).await?;
                "status"
            }
            WebhookEvent::Message(message) => {
                self.intake.message(*message, received_at, lease).await?;
                "message"
            }
            WebhookEvent::ReadUntil { by, until } => {
                self.intake.read_until(&by, until, lease).await?;
                "read"
            }
            WebhookEvent::Unhandled { place, what } => {
                tracing::info!(connector, place, what, "a webhook tells what this version leaves in the journal");
                "unhandled"
            }
            WebhookEvent::Ignored { place, why } => {
                tracing::debug!(connector, place, why, "a webhook's entry is not for us");
                "ignored"
            }
            WebhookEvent::Rejected { place, why } => {
                tracing::warn!(connector, place, why, "a webhook's entry cannot be understood");
                "rejected"
            }
        };
        self.metrics.webhook_events.get_or_create(&Call { connector: connector.clone(), outcome }).inc();
        Ok(())
    }
}
