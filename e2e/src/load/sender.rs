//! One message of the load: sent, and sent again, until it is accepted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{PATIENCE, Shared};
use crate::api::Sent;
use crate::history::Accepted;

/// Before a repetition, where the answer does not say how long.
const PAUSE: Duration = Duration::from_millis(500);

impl Shared {
    pub(super) async fn send(&self, n: u64, due: Instant) {
        let (message, sequence) = self.schedule.message(n);
        let sent = Instant::now();
        let mut requests = 0;
        let outcome = loop {
            requests += 1;
            let (after, why) = match self.api.send(&message).await {
                Sent::Accepted(message_id) => break Ok(message_id),
                Sent::Again { after, why } if sent.elapsed() < PATIENCE => (after, why),
                Sent::Again { why, .. } | Sent::Refused(why) => break Err(why),
            };
            if self.repeated.fetch_add(1, Ordering::Relaxed) == 0 {
                eprintln!("    first request that is repeated: {why}");
            }
            if requests == 1 {
                self.repeating.fetch_add(1, Ordering::Relaxed);
            }
            sleep(after.unwrap_or(PAUSE)).await;
        };
        if requests > 1 {
            self.repeating.fetch_sub(1, Ordering::Relaxed);
        }
        let acked = self.clock.now();
        match outcome {
            Ok(message_id) => {
                let (intended, sent) = (self.clock.at(due), self.clock.at(sent));
                let conversation = message.conversation;
                let accepted = Accepted { message_id, conversation, sequence, intended, sent, acked, requests };
                self.accepted.fetch_add(1, Ordering::Relaxed);
                self.sent.lock().await.accepted.push(accepted);
            }
            Err(why) => {
                let line = format!("{} number {sequence}, {requests} requests: {why}", message.conversation);
                self.sent.lock().await.not_accepted.push(line);
            }
        }
    }
}
