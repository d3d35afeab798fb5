//! Where the store is and how its keyspace is replicated; checked before anything is asked of it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How to reach the store.
#[derive(Debug, Clone)]
pub struct CassandraConfig {
    /// `host:port` of some nodes; the driver learns the others from them. Port 9042 when it is left out.
    pub contact_points: Vec<String>,
    /// Where the tables are.
    pub keyspace: Keyspace,
}

/// The name of a keyspace: a lower-case letter, then up to 47 lower-case letters, digits or `_`
/// (Cassandra allows 48 characters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyspace(String);

/// The text cannot name a keyspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a keyspace name; write a lower-case letter, then at most 47 of a-z, 0-9 and _")]
pub struct NotAKeyspace(String);

impl FromStr for Keyspace {
    type Err = NotAKeyspace;
    fn from_str(text: &str) -> Result<Self, NotAKeyspace> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase());
        if begins_well && text.len() <= 48 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAKeyspace(text.to_owned()))
        }
    }
}

impl Keyspace {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The replication map of a keyspace that is to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication(BTreeMap<String, String>);

/// The text is no replication map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not a replication map; write JSON with texts only, such as {{\"class\":\"NetworkTopologyStrategy\",\"replication_factor\":\"3\"}}"
)]
pub struct NotAReplication(String);

impl FromStr for Replication {
    type Err = NotAReplication;
    fn from_str(text: &str) -> Result<Self, NotAReplication> {
        let wrong = || NotAReplication(text.to_owned());
        let map: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| wrong())?;
        // They become part of a statement's text, where quotes would end a literal.
        let plain = |s: &String| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let fits = map.contains_key("class") && map.iter().all(|(key, value)| plain(key) && plain(value));
        if fits { Ok(Self(map)) } else { Err(wrong()) }
    }
}

impl Replication {
    /// The map as CQL writes it.
    pub(super) fn cql(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("'{key}': '{value}'")).collect();
        format!("{{{}}}", pairs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("chat4all", true)]
    #[case("a", true)]
    #[case("tenant_7", true)]
    #[case("", false)]
    #[case("7up", false)]
    #[case("Chat", false)]
    #[case("a-b", false)]
    #[case("a; DROP KEYSPACE system", false)]
    #[case("abcdefghijabcdefghijabcdefghijabcdefghijabcdefghi", false)]
    fn a_keyspace_name_is_short_and_plain(#[case] text: &str, #[case] fits: bool) {
        assert_eq!(text.parse::<Keyspace>().is_ok(), fits);
    }

    #[test]
    fn a_replication_map_becomes_cql() {
        let text = r#"{"class":"NetworkTopologyStrategy","replication_factor":"1"}"#;
        let replication: Replication = text.parse().unwrap();
        assert_eq!(replication.cql(), "{'class': 'NetworkTopologyStrategy', 'replication_factor': '1'}");
    }

    #[rstest]
    #[case("three")]
    #[case(r#"{"replication_factor":"1"}"#)]
    #[case(r#"{"class":"SimpleStrategy","replication_factor":1}"#)]
    #[case(r#"{"class":"SimpleStrategy'} AND x = {'"}"#)]
    fn a_wrong_replication_map_is_refused_with_an_example(#[case] text: &str) {
        let error = text.parse::<Replication>().unwrap_err().to_string();
        assert!(error.contains("\"replication_factor\":\"3\""), "{error}");
    }
}
