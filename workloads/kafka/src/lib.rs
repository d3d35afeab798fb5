//! Kafka for the message path: a producer that answers after the broker's acknowledgement, and
//! one consumer runtime for routers and connectors. The same key is handled in order, different
//! keys in parallel; an offset is committed when everything before it is done; a revoked
//! partition is drained before it is let go. Knows no store, no provider and no envelope.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod assignment;
mod busy;
mod config;
mod consumer;
mod dead_letter;
mod flow;
mod forgotten;
mod gate;
mod lanes;
mod last_commit;
mod lease;
#[cfg(test)]
mod lone_broker;
mod look;
mod metrics;
mod persist;
mod producer;
mod pulse;
mod record;
mod runtime;
mod share;
mod stalled;
mod together;
mod waker;
mod watermark;

pub use config::{GroupProtocol, KafkaConfig};
pub use dead_letter::DeadLetter;
pub use flow::Limits;
pub use gate::{Gate, GateKeeper, gate};
pub use lease::{Ended, Lease};
pub use look::{Extent, LookError, Onlooker, Reading, Span};
pub use metrics::ConsumerMetrics;
pub use persist::persevere;
pub use producer::{Placed, ProduceError, Producer};
pub use pulse::Pulse;
pub use record::Record;
pub use runtime::{Consumer, Handler, Settings};
pub use share::Share;
pub use together::together;

/// The consumer or the producer could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client library refused the settings.
    #[error("could not create the Kafka {role} for {servers}; check KAFKA_BOOTSTRAP_SERVERS")]
    Create {
        /// "producer" or "consumer".
        role: &'static str,
        /// The bootstrap servers.
        servers: String,
        /// The library's error.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// The subscription was refused.
    #[error("could not subscribe to {topics:?}")]
    Subscribe {
        /// The topics.
        topics: Vec<String>,
        /// The library's error.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// The client can do nothing more; the process must be started again.
    #[error("the Kafka consumer of group {group} cannot go on")]
    Fatal {
        /// The consumer group.
        group: String,
        /// The library's error.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// A handler panicked: a fault of this program. The record is not completed.
    #[error("the handler panicked over {topic}[{partition}]@{offset}")]
    Panicked {
        /// The record's topic.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
    },
}
