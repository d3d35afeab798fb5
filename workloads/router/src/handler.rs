//! Tells the two topics apart, and gives up what cannot be read.

use std::sync::Arc;

use chat4all_dead_letters::Desk;
use chat4all_kafka::{DeadLetter, Ended, Handler, Lease, Producer, Record};
use chat4all_message::{Connector, Topics};
use chat4all_store::Store;

use crate::members::Members;

/// Handles the records of `messages` and `status-updates`.
pub(crate) struct Handlers {
    pub(crate) topics: Topics,
    pub(crate) connectors: Vec<Connector>,
    pub(crate) producer: Producer,
    pub(crate) desk: Desk,
    pub(crate) members: Members,
    pub(crate) store: Arc<dyn Store>,
}

impl Handler for Handlers {
    async fn handle(&self, record: Record, lease: Lease) -> Result<(), Ended> {
        let unreadable = if self.is_status(&record) {
            match serde_json::from_slice(&record.value) {
                Ok(update) => return self.status(&update, &lease).await,
                Err(error) => error,
            }
        } else {
            match serde_json::from_slice(&record.value) {
                Ok(message) => return self.message(&record, &message, &lease).await,
                Err(error) => error,
            }
        };
        self.give_up(&record, "chat4all:unreadable", &format!("the record cannot be read: {unreadable}"), &lease).await
    }
}

impl Handlers {
    fn is_status(&self, record: &Record) -> bool {
        *record.topic == *self.topics.status_updates()
    }

    /// Puts a record into the dead-letter queue.
    pub(crate) async fn give_up(&self, record: &Record, code: &str, reason: &str, lease: &Lease) -> Result<(), Ended> {
        let group = if self.is_status(record) { self.topics.status_group() } else { self.topics.router_group() };
        let letter = DeadLetter { group: &group, reason: code, message: reason, attempts: 0 };
        self.desk.give_up(&letter, record, lease).await
    }
}
