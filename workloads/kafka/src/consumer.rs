//! The client library's consumer, with rebalances reported instead of carried out: its callback
//! runs inside of polling, and must not wait for work that the polling task itself completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc;

use crate::Error;
use crate::assignment::PartitionId;
use crate::config::KafkaConfig;
use crate::forgotten::Down;

/// What the group asks of this member.
#[derive(Debug)]
pub(crate) enum Rebalance {
    /// Take these, too (cooperative) or these alone (eager).
    Assign(TopicPartitionList),
    /// Give these back. `lost`: somebody else may have them already.
    Revoke { partitions: TopicPartitionList, lost: bool },
}

pub(crate) struct Context {
    group: String,
    rebalances: mpsc::UnboundedSender<Rebalance>,
    closing: AtomicBool,
    pub(crate) down: Down,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(group = self.group, facility, message, "kafka client");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
                tracing::warn!(group = self.group, facility, message, "kafka client");
            }
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(group = self.group, facility, message, "kafka client");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(group = self.group, %error, reason, "kafka client");
        self.down.note(&error);
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let rebalance = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions.clone()),
            _ => Rebalance::Revoke { partitions: partitions.clone(), lost: consumer.assignment_lost() },
        };
        let unheard = if self.closing.load(Ordering::SeqCst) {
            Some(rebalance)
        } else {
            self.rebalances.send(rebalance).err().map(|unsent| unsent.0)
        };
        if let Some(rebalance) = unheard {
            answer(consumer, &rebalance);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if let Err(error) = result {
            // Harmless: what was not committed is handled again, and handlers are idempotent.
            tracing::info!(group = self.group, %error, partitions = offsets.count(), "offsets not committed");
        }
    }
}

/// A client with the rebalances that it reported. Dropping it leaves the group: that waits for
/// the broker, and for every reported rebalance to be answered.
pub(crate) struct Member {
    pub(crate) client: Arc<StreamConsumer<Context>>,
    pub(crate) rebalances: mpsc::UnboundedReceiver<Rebalance>,
}

impl Member {
    /// A client that has not subscribed yet.
    pub(crate) fn new(kafka: &KafkaConfig, group: &str) -> Result<Self, Error> {
        let (sender, rebalances) = mpsc::unbounded_channel();
        let context = Context {
            group: group.to_owned(),
            rebalances: sender,
            closing: AtomicBool::new(false),
            down: Down::default(),
        };
        let client: StreamConsumer<Context> = kafka
            .consumer(group)
            .create_with_context(context)
            .map_err(|source| Error::Create { role: "consumer", servers: kafka.bootstrap_servers.clone(), source })?;
        Ok(Self { client: Arc::new(client), rebalances })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // From here on nobody listens: rebalances are answered in the callback.
        self.client.context().closing.store(true, Ordering::SeqCst);
        while let Ok(rebalance) = self.rebalances.try_recv() {
            answer(&*self.client, &rebalance);
        }
        // A revocation that was still draining has no other answer.
        if let Ok(owned) = self.client.assignment()
            && owned.count() > 0
        {
            answer(&*self.client, &Rebalance::Revoke { partitions: owned, lost: false });
        }
    }
}

/// Answers a rebalance at once; for a client that is being closed. The library then treats an
/// assignment as a return of partitions, and waits for ever when it gets no answer.
fn answer(consumer: &impl Consumer<Context>, rebalance: &Rebalance) {
    let answered = match rebalance {
        Rebalance::Assign(partitions) => take(consumer, partitions),
        Rebalance::Revoke { partitions, .. } => give_back(consumer, partitions),
    };
    if let Err(error) = answered {
        tracing::debug!(%error, "a rebalance could not be answered while closing");
    }
}

/// Takes partitions as the group's protocol wants it.
pub(crate) fn take(consumer: &impl Consumer<Context>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
        _ => consumer.assign(partitions),
    }
}

/// Gives partitions back; the library commits their stored offsets on the way.
pub(crate) fn give_back(consumer: &impl Consumer<Context>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
        _ => consumer.unassign(),
    }
}

/// The partitions of a list, as the runtime knows them.
pub(crate) fn ids(partitions: &TopicPartitionList) -> Vec<PartitionId> {
    partitions.elements().iter().map(|e| PartitionId { topic: e.topic().into(), partition: e.partition() }).collect()
}

/// The offset that a list tells of a partition; `None` where it tells none.
pub(crate) fn offset(list: &TopicPartitionList, id: &PartitionId) -> Option<i64> {
    match list.find_partition(&id.topic, id.partition).filter(|found| found.error().is_ok())?.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

/// A list of partitions without offsets.
pub(crate) fn list<'a>(ids: impl IntoIterator<Item = &'a PartitionId>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for id in ids {
        list.add_partition(&id.topic, id.partition);
    }
    list
}
