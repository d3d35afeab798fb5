//! What Kafka itself says of consumer groups and topics, asked with Kafka's own tools in its pod.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use crate::kube::{self, One};
use crate::wait::{self, Look, TimedOut};

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
    /// What it did is not seen.
    #[error(transparent)]
    Late(#[from] TimedOut),
    /// The tool failed.
    #[error("{tool} failed: {said}")]
    Tool {
        /// Its class.
        tool: &'static str,
        /// What it printed.
        said: String,
    },
}

/// A partition of a topic as a group has it, and the address of the pod that consumes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The next offset that the group will read; `None` before its first commit.
    pub committed: Option<i64>,
    /// The offset that the next record will get; `None` when Kafka does not know it.
    pub end: Option<i64>,
    /// The consumer's IP address; `None` while nobody consumes it.
    pub consumer: Option<String>,
}

const SERVERS: [&str; 2] = ["--bootstrap-server", "localhost:9092"];

impl Kafka {
    /// The Kafka of this pod.
    pub fn in_pod(pod: One<Pod>) -> Self {
        Self { pod }
    }

    /// Who consumes what in these groups, and how far they are.
    pub async fn groups(&self, groups: &[&str]) -> Result<Vec<Share>, Error> {
        let tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
        let named = groups.iter().flat_map(|group| ["--group", *group]);
        let arguments: Vec<&str> = ["--describe"].into_iter().chain(named).collect();
        Ok(shares(&self.run(tool, &arguments).await?))
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

    /// Deletes the topics whose names begin so; returns when none is left.
    pub async fn delete_topics(&self, prefix: &str, limit: Duration) -> Result<(), Error> {
        for topic in self.topics().await?.iter().filter(|topic| topic.starts_with(prefix)) {
            self.run("org.apache.kafka.tools.TopicCommand", &["--delete", "--topic", topic]).await?;
        }
        let left = async || match self.topics().await {
            Err(error) => Look::NotYet(error.to_string()),
            Ok(topics) if topics.iter().any(|topic| topic.starts_with(prefix)) => Look::NotYet(format!("{topics:?}")),
            Ok(_) => Look::Yes(()),
        };
        Ok(wait::until(format!("no topic begins with {prefix}"), limit, left).await?)
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

/// Reads the tables of `--describe` by their headings.
fn shares(tables: &str) -> Vec<Share> {
    let mut headings: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for line in tables.lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        if cells.contains(&"TOPIC") {
            headings = cells;
            continue;
        }
        let cell = |name: &str| Some(*cells.get(headings.iter().position(|heading| *heading == name)?)?);
        if let (Some(topic), Some(Ok(partition))) = (cell("TOPIC"), cell("PARTITION").map(str::parse)) {
            found.push(Share {
                topic: topic.to_owned(),
                partition,
                committed: cell("CURRENT-OFFSET").and_then(|offset| offset.parse().ok()),
                end: cell("LOG-END-OFFSET").and_then(|offset| offset.parse().ok()),
                consumer: cell("HOST").and_then(|host| host.strip_prefix('/')).map(str::to_owned),
            });
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
    fn the_tables_of_groups_are_read_by_their_headings() {
        let tables = "
GROUP               TOPIC     PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  CONSUMER-ID          HOST          CLIENT-ID
router-worker-group messages  0          12              12              0    chat4all-1-aa-bb     /10.244.1.7   chat4all
router-worker-group messages  11         -               3               -    -                    -             -

GROUP               TOPIC          PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  CONSUMER-ID          HOST          CLIENT-ID
router-status-group status-updates 2          5               9               4    chat4all-1-aa-cc     /10.244.1.7   chat4all
";
        let share = |topic: &str, partition, committed, end, consumer: Option<&str>| Share {
            topic: topic.into(),
            partition,
            committed,
            end: Some(end),
            consumer: consumer.map(str::to_owned),
        };
        let router = Some("10.244.1.7");
        assert_eq!(
            shares(tables),
            [
                share("messages", 0, Some(12), 12, router),
                share("messages", 11, None, 3, None),
                share("status-updates", 2, Some(5), 9, router),
            ]
        );
        assert!(shares("Consumer group 'x' has no active members.\n").is_empty());
    }

    #[test]
    fn the_ends_of_a_topic_are_read_line_by_line() {
        assert_eq!(ends("messages:0:17\nmessages:11:4\n"), BTreeMap::from([(0, 17), (11, 4)]));
    }
}
