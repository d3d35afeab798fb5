//! `chat4all ledger`: asks what became of every message that was accepted in a range of time.

use std::error::Error;
use std::fmt::Write as _;

use chat4all_ledger::{Report, Tally, Waiting};
use jiff::{SignedDuration, Timestamp};

use super::{Client, Target, instant, print};

/// `chat4all ledger`.
#[derive(Debug, clap::Args)]
pub struct Ledger {
    #[command(flatten)]
    target: Target,
    /// Since when, for example 2026-11-25T10:00:00Z; an hour before the end when left out.
    #[arg(long, value_parser = instant)]
    from: Option<Timestamp>,
    /// Until when; now when left out.
    #[arg(long, value_parser = instant)]
    to: Option<Timestamp>,
    /// Print the API's answer as it is.
    #[arg(long)]
    json: bool,
}

const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Some messages do not add up.
#[derive(Debug, thiserror::Error)]
#[error("{0} accepted messages are not accounted for; they are listed above")]
struct DoesNotAddUp(u64);

pub async fn run(args: Ledger) -> Result<(), Box<dyn Error>> {
    let to = args.to.unwrap_or_else(Timestamp::now);
    let from = args.from.unwrap_or(to - AN_HOUR);
    let client = Client::of(args.target).await?;
    let report: Report = client.get("/v1/ledger", &[("from", from.to_string()), ("to", to.to_string())]).await?;
    print(&if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { table(&report) })?;
    if report.adds_up() { Ok(()) } else { Err(DoesNotAddUp(report.messages.unaccounted).into()) }
}

fn table(report: &Report) -> String {
    let mut text = format!("accepted from {} to {}\n\n", report.from, report.to);
    let counts = |tally: &Tally| {
        [tally.accepted, tally.delivered, tally.failed, tally.dead_lettered, tally.in_flight, tally.unaccounted]
    };
    let names = ["accepted", "delivered", "failed", "dead-lettered", "in flight", "unaccounted"];
    let mut line = |name: &str, messages: &str, deliveries: &str| {
        let _ = writeln!(text, "{name:<16}{messages:>12}{deliveries:>12}");
    };
    line("", "messages", "deliveries");
    for ((name, messages), deliveries) in names.iter().zip(counts(&report.messages)).zip(counts(&report.deliveries)) {
        line(name, &messages.to_string(), &deliveries.to_string());
    }
    if report.messages.in_flight > 0 {
        let _ = writeln!(text, "\nin flight: {}", waiting(&report.waiting));
    }
    if let Some(kept) = report.kept_from {
        let _ = writeln!(text, "\nKafka holds these messages only from {kept} on; what came before is not checked.");
    }
    for lost in &report.unaccounted {
        let id = lost.message_id.map_or_else(|| "an unreadable record".to_owned(), |id| format!("message {id}"));
        let conversation = lost.conversation_id.as_ref().map(|c| format!(" of conversation {c}")).unwrap_or_default();
        let delivery = lost.delivery_id.map(|id| format!(", delivery {id}")).unwrap_or_default();
        let (partition, offset, why) = (lost.partition, lost.offset, &lost.why);
        let _ = writeln!(text, "\n{id}{conversation}{delivery} (messages[{partition}]@{offset}): {why}");
    }
    text
}

fn waiting(waiting: &Waiting) -> String {
    let fixed = [(waiting.router, "for a router".to_owned()), (waiting.status, "for their status".to_owned())];
    let connectors = waiting.connectors.iter().map(|(name, count)| (*count, format!("for connector {name}")));
    let places = fixed.into_iter().chain(connectors).filter(|(count, _)| *count > 0);
    places.map(|(count, place)| format!("{count} {place}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use chat4all_ledger::Unaccounted;
    use chat4all_message::MessageId;

    use super::*;

    #[test]
    fn the_table_shows_the_counts_where_messages_wait_and_what_does_not_add_up() {
        let id = MessageId::now();
        let report = Report {
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::UNIX_EPOCH + AN_HOUR,
            kept_from: None,
            messages: Tally { accepted: 6, delivered: 2, failed: 0, dead_lettered: 0, in_flight: 3, unaccounted: 1 },
            deliveries: Tally { accepted: 9, delivered: 5, ..Tally::default() },
            waiting: Waiting { router: 2, connectors: [("main".to_owned(), 1)].into(), status: 0 },
            unaccounted: vec![Unaccounted {
                message_id: Some(id),
                conversation_id: Some("c1".into()),
                delivery_id: None,
                partition: 3,
                offset: 17,
                why: "not stored".into(),
            }],
        };
        let text = table(&report);
        for part in [
            "accepted                   6           9\n",
            "in flight: 2 for a router, 1 for connector main\n",
            &format!("message {id} of conversation c1 (messages[3]@17): not stored\n"),
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }
}
