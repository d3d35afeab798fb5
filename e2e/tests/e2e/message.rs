//! One message at a time: sent, and waited for until it is as it should be.

use std::time::Duration;

use chat4all_e2e::api::{Api, Outgoing, Sent};
use chat4all_e2e::context::{Context, Outcome, told};
use chat4all_e2e::load::Schedule;
use chat4all_e2e::simulator::Entry;
use chat4all_e2e::wait::{self, Look};
use serde_json::Value;
use uuid::Uuid;

/// From the API to the provider and back, on a busy machine.
pub const WITHIN: Duration = Duration::from_secs(30);

/// People whom nobody else sends anything, and conversations with them.
pub struct People(Schedule);

impl People {
    /// Those of a case.
    pub fn of(case: &str, context: &Context) -> Self {
        Self(Schedule::new(case, 1, 1, context.run))
    }

    /// The address of person `n`.
    pub fn address(&self, n: u32) -> String {
        self.0.recipient(n)
    }

    /// The conversation with person `n`.
    pub fn conversation(&self, n: u32) -> String {
        self.0.conversation(n)
    }

    /// Person `n` as requests to the provider name them.
    pub fn number(&self, n: u32) -> String {
        self.address(n).trim_start_matches("whatsapp:+").to_owned()
    }

    /// Sends person `n` a text, once. Its id.
    pub async fn send(&self, api: &Api, n: u32, content: &str) -> Outcome<Uuid> {
        let outgoing = Outgoing {
            conversation: self.conversation(n),
            recipient: self.address(n),
            content: content.to_owned(),
            idempotency_key: Uuid::new_v4().to_string(),
        };
        match api.send(&outgoing).await {
            Sent::Accepted(id) => Ok(id),
            Sent::Again { why, .. } | Sent::Refused(why) => Err(why.into()),
        }
    }
}

/// Waits until a message is shown with this status; as it is shown then.
pub async fn until(api: &Api, conversation: &str, message: Uuid, status: &str, limit: Duration) -> Outcome<Value> {
    let is = |shown: &Value| shown["status"] == status;
    until_shown(api, conversation, message, &format!("is {status}"), is, limit).await
}

/// Waits until a message is shown as it should be; as it is shown then.
pub async fn until_shown(
    api: &Api,
    conversation: &str,
    message: Uuid,
    what: &str,
    right: impl Fn(&Value) -> bool,
    limit: Duration,
) -> Outcome<Value> {
    let found = wait::until(format!("message {message} {what}"), limit, async || {
        let shown: Vec<Value> = match api.pages(conversation).await {
            Ok(shown) => shown,
            Err(error) => return Look::NotYet(told(&error)),
        };
        match shown.into_iter().find(|shown| shown["message_id"] == message.to_string()) {
            Some(shown) if right(&shown) => Look::Yes(shown),
            shown => Look::NotYet(shown.unwrap_or_default().to_string()),
        }
    });
    Ok(found.await?)
}

/// What the provider took of a message.
pub async fn taken(context: &Context, message: Uuid) -> Outcome<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let page = context.sample.simulator.log(all.last().map_or(0, |entry| entry.seq)).await?;
        if page.is_empty() {
            let of_it = |entry: &Entry| entry.receipt().is_some_and(|receipt| receipt.message_id == message);
            return Ok(all.into_iter().filter(of_it).collect());
        }
        all.extend(page);
    }
}
