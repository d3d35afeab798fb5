//! `host:port`, as users write brokers and contact points.

use std::fmt;
use std::str::FromStr;

/// A host and a port.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct HostPort {
    host: String,
    port: u16,
}

/// The text is no host with a port from 1 to 65535.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotHostPort;

impl FromStr for HostPort {
    type Err = NotHostPort;

    fn from_str(text: &str) -> Result<Self, NotHostPort> {
        let (host, port) = text.rsplit_once(':').ok_or(NotHostPort)?;
        let port: u16 = port.parse().map_err(|_| NotHostPort)?;
        let name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        let ipv6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let ipv6 = ipv6.is_some_and(|h| h.parse::<std::net::Ipv6Addr>().is_ok());
        if port > 0 && (name || ipv6) { Ok(Self { host: host.to_owned(), port }) } else { Err(NotHostPort) }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl HostPort {
    /// The same place, named so that a pod of another namespace finds it: a name without a dot is a
    /// Service in `namespace`.
    #[must_use]
    pub fn seen_from_another_namespace(&self, namespace: &str) -> Self {
        let is_service = !self.host.contains(['.', '[']) && self.host != "localhost";
        let host = if is_service { format!("{}.{namespace}.svc", self.host) } else { self.host.clone() };
        Self { host, port: self.port }
    }
}

impl HostPort {
    /// The same for all the ways in which a cluster's own DNS lets a Service be named, to compare by.
    #[must_use]
    pub fn place(&self) -> Self {
        let mut host = self.host.to_ascii_lowercase();
        for end in [".", ".cluster.local", ".svc"] {
            host.truncate(host.strip_suffix(end).map_or(host.len(), str::len));
        }
        Self { host, port: self.port }
    }
}

/// `host:port,host:port`.
pub fn join(addresses: &[HostPort]) -> String {
    addresses.iter().map(HostPort::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> HostPort {
        text.parse().unwrap()
    }

    #[rstest]
    #[case("kafka")]
    #[case("kafka:0")]
    #[case("kafka:65536")]
    #[case(":9092")]
    #[case("ka fka:9092")]
    #[case("::1:9092")]
    fn what_is_no_host_and_port_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<HostPort>(), Err(NotHostPort));
    }

    #[rstest]
    #[case("kafka.engines.svc:9092")]
    #[case("kafka.engines.svc.cluster.local:9092")]
    #[case("Kafka.engines.svc.cluster.local.:9092")]
    fn a_service_is_one_place_however_it_is_named(#[case] text: &str) {
        assert_eq!(at(text).place(), at("kafka.engines:9092").place());
        assert_ne!(at(text).place(), at("kafka.other:9092").place());
    }

    #[rstest]
    #[case("kafka:9092", "kafka.chat4all.svc:9092")]
    #[case("kafka.engines:9092", "kafka.engines:9092")]
    #[case("kafka.example.com:9092", "kafka.example.com:9092")]
    #[case("10.0.0.1:9092", "10.0.0.1:9092")]
    #[case("[fd00::1]:9092", "[fd00::1]:9092")]
    #[case("localhost:9092", "localhost:9092")]
    fn a_bare_service_name_is_qualified_with_the_namespace_of_the_cluster(#[case] text: &str, #[case] seen: &str) {
        assert_eq!(at(text).seen_from_another_namespace("chat4all").to_string(), seen);
    }
}
