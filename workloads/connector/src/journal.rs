//! Reads the journal of webhooks and passes on what they tell. Reading a record again tells the
//! same again, and statuses commute, so that is harmless.

use std::sync::Arc;

use chat4all_channels::{Channel, WebhookEvent};
use chat4all_dead_letters::Desk;
use chat4all_kafka::{DeadLetter, Ended, Handler, Lease, Producer, Record};
use chat4all_message::{StatusUpdate, Topics, WebhookRecord};
use futures::future::try_join_all;

use crate::deliver::produce_status;
use crate::metrics::{Call, ConnectorMetrics};

/// Handles the records of `<connector>-inbound`.
pub(crate) struct Journal {
    pub(crate) group: String,
    pub(crate) connector: String,
    pub(crate) topics: Topics,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) producer: Producer,
    pub(crate) desk: Desk,
    pub(crate) metrics: ConnectorMetrics,
}

impl Handler for Journal {
    async fn handle(&self, record: Record, lease: Lease) -> Result<(), Ended> {
        match serde_json::from_slice::<WebhookRecord>(&record.value) {
            Ok(webhook) => self.pass_on(self.channel.parse_webhook(&webhook), &lease).await,
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
    async fn pass_on(&self, events: Vec<WebhookEvent>, lease: &Lease) -> Result<(), Ended> {
        let topic = self.topics.status_updates();
        let statuses: Vec<StatusUpdate> = events.into_iter().filter_map(|event| self.sift(event)).collect();
        try_join_all(statuses.iter().map(|update| produce_status(&self.producer, &topic, update, lease))).await?;
        Ok(())
    }

    /// Keeps the statuses; tells of the rest.
    fn sift(&self, event: WebhookEvent) -> Option<StatusUpdate> {
        let connector = &self.connector;
        let (outcome, status) = match event {
            WebhookEvent::Status(update) => ("status", Some(update)),
            WebhookEvent::Message(message) => {
                tracing::debug!(connector, message.event_id, "a customer's message stays in the journal for now");
                ("message", None)
            }
            WebhookEvent::ReadUntil { by, until } => {
                tracing::debug!(connector, %by, %until, "a watermark of what was read stays in the journal for now");
                ("unhandled", None)
            }
            WebhookEvent::Unhandled { place, what } => {
                tracing::info!(connector, place, what, "a webhook tells what this version leaves in the journal");
                ("unhandled", None)
            }
            WebhookEvent::Ignored { place, why } => {
                tracing::debug!(connector, place, why, "a webhook's entry is not for us");
                ("ignored", None)
            }
            WebhookEvent::Rejected { place, why } => {
                tracing::warn!(connector, place, why, "a webhook's entry cannot be understood");
                ("rejected", None)
            }
        };
        self.metrics.webhook_events.get_or_create(&Call { connector: connector.clone(), outcome }).inc();
        status
    }
}
