//! Who belongs to a conversation, remembered for a moment and renewed beside the requests that ask. Only
//! what was found is remembered: a conversation that does not exist yet, or somebody who is not in it
//! yet, is asked for again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat4all_message::{Address, ConversationId};
use chat4all_store::Store;
use moka::future::Cache;
use tokio::time::Instant;

/// A member who is taken out may still write for so long; the router has the last word anyway.
const REMEMBERED: Duration = Duration::from_secs(60);
/// A request after this age, in seconds, has the store asked again. Another age for each conversation, each
/// time: those that became known together would all be read together, and hold everything else up.
const RENEWED: std::ops::Range<f64> = 5.0..15.0;
/// In members over all conversations: at some 100 bytes each about 10 MB.
const MOST_MEMBERS: u64 = 100_000;

/// Members by conversation.
pub(crate) struct Members {
    store: Arc<dyn Store>,
    remembered: Cache<ConversationId, Arc<Remembered>>,
}

struct Remembered {
    members: Arc<BTreeSet<Address>>,
    renew_at: Instant,
    renewing: AtomicBool,
}

impl Remembered {
    fn now(members: Arc<BTreeSet<Address>>) -> Arc<Self> {
        let age = Duration::from_secs_f64(rand::random_range(RENEWED));
        Arc::new(Self { members, renew_at: Instant::now() + age, renewing: AtomicBool::new(false) })
    }

    /// Whether the one who asks has to renew it: one of all who ask.
    fn is_due(&self) -> bool {
        Instant::now() >= self.renew_at && !self.renewing.swap(true, Ordering::Relaxed)
    }
}

impl Members {
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        let weigh =
            |_: &ConversationId, known: &Arc<Remembered>| u32::try_from(known.members.len()).unwrap_or(u32::MAX);
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
        if let Some(known) = self.remembered.get(conversation).await
            && known.members.contains(expected)
        {
            if known.is_due() {
                self.renew(conversation.clone(), known.clone());
            }
            return Ok(known.members.clone());
        }
        let members = Arc::new(self.store.members(conversation).await?);
        if !members.is_empty() {
            self.remembered.insert(conversation.clone(), Remembered::now(members.clone())).await;
        }
        Ok(members)
    }

    /// Asks the store while the request goes on.
    fn renew(&self, conversation: ConversationId, known: Arc<Remembered>) {
        let (store, remembered) = (self.store.clone(), self.remembered.clone());
        tokio::spawn(async move {
            match store.members(&conversation).await {
                Ok(members) if members.is_empty() => remembered.invalidate(&conversation).await,
                Ok(members) => remembered.insert(conversation, Remembered::now(Arc::new(members))).await,
                Err(error) => {
                    tracing::debug!(%error, %conversation, "members are not renewed; the next request tries again");
                    known.renewing.store(false, Ordering::Relaxed);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use chat4all_store::{Conversations as _, Memory};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_asks_late_gets_what_is_remembered_and_has_it_renewed_for_the_next() {
        let store = Arc::new(Memory::default());
        let members = Members::of(store.clone());
        let (conversation, ana, bob) = ("c1".parse().unwrap(), "ana".parse().unwrap(), "bob".parse().unwrap());
        store.add_members(&conversation, std::slice::from_ref(&ana)).await.unwrap();
        assert_eq!(members.look_up(&conversation, &ana).await.unwrap().len(), 1);
        store.add_members(&conversation, &[bob]).await.unwrap();
        assert_eq!(members.look_up(&conversation, &ana).await.unwrap().len(), 1, "it is not due yet");
        tokio::time::advance(Duration::from_secs_f64(RENEWED.end)).await;
        assert_eq!(members.look_up(&conversation, &ana).await.unwrap().len(), 1, "nobody waits for the store");
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(members.look_up(&conversation, &ana).await.unwrap().len(), 2);
    }
}
