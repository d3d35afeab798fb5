//! Which member of the routers' group has which partition of the messages, as Kafka itself tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::time::{Instant, sleep};

use crate::place::{Place, kafka};

/// How long a group may take to settle.
const PATIENCE: Duration = Duration::from_secs(120);
const TIMEOUT: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Asks for the owners in one place.
pub struct Owners {
    client: Arc<BaseConsumer>,
    group: String,
    topic: String,
    partitions: usize,
}

/// How the members share the partitions.
pub struct Shared {
    /// When it was seen.
    pub at: Timestamp,
    /// The member of each partition.
    pub members: BTreeMap<u32, String>,
}

impl Owners {
    pub fn of(place: &Place) -> Self {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka().bootstrap_servers)
            .set("group.id", "bench")
            .create()
            .unwrap();
        Self {
            client: Arc::new(client),
            group: place.topics.router_group(),
            topic: place.topics.messages(),
            partitions: usize::try_from(place.partitions).unwrap(),
        }
    }

    /// Waits until so many members share all partitions among them.
    pub async fn among(&self, members: usize) -> Shared {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.now().await;
            let at = Timestamp::now();
            let different = found.values().collect::<BTreeSet<_>>().len();
            if found.len() == self.partitions && different == members {
                return Shared { at, members: found };
            }
            let owned = found.len();
            assert!(Instant::now() < deadline, "{different} of {members} members with {owned} partitions at last");
            sleep(BETWEEN_LOOKS).await;
        }
    }

    async fn now(&self) -> BTreeMap<u32, String> {
        let (client, group, topic) = (self.client.clone(), self.group.clone(), self.topic.clone());
        tokio::task::spawn_blocking(move || owners(&client, &group, &topic)).await.unwrap()
    }
}

/// None while the group is changing, when Kafka tells no assignment, and before the client has found Kafka.
fn owners(client: &BaseConsumer, group: &str, topic: &str) -> BTreeMap<u32, String> {
    let Ok(found) = client.fetch_group_list(Some(group), TIMEOUT) else { return BTreeMap::new() };
    let members = found.groups().iter().flat_map(|group| group.members());
    let owned = members.flat_map(|member| {
        let partitions = member.assignment().and_then(|assignment| assigned(assignment, topic)).unwrap_or_default();
        partitions.into_iter().map(move |partition| (partition, member.id().to_owned()))
    });
    owned.collect()
}

/// The partitions of a topic in the `ConsumerProtocolAssignment` of a member: a version, then each topic's name
/// and partitions. `None` where it is cut short.
fn assigned(assignment: &[u8], topic: &str) -> Option<Vec<u32>> {
    let mut rest = assignment;
    let _version = short(&mut rest)?;
    let mut found = Vec::new();
    for _ in 0..int(&mut rest)? {
        let length = usize::try_from(short(&mut rest)?).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        rest = after;
        for _ in 0..int(&mut rest)? {
            let partition = u32::try_from(int(&mut rest)?).ok()?;
            if name == topic.as_bytes() {
                found.push(partition);
            }
        }
    }
    Some(found)
}

fn short(bytes: &mut &[u8]) -> Option<i16> {
    let (two, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(i16::from_be_bytes(*two))
}

fn int(bytes: &mut &[u8]) -> Option<i32> {
    let (four, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(i32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1, two partitions of `other` and two of `messages`, no user data.
    const ASSIGNMENT: &[u8] = b"\x00\x01\x00\x00\x00\x02\
        \x00\x05other\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x07\
        \x00\x08messages\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\xbf\
        \xff\xff\xff\xff";

    #[test]
    fn a_member_has_the_partitions_that_its_assignment_names() {
        assert_eq!(assigned(ASSIGNMENT, "messages"), Some(vec![3, 191]));
        assert_eq!(assigned(ASSIGNMENT, "status-updates"), Some(vec![]));
    }

    #[test]
    fn an_assignment_that_is_cut_short_is_none() {
        assert_eq!(assigned(b"", "messages"), None);
        assert_eq!(assigned(&ASSIGNMENT[..30], "messages"), None);
    }
}
