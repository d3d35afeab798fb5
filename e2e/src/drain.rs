//! Waits until every accepted message has come to its end (read, or given up), and returns what is
//! then known of all of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use futures::StreamExt as _;
use uuid::Uuid;

use crate::api::{Api, Error};
use crate::history::{Accepted, Stored};
use crate::wait::{self, Look};

/// Conversations that are read at the same time.
const AT_ONCE: usize = 8;

/// What the store holds of these conversations, when every accepted message came to its end, or when
/// the limit has passed: what is missing then is for the checker to name.
pub async fn drained(
    api: &Api,
    conversations: &[String],
    accepted: &[Accepted],
    limit: Duration,
) -> Result<Vec<Stored>, Error> {
    let mut wanted: HashMap<&str, HashSet<Uuid>> = HashMap::new();
    for message in accepted {
        wanted.entry(&message.conversation).or_default().insert(message.message_id);
    }
    let mut known: BTreeMap<&str, Vec<Stored>> = BTreeMap::new();
    let mut failure = None;
    let waited = wait::until("all accepted messages are read, or given up", limit, async || {
        let open: Vec<&str> = conversations
            .iter()
            .map(String::as_str)
            .filter(|c| unsettled(&wanted, &known, c) > 0 || !known.contains_key(c))
            .collect();
        let mut pages =
            futures::stream::iter(open.into_iter().map(async |c| (c, api.messages(c).await))).buffer_unordered(AT_ONCE);
        failure = None;
        while let Some((conversation, read)) = pages.next().await {
            match read {
                Ok(stored) => _ = known.insert(conversation, stored),
                Err(error) => failure = Some(error),
            }
        }
        let left: usize = conversations.iter().map(|c| unsettled(&wanted, &known, c)).sum();
        match &failure {
            Some(error) => Look::NotYet(error.to_string()),
            None if left == 0 => Look::Yes(()),
            None => Look::NotYet(format!("{left} are not")),
        }
    });
    if let Err(late) = waited.await {
        eprintln!("    {late}");
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(known.into_values().flatten().collect()),
    }
}

/// How many messages of a conversation are not stored, or still on their way to a recipient.
fn unsettled(wanted: &HashMap<&str, HashSet<Uuid>>, known: &BTreeMap<&str, Vec<Stored>>, conversation: &str) -> usize {
    let settled: HashSet<Uuid> =
        known.get(conversation).into_iter().flatten().filter(|m| is_settled(m)).map(|m| m.message_id).collect();
    wanted.get(conversation).map_or(0, |wanted| wanted.difference(&settled).count())
}

fn is_settled(message: &Stored) -> bool {
    let ended = |status: &str| ["READ", "FAILED"].contains(&status);
    !message.deliveries.is_empty() && message.deliveries.iter().all(|delivery| ended(&delivery.status))
}
