//! What Kafka itself says of consumer groups and topics, asked with Kafka's own tools in its pod.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;

use crate::kube::{self, One};

/// Kafka's pod.
#[derive(Clone)]
pub struct Kafka {
    pod: One<Pod>,
}

/// Kafka did not say what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tool could not be run.
    #[error(transparent)]
    Exec(#[from] kube::Error),
    /// The tool failed.
    #[error("{tool} failed: {said}")]
    Tool {
        /// Its class.
        tool: &'static str,
        /// What it printed.
        said: String,
    },
}

/// A partition of a topic, and the address of the pod that consumes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The consumer's IP address; `None` while nobody consumes it.
    pub consumer: Option<String>,
}

const SERVERS: [&str; 2] = ["--bootstrap-server", "localhost:9092"];

impl Kafka {
    /// The Kafka of this pod.
    pub fn in_pod(pod: One<Pod>) -> Self {
        Self { pod }
    }

    /// Who consumes what in a group.
    pub async fn group(&self, group: &str) -> Result<Vec<Share>, Error> {
        let tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
        Ok(shares(&self.run(tool, &["--describe", "--group", group]).await?))
    }

    /// The end of each partition of a topic.
    pub async fn ends(&self, topic: &str) -> Result<BTreeMap<u32, i64>, Error> {
        Ok(ends(&self.run("org.apache.kafka.tools.GetOffsetShell", &["--topic", topic]).await?))
    }

    /// The names of all topics.
    pub async fn topics(&self) -> Result<BTreeSet<String>, Error> {
        let said = self.run("org.apache.kafka.tools.TopicCommand", &["--list"]).await?;
        Ok(said.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, topic: &str) -> Result<(), Error> {
        self.run("org.apache.kafka.tools.TopicCommand", &["--delete", "--topic", topic]).await.map(drop)
    }

    /// Runs a tool of Kafka's jars. They are in `lib` of our image, in `libs` of upstream's. The
    /// small heap fits beside the broker's, and one compiler stage is enough for a second of work.
    async fn run(&self, tool: &'static str, arguments: &[&str]) -> Result<String, Error> {
        let java = "cd /opt/kafka && exec java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -cp 'lib/*:libs/*' \"$@\"";
        let command: Vec<&str> =
            ["sh", "-c", java, "sh", tool].iter().chain(&SERVERS).chain(arguments).copied().collect();
        let output = self.pod.exec(&command).await?;
        if output.success {
            Ok(output.stdout)
        } else {
            Err(Error::Tool { tool, said: format!("{}{}", output.stdout, output.stderr) })
        }
    }
}

/// Reads the table of `--describe` by its headings.
fn shares(table: &str) -> Vec<Share> {
    let mut columns: Option<(usize, usize, usize)> = None;
    let mut found = Vec::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let column = |name: &str| cells.iter().position(|cell| *cell == name);
        if let (Some(topic), Some(partition), Some(host)) = (column("TOPIC"), column("PARTITION"), column("HOST")) {
            columns = Some((topic, partition, host));
        } else if let Some((topic, partition, host)) = columns
            && let (Some(topic), Some(Ok(partition))) =
                (cells.get(topic), cells.get(partition).map(|cell| cell.parse()))
        {
            let consumer = cells.get(host).and_then(|host| host.strip_prefix('/'));
            found.push(Share { topic: (*topic).to_owned(), partition, consumer: consumer.map(str::to_owned) });
        }
    }
    found
}

/// Reads lines of `topic:partition:offset`.
fn ends(lines: &str) -> BTreeMap<u32, i64> {
    let end = |line: &str| {
        let (rest, offset) = line.trim().rsplit_once(':')?;
        let (_, partition) = rest.rsplit_once(':')?;
        Some((partition.parse().ok()?, offset.parse().ok()?))
    };
    lines.lines().filter_map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_group_is_read_by_its_headings() {
        let table = "
GROUP               TOPIC     PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  CONSUMER-ID          HOST          CLIENT-ID
router-worker-group messages  0          12              12              0    chat4all-1-aa-bb     /10.244.1.7   chat4all
router-worker-group messages  11         -               3               -    -                    -             -
";
        let share = |partition, consumer: Option<&str>| Share {
            topic: "messages".into(),
            partition,
            consumer: consumer.map(str::to_owned),
        };
        assert_eq!(shares(table), [share(0, Some("10.244.1.7")), share(11, None)]);
        assert!(shares("Consumer group 'x' has no active members.\n").is_empty());
    }

    #[test]
    fn the_ends_of_a_topic_are_read_line_by_line() {
        assert_eq!(ends("messages:0:17\nmessages:11:4\n"), BTreeMap::from([(0, 17), (11, 4)]));
    }
}
