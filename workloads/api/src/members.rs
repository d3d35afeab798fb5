//! Who belongs to a conversation, remembered for a moment. Only what was found is remembered: a
//! conversation that does not exist yet, or somebody who is not in it yet, is asked for again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat4all_message::{Address, ConversationId};
use chat4all_store::Store;
use moka::future::Cache;

/// A member who is taken out may still write for so long; the router has the last word anyway.
const REMEMBERED: Duration = Duration::from_secs(5);
/// In members over all conversations: at some 100 bytes each about 10 MB.
const MOST_MEMBERS: u64 = 100_000;

/// Members by conversation.
pub(crate) struct Members {
    store: Arc<dyn Store>,
    remembered: Cache<ConversationId, Arc<BTreeSet<Address>>>,
}

impl Members {
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        let weigh =
            |_: &ConversationId, members: &Arc<BTreeSet<Address>>| u32::try_from(members.len()).unwrap_or(u32::MAX);
        let remembered = Cache::builder().max_capacity(MOST_MEMBERS).weigher(weigh).time_to_live(REMEMBERED).build();
        Self { store, remembered }
    }

    /// The members of a conversation, fresh unless `expected` is among those remembered; empty
    /// when the conversation does not exist.
    pub(crate) async fn look_up(
        &self,
        conversation: &ConversationId,
        expected: &Address,
    ) -> chat4all_store::Result<Arc<BTreeSet<Address>>> {
        if let Some(members) = self.remembered.get(conversation).await
            && members.contains(expected)
        {
            return Ok(members);
        }
        let members = Arc::new(self.store.members(conversation).await?);
        if !members.is_empty() {
            self.remembered.insert(conversation.clone(), members.clone()).await;
        }
        Ok(members)
    }
}
