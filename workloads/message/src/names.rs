//! Names of topics, consumer groups and connectors. The operator makes the topics, the
//! workloads use them; both must say the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::Channel;

/// The topics and consumer groups of one cluster. Several clusters share one Kafka by their prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics {
    prefix: String,
}

impl Topics {
    /// Names with this prefix, taken verbatim; empty for none.
    pub fn with_prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// Accepted messages; key: conversation.
    pub fn messages(&self) -> String {
        format!("{}messages", self.prefix)
    }

    /// What became of deliveries; key: message, or provider id where the message is not known yet.
    pub fn status_updates(&self) -> String {
        format!("{}status-updates", self.prefix)
    }

    /// Records that were given up; key: as in the original topic.
    pub fn dead_letters(&self) -> String {
        format!("{}failed-messages-dlq", self.prefix)
    }

    /// Deliveries for one connector; key: recipient.
    pub fn outbound(&self, connector: &str) -> String {
        format!("{}{connector}-outbound", self.prefix)
    }

    /// The journal of raw webhooks for one connector.
    pub fn inbound(&self, connector: &str) -> String {
        format!("{}{connector}-inbound", self.prefix)
    }

    /// What a topic of this cluster holds; `None` for a topic that is none of ours.
    pub fn holds<'a>(&self, topic: &'a str) -> Option<Holds<'a>> {
        let name = topic.strip_prefix(&self.prefix)?;
        match name {
            "messages" => Some(Holds::Messages),
            "status-updates" => Some(Holds::Statuses),
            _ => name
                .strip_suffix("-outbound")
                .map(Holds::Deliveries)
                .or_else(|| name.strip_suffix("-inbound").map(Holds::Webhooks)),
        }
    }

    /// The routers' consumer group for accepted messages.
    pub fn router_group(&self) -> String {
        format!("{}router-worker-group", self.prefix)
    }

    /// The routers' consumer group for statuses. One of its own: in a group with two topics the
    /// assignment balances partitions and not topics, and gave one router all messages and another
    /// all statuses.
    pub fn status_group(&self) -> String {
        format!("{}router-status-group", self.prefix)
    }

    /// The consumer group that delivers for one connector.
    pub fn connector_group(&self, connector: &str) -> String {
        format!("{}{connector}-connector-group", self.prefix)
    }

    /// The consumer group that parses one connector's journal.
    pub fn inbound_group(&self, connector: &str) -> String {
        format!("{}{connector}-inbound-group", self.prefix)
    }
}

/// What a topic holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds<'a> {
    /// Accepted messages.
    Messages,
    /// Statuses.
    Statuses,
    /// Deliveries for this connector.
    Deliveries(&'a str),
    /// The journal of this connector.
    Webhooks(&'a str),
}

/// A configured connector: its name and the channel it speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    /// The name in the resource; part of topic names.
    pub name: String,
    /// The channel it speaks.
    pub channel: Channel,
}

/// The text is no `name=channel` pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not name=channel, for example whatsapp=whatsapp")]
pub struct NotAConnector(String);

impl FromStr for Connector {
    type Err = NotAConnector;
    fn from_str(text: &str) -> Result<Self, NotAConnector> {
        let wrong = || NotAConnector(text.to_owned());
        let (name, channel) = text.split_once('=').ok_or_else(wrong)?;
        let channel = channel.parse().map_err(|_| wrong())?;
        if name.is_empty() { Err(wrong()) } else { Ok(Self { name: name.to_owned(), channel }) }
    }
}

impl fmt::Display for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.channel)
    }
}

/// The connector that carries deliveries of a channel: the first one in the order of the resource.
pub fn connector_for(connectors: &[Connector], channel: Channel) -> Option<&Connector> {
    connectors.iter().find(|c| c.channel == channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_carry_the_prefix_verbatim() {
        let topics = Topics::with_prefix("acme.");
        assert_eq!(topics.messages(), "acme.messages");
        assert_eq!(topics.outbound("whatsapp"), "acme.whatsapp-outbound");
        assert_eq!(Topics::default().router_group(), "router-worker-group");
    }

    #[test]
    fn a_topic_tells_what_it_holds() {
        let topics = Topics::with_prefix("acme.");
        assert_eq!(topics.holds(&topics.messages()), Some(Holds::Messages));
        assert_eq!(topics.holds(&topics.status_updates()), Some(Holds::Statuses));
        assert_eq!(topics.holds(&topics.outbound("main")), Some(Holds::Deliveries("main")));
        assert_eq!(topics.holds(&topics.inbound("main")), Some(Holds::Webhooks("main")));
        assert_eq!(topics.holds("messages"), None, "another cluster's");
        assert_eq!(topics.holds("acme.orders"), None);
    }

    #[test]
    fn the_first_connector_of_a_channel_carries_it() {
        let connectors: Vec<Connector> =
            ["main=whatsapp", "spare=whatsapp"].iter().map(|t| t.parse().unwrap()).collect();
        assert_eq!(connector_for(&connectors, Channel::Whatsapp).unwrap().name, "main");
        assert!(connector_for(&[], Channel::Whatsapp).is_none());
        assert!("main".parse::<Connector>().is_err());
        assert!("main=pigeon".parse::<Connector>().is_err());
    }
}
