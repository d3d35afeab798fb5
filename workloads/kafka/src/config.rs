//! How the clients are set up. Every number says why.

use std::time::Duration;

use rdkafka::ClientConfig;

/// Where Kafka is and how patient its clients are.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas.
    pub bootstrap_servers: String,
    /// After how long without a heartbeat the broker gives a member's partitions to others.
    /// The broker accepts 6 s to 5 min by default (`group.min.session.timeout.ms`).
    pub session_timeout: Duration,
    /// How the members of a group share its partitions.
    pub protocol: GroupProtocol,
}

/// How the members of a group share its partitions. All members of one group must use the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// At each change every member gives back everything.
    Eager,
    /// A member gives back what goes to another one; the rest goes on meanwhile.
    #[default]
    CooperativeSticky,
    /// The broker shares out, member by member (KIP-848). Needs Kafka 4.0. Its session time-out and its
    /// heartbeats are the broker's settings, and ours are not used.
    Consumer,
}

/// How long a record may wait for its acknowledgement before the caller is told that it failed.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

impl KafkaConfig {
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", "chat4all")
            // A broker that comes back after an hour is found again within two seconds.
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "2000")
            // What is sent to the address of a pod that has just gone is never answered: knock again soon, and
            // not after the default of 30 s.
            .set("socket.connection.setup.timeout.ms", "5000")
            // A pod that replaced a broker has another address under the same name.
            .set("broker.address.ttl", "1000")
            .set("socket.keepalive.enable", "true");
        config
    }

    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            // Without it a retry can store a record twice or out of order; off by default in librdkafka.
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            // Waiting for company costs latency at low rates and gains little at high ones: at 20
            // connections 0 ms gave twice the throughput of 2 ms.
            .set("linger.ms", "0")
            .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
            // What the Java clients compute, so that other tools place the same key in the same partition.
            .set("partitioner", "murmur2_random")
            // A webhook of 3 MiB becomes a record of 4 MiB, and one may be given up with headers added. The
            // topics that hold such records need max.message.bytes to match.
            .set("message.max.bytes", "5242880")
            // Bounds the memory: 64 KiB is the largest request the API takes.
            .set("queue.buffering.max.messages", "20000")
            .set("queue.buffering.max.kbytes", "32768");
        config
    }

    pub(crate) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        self.share_out(&mut config);
        config
            .set("group.id", group)
            // Offsets are stored by hand, when everything before them is done, and committed from there.
            .set("enable.auto.commit", "true")
            .set("enable.auto.offset.store", "false")
            .set("auto.commit.interval.ms", "500")
            // A group without an offset begins with what is there: nothing accepted is skipped.
            .set("auto.offset.reset", "earliest")
            // A new partition or topic is seen within seconds, not after the default of five minutes.
            .set("topic.metadata.refresh.interval.ms", "10000")
            // Pausing throws the prefetched records away: keep few of them. The number is of all partitions
            // together, and one answer may hold thousands: it is the bytes that bound it.
            .set("queued.min.messages", "10000")
            .set("queued.max.messages.kbytes", "4096")
            // Of each partition at a time; the default of 1 MiB is some thousand messages, most of which are thrown
            // away when a partition pauses at its share. A larger record comes all the same, alone.
            .set("fetch.message.max.bytes", "131072")
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "100")
            // There is one fetch at a time for each broker, and it names the partitions that were not paused when
            // it was sent: one that goes on waits until those have something, or for so long. Fewer would cost more:
            // at 50 ms ten consumers with nothing to do took a quarter of a core of Kafka.
            .set("fetch.wait.max.ms", "250");
        config
    }

    /// A client that joins no group and commits nothing; with a group's name it sees that group's offsets.
    pub(crate) fn onlooker(&self, group: Option<&str>) -> ClientConfig {
        let mut config = self.client();
        config
            // The library wants a name; nobody commits under it.
            .set("group.id", group.unwrap_or("chat4all-onlookers-that-commit-nothing"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // What the retention deleted since the range was chosen is passed over.
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "8192");
        config
    }

    fn share_out(&self, config: &mut ClientConfig) {
        let strategy = match self.protocol {
            GroupProtocol::Eager => "range",
            GroupProtocol::CooperativeSticky => "cooperative-sticky",
            GroupProtocol::Consumer => {
                // The client refuses a session time-out, heartbeats and a strategy beside it.
                config.set("group.protocol", "consumer");
                return;
            }
        };
        // A rebalance is noticed with the next heartbeat, so this is what a graceful change costs.
        let heartbeat = (self.session_timeout / 12).clamp(Duration::from_millis(500), Duration::from_secs(3));
        config
            .set("partition.assignment.strategy", strategy)
            .set("session.timeout.ms", self.session_timeout.as_millis().to_string())
            .set("heartbeat.interval.ms", heartbeat.as_millis().to_string());
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;
    use rstest::rstest;

    use super::*;

    #[rstest]
    fn the_client_takes_the_settings_of_every_protocol(
        #[values(GroupProtocol::Eager, GroupProtocol::CooperativeSticky, GroupProtocol::Consumer)]
        protocol: GroupProtocol,
    ) {
        let kafka =
            KafkaConfig { bootstrap_servers: "127.0.0.1:1".into(), session_timeout: Duration::from_secs(6), protocol };
        assert!(kafka.consumer("a-group").create::<BaseConsumer>().is_ok());
    }
}
