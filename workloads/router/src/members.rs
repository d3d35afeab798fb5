//! Who belongs to the conversations of the partitions that this router owns. Nobody but the owner of a
//! conversation's partition writes its members, one message after another: what it read or wrote stands
//! until the partition is given back. So a message costs no reading.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat4all_kafka::{Ended, Lease};
use chat4all_message::{Address, ConversationId};
use chat4all_store::Store;
use moka::future::Cache;

/// What somebody mended in the store by hand is seen after so long.
const REMEMBERED: Duration = Duration::from_secs(60);

/// In members over all conversations, each counted with one more: at some 150 bytes each about 7 MB.
const MOST_MEMBERS: u64 = 50_000;

/// Members by conversation.
pub(crate) struct Members {
    store: Arc<dyn Store>,
    remembered: Cache<ConversationId, Remembered>,
}

/// Valid in one epoch of the partition.
#[derive(Clone)]
struct Remembered {
    epoch: u64,
    members: Arc<BTreeSet<Address>>,
}

/// The members of a conversation.
pub(crate) struct Found {
    pub(crate) members: Arc<BTreeSet<Address>>,
    /// Whether the store was asked just now.
    pub(crate) fresh: bool,
}

impl Members {
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        let weigh = |_: &ConversationId, known: &Remembered| u32::try_from(known.members.len() + 1).unwrap_or(u32::MAX);
        let remembered = Cache::builder().max_capacity(MOST_MEMBERS).weigher(weigh).time_to_live(REMEMBERED).build();
        Self { store, remembered }
    }

    /// The members, as they are remembered or else read.
    pub(crate) async fn look_up(&self, conversation: &ConversationId, lease: &Lease) -> Result<Found, Ended> {
        match self.remembered.get(conversation).await {
            Some(known) if known.epoch == lease.epoch() => Ok(Found { members: known.members, fresh: false }),
            _ => self.read(conversation, lease).await,
        }
    }

    /// The members, as they stand in the store.
    pub(crate) async fn read(&self, conversation: &ConversationId, lease: &Lease) -> Result<Found, Ended> {
        let members = Arc::new(lease.persist("read members", || self.store.members(conversation)).await?);
        self.remember(conversation, members.clone(), lease).await;
        Ok(Found { members, fresh: true })
    }

    /// Adds members to those who were found.
    pub(crate) async fn add(
        &self,
        conversation: &ConversationId,
        found: &Found,
        new: &[Address],
        lease: &Lease,
    ) -> Result<(), Ended> {
        if new.is_empty() {
            return Ok(());
        }
        lease.persist("add members", || self.store.add_members(conversation, new)).await?;
        let all = found.members.iter().chain(new).cloned().collect();
        self.remember(conversation, Arc::new(all), lease).await;
        Ok(())
    }

    async fn remember(&self, conversation: &ConversationId, members: Arc<BTreeSet<Address>>, lease: &Lease) {
        self.remembered.insert(conversation.clone(), Remembered { epoch: lease.epoch(), members }).await;
    }
}

#[cfg(test)]
mod tests {
    use chat4all_store::{Conversations as _, Memory};
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn lease(epoch: u64) -> Lease {
        Lease::until(CancellationToken::new()).in_epoch(epoch)
    }

    fn all(found: &Found) -> Vec<String> {
        found.members.iter().map(Address::to_string).collect()
    }

    #[tokio::test]
    async fn what_was_read_or_written_stands_until_the_partition_was_given_back() {
        let store = Arc::new(Memory::default());
        let members = Members::of(store.clone());
        let (conversation, ana, bob) = ("c1".parse().unwrap(), "ana".parse().unwrap(), "bob".parse().unwrap());
        let nobody = members.look_up(&conversation, &lease(1)).await.unwrap();
        assert!(nobody.fresh && nobody.members.is_empty());
        members.add(&conversation, &nobody, std::slice::from_ref(&ana), &lease(1)).await.unwrap();
        let found = members.look_up(&conversation, &lease(1)).await.unwrap();
        assert_eq!((all(&found), found.fresh), (vec!["ana".to_owned()], false));

        // The next owner adds somebody.
        store.add_members(&conversation, &[bob]).await.unwrap();
        assert_eq!(all(&members.look_up(&conversation, &lease(1)).await.unwrap()), ["ana"]);
        assert_eq!(all(&members.look_up(&conversation, &lease(2)).await.unwrap()), ["ana", "bob"]);
        assert_eq!(store.members(&conversation).await.unwrap().len(), 2);
    }
}
