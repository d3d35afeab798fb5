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
        loop {
            requests += 1;
            let (after, why) = match self.api.send(&message).await {
                Sent::Accepted(message_id) => {
                    let accepted = Accepted {
                        message_id,
                        conversation: message.conversation,
                        sequence,
                        intended: self.clock.at(due),
                        sent: self.clock.at(sent),
                        acked: self.clock.now(),
                        requests,
                    };
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                    return self.sent.lock().await.accepted.push(accepted);
                }
                Sent::Again { after, why } if sent.elapsed() < PATIENCE => (after, why),
                Sent::Again { why, .. } | Sent::Refused(why) => {
                    let line = format!("{} number {sequence}, {requests} requests: {why}", message.conversation);
                    return self.sent.lock().await.not_accepted.push(line);
                }
            };
            if self.repeated.fetch_add(1, Ordering::Relaxed) == 0 {
                eprintln!("    first request that is repeated: {why}");
            }
            sleep(after.unwrap_or(PAUSE)).await;
        }
    }
}
