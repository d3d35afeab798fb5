//! A steady flow of messages through all partitions, and when the routers were done with each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chat4all_kafka::{Extent, Onlooker, Span};
use chat4all_measure::Work;
use chat4all_message::{DeliveryRef, MessageId};
use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::place::{CONNECTOR, Place, kafka, message};

/// Between two messages of a partition. A pause is measured from the first message that waits, so it may have
/// been longer by this.
pub const PACE: Duration = Duration::from_millis(200);

/// A message that Kafka has.
struct Sent {
    id: MessageId,
    partition: u32,
    at: Timestamp,
}

/// The number of a conversation in each partition. Sends as many messages as it takes to find them, which no
/// router will see.
pub async fn conversations(place: &Place) -> Vec<usize> {
    let mut found = BTreeMap::new();
    for number in 0.. {
        found.entry(place.put(&message(number)).await.partition).or_insert(number);
        if found.len() == usize::try_from(place.partitions).unwrap() {
            break;
        }
    }
    place.pass(&place.topics.router_group());
    found.into_values().collect()
}

/// Lets messages of these conversations flow while something is done, and waits until the routers are done with
/// them; tells what became of each.
pub async fn during<T>(place: &Place, conversations: &[usize], what: impl Future<Output = T>) -> (Vec<Work>, T) {
    let (onlooker, topic) = (Onlooker::of(kafka()), place.topics.outbound(CONNECTOR));
    let before = onlooker.extents(&topic).await.unwrap();
    let stop = CancellationToken::new();
    let done = async {
        let outcome = what.await;
        stop.cancel();
        outcome
    };
    let (sent, outcome) = tokio::join!(send(place, conversations, &stop), done);
    let there: i64 = before.values().map(|extent| extent.end).sum();
    place.progress(&topic).until(there + i64::try_from(sent.len()).unwrap()).await;
    let done = deliveries(&onlooker, &topic, &before).await;
    let work = sent.iter().filter_map(|sent| {
        let done = *done.get(&sent.id)?;
        Some(Work { partition: sent.partition, waiting: sent.at, done })
    });
    (work.collect(), outcome)
}

/// Sends until it is stopped.
async fn send(place: &Place, conversations: &[usize], stop: &CancellationToken) -> Vec<Sent> {
    let (begun, all) = (Instant::now(), u32::try_from(conversations.len()).unwrap());
    // They take turns.
    let flows = (0..all).zip(conversations).map(|(turn, number)| one(place, *number, begun + PACE * turn / all, stop));
    join_all(flows).await.into_iter().flatten().collect()
}

/// Sends the messages of one conversation, each after the one before was acknowledged.
async fn one(place: &Place, number: usize, start: Instant, stop: &CancellationToken) -> Vec<Sent> {
    let mut pace = interval_at(start, PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = Vec::new();
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        let message = message(number);
        let partition = u32::try_from(place.put(&message).await.partition).unwrap();
        sent.push(Sent { id: message.message_id, partition, at: Timestamp::now() });
    }
    sent
}

/// When the first delivery of each message was handed to Kafka, of those that came after `before`.
async fn deliveries(onlooker: &Onlooker, topic: &str, before: &BTreeMap<i32, Extent>) -> HashMap<MessageId, Timestamp> {
    let now = onlooker.extents(topic).await.unwrap();
    let span = |(partition, extent): (&i32, &Extent)| {
        let from = before.get(partition).map_or(0, |extent| extent.end);
        Span { partition: *partition, from, to: extent.end }
    };
    let mut reading = onlooker.read(topic, now.iter().map(span).collect());
    let mut done = HashMap::new();
    while let Some(records) = reading.next().await {
        for record in records.unwrap() {
            let delivery: DeliveryRef = serde_json::from_slice(&record.value).unwrap();
            let at = Timestamp::from_millisecond(record.timestamp.unwrap()).unwrap();
            done.entry(delivery.message_id).or_insert(at);
        }
    }
    done
}
