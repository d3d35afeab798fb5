//! Which part of its topics' partitions a consumer owns. The parts of all members of a group are one
//! together, or less while a partition changes hands: what is to be divided among them can be divided so.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::consumer::Context;

/// The part that one consumer owns, as it changes.
#[derive(Debug, Clone)]
pub struct Share(watch::Receiver<f64>);

impl Share {
    /// The part, 0 to 1; 0 while it is not known.
    pub fn now(&mut self) -> f64 {
        *self.0.borrow_and_update()
    }

    /// Returns when it is another one than [`Share::now`] last gave; never, when the consumer is gone.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// How long the answer may take; then it is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Counts the partitions of the topics, and says which part of them is owned.
pub(crate) struct Shares {
    topics: Vec<String>,
    asking: Option<JoinHandle<Result<usize, KafkaError>>>,
    /// Whether a question is due.
    due: bool,
    partitions: Option<usize>,
    told: watch::Sender<f64>,
}

impl Shares {
    pub(crate) fn of(topics: &[String]) -> Self {
        Self { topics: topics.to_vec(), asking: None, due: false, partitions: None, told: watch::Sender::new(0.0) }
    }

    pub(crate) fn share(&self) -> Share {
        Share(self.told.subscribe())
    }

    /// The topics may have more partitions than before.
    pub(crate) fn count_anew(&mut self) {
        self.due = true;
    }

    /// Asks, when that is due and nothing is asked at the moment.
    pub(crate) fn ask(&mut self, client: &Arc<StreamConsumer<Context>>) {
        if !self.due || self.asking.is_some() {
            return;
        }
        self.due = false;
        let (client, topics) = (client.clone(), self.topics.clone());
        self.asking = Some(tokio::task::spawn_blocking(move || count(&client, &topics)));
    }

    /// Returns when a question was answered. One that failed is due again.
    pub(crate) async fn answered(&mut self) {
        let Some(asking) = &mut self.asking else { return std::future::pending().await };
        let answer = asking.await;
        self.asking = None;
        match answer {
            // A topic that is just being made has none yet.
            Ok(Ok(partitions)) if partitions > 0 => self.partitions = Some(partitions),
            Ok(Err(error)) => {
                tracing::debug!(%error, "could not count partitions; asking again");
                self.due = true;
            }
            _ => self.due = true,
        }
    }

    /// So many partitions are owned now.
    pub(crate) fn tell(&self, owned: usize) {
        let share = self.partitions.map_or(0.0, |all| (owned as f64 / all as f64).min(1.0));
        self.told.send_if_modified(|told| std::mem::replace(told, share) != share);
    }

    /// Returns when nothing is asked: the client can be closed.
    pub(crate) async fn rest(&mut self) {
        if self.asking.is_some() {
            self.answered().await;
        }
    }
}

fn count(client: &StreamConsumer<Context>, topics: &[String]) -> Result<usize, KafkaError> {
    let mut partitions = 0;
    for topic in topics {
        let metadata = client.fetch_metadata(Some(topic), PATIENCE)?;
        partitions += metadata.topics().iter().map(|topic| topic.partitions().len()).sum::<usize>();
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_what_is_owned_of_all_and_nothing_while_that_is_not_known() {
        let mut shares = Shares::of(&["messages".into()]);
        let mut share = shares.share();
        shares.tell(4);
        assert_eq!(share.now(), 0.0);
        shares.partitions = Some(12);
        shares.tell(4);
        assert_eq!(share.now(), 1.0 / 3.0);
        shares.tell(0);
        assert_eq!(share.now(), 0.0);
    }
}
