//! Which message is sent when, to whom, and with what text. Pure.

use std::time::Duration;

use uuid::Uuid;

use crate::api::Outgoing;

/// Length of a text: about what people write.
const TEXT: usize = 100;

/// A fixed arrival rate over conversations of one recipient each, in turn.
#[derive(Debug, Clone)]
pub struct Schedule {
    rate: u32,
    conversations: u32,
    /// Makes conversations, recipients and keys of this run its own.
    run: Uuid,
    case: String,
}

impl Schedule {
    /// `rate` messages a second over so many conversations. `run` must be new for each run, and
    /// `case`, letters and dashes, in it.
    pub fn new(case: &str, rate: u32, conversations: u32, run: Uuid) -> Self {
        Self { rate: rate.max(1), conversations: conversations.max(1), run, case: case.to_owned() }
    }

    /// All conversations.
    pub fn conversations(&self) -> Vec<String> {
        (0..self.conversations).map(|n| self.conversation(n)).collect()
    }

    /// The recipient of a conversation, by its number.
    pub fn recipient(&self, conversation: u32) -> String {
        // Brazilian mobile numbers: 55, area, 9 and eight digits; four of them tell runs apart.
        format!("whatsapp:+55629{:04}{conversation:04}", self.run.as_u128() % 10_000)
    }

    /// The name of a conversation, by its number.
    pub fn conversation(&self, n: u32) -> String {
        format!("e2e-{}-{}-{n}", self.case, self.run.simple())
    }

    /// When message `n` is due, from the start.
    pub(super) fn due(&self, n: u64) -> Duration {
        Duration::from_nanos(n.saturating_mul(1_000_000_000) / u64::from(self.rate))
    }

    /// Message `n`, and its number in its conversation.
    pub(super) fn message(&self, n: u64) -> (Outgoing, u64) {
        let conversations = u64::from(self.conversations);
        let (sequence, conversation) = (n / conversations, n % conversations);
        // Below `conversations`, so it fits.
        let conversation = u32::try_from(conversation).unwrap_or_default();
        let name = self.conversation(conversation);
        let outgoing = Outgoing {
            recipient: self.recipient(conversation),
            content: format!("{:.<TEXT$}", format!("{name} number {sequence} ")),
            idempotency_key: format!("{name}-{sequence}"),
            conversation: name,
        };
        (outgoing, sequence)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn schedule() -> Schedule {
        Schedule::new("routers", 200, 250, Uuid::from_u128(0x1234))
    }

    #[test]
    fn messages_are_due_at_even_distances() {
        assert_eq!(schedule().due(0), Duration::ZERO);
        assert_eq!(schedule().due(1), Duration::from_millis(5));
        assert_eq!(schedule().due(200 * 3600), Duration::from_secs(3600));
    }

    #[test]
    fn every_conversation_gets_its_messages_in_turn_and_has_one_recipient() {
        let schedule = schedule();
        let messages: Vec<_> = (0..1000).map(|n| schedule.message(n)).collect();
        let pairs: HashSet<_> = messages.iter().map(|(m, _)| (m.conversation.clone(), m.recipient.clone())).collect();
        let recipients: HashSet<_> = messages.iter().map(|(m, _)| m.recipient.clone()).collect();
        assert_eq!((pairs.len(), recipients.len()), (250, 250));
        assert_eq!(messages.iter().map(|(_, sequence)| *sequence).collect::<HashSet<_>>(), HashSet::from([0, 1, 2, 3]));
        assert_eq!(schedule.conversations().len(), 250);
    }

    #[test]
    fn a_text_begins_with_its_conversation_and_a_key_is_used_once() {
        let (message, _) = schedule().message(260);
        assert_eq!(message.content.split(' ').next(), Some(message.conversation.as_str()));
        assert!(message.content.len() >= TEXT);
        let another_case = Schedule { case: "connectors".into(), ..schedule() };
        let keys = |schedule: Schedule| (0..1000).map(move |n| schedule.message(n).0.idempotency_key);
        assert_eq!(keys(schedule()).chain(keys(another_case)).collect::<HashSet<_>>().len(), 2000);
    }
}
