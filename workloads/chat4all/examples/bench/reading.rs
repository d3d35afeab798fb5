//! How long the API takes for a page of a small and of a large conversation.

use std::sync::Arc;
use std::time::Duration;

use chat4all_message::{AcceptedMessage, ConversationId, Delivery, MessageId};
use chat4all_store::{Cassandra, Conversations as _};
use futures::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use crate::accept::token;
use crate::connection::{Connection, request};
use crate::parts::Part;
use crate::place::{CONNECTOR, Place, members, message};
use crate::process::Process;
use crate::table::{Grown, Row, Rows, thousands};
use crate::times::Times;

const FEW: usize = 1000;
/// Messages a day, of conversations that grow with the days.
const A_DAY: usize = 1000;
/// The most that one conversation may hold well of one day.
const MOST_A_DAY: usize = 100_000;
const READS: usize = 500;
const WARM_UP: usize = 50;
/// What is told of a conversation, in this order.
const FIGURES: [&str; 4] =
    ["p50 of the newest page, ms", "p99 of the newest page, ms", "p50 of a deep page, ms", "p99 of a deep page, ms"];
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Measures how long a page takes as conversations grow to `many` messages.
pub async fn measure(place: &Place, many: usize) -> Vec<Row<Grown>> {
    let api = Process::ours("api", &place.settings).ready().await;
    let token = token(&api).await;
    eprintln!("read: {} messages", thousands(FEW as f64));
    let small = read(place, &api, &token, FEW, A_DAY).await;
    let mut rows = Rows::of(Part::Read);
    for (messages, a_day, when) in [(many, A_DAY, "1k a day"), (MOST_A_DAY, MOST_A_DAY, "of one day")] {
        let case = format!("{} and {} messages, {when}", thousands(FEW as f64), thousands(messages as f64));
        eprintln!("read: {case}");
        let large = read(place, &api, &token, messages, a_day).await;
        for (n, figure) in FIGURES.into_iter().enumerate() {
            rows.note(&case, figure, [small[n], large[n]], 1, "flat");
        }
    }
    rows.all()
}

/// Writes a conversation of so many messages up to yesterday; returns the [`FIGURES`] of its newest page and of
/// one behind nine tenths of it.
async fn read(place: &Place, api: &Process, token: &str, messages: usize, a_day: usize) -> [f64; 4] {
    let id: ConversationId = format!("of-{messages}-{a_day}").parse().unwrap();
    write(&place.store, &id, messages, a_day).await;
    let mut connection = Connection::open(api.address).await.unwrap();
    let path = format!("/v1/conversations/{id}/messages");
    let mut cursor = String::new();
    let mut behind = 0;
    while behind < messages * 9 / 10 {
        let page = page(&mut connection, &request("GET", &format!("{path}?limit=200{cursor}"), token, "")).await;
        behind += page["messages"].as_array().unwrap().len();
        // The last page has none: a small conversation is as deep as the one before it.
        let Some(next) = page["pagination"]["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let [newest_p50, newest_p99] =
        read_again(&mut connection, &request("GET", &format!("{path}?limit=50"), token, "")).await;
    let [deep_p50, deep_p99] =
        read_again(&mut connection, &request("GET", &format!("{path}?limit=50{cursor}"), token, "")).await;
    [newest_p50, newest_p99, deep_p50, deep_p99]
}

async fn read_again(connection: &mut Connection, request: &[u8]) -> [f64; 2] {
    let mut times = Times::default();
    for turn in 0..WARM_UP + READS {
        let begun = Instant::now();
        let status = connection.call(request).await.unwrap().status;
        let taken: Duration = begun.elapsed();
        assert_eq!(status, 200);
        if turn >= WARM_UP {
            times.add(taken);
        }
    }
    [times.percentile(50), times.percentile(99)]
}

async fn page(connection: &mut Connection, request: &[u8]) -> Value {
    let answer = connection.call(request).await.unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(answer.body));
    serde_json::from_slice(answer.body).unwrap()
}

async fn write(store: &Arc<Cassandra>, id: &ConversationId, messages: usize, a_day: usize) {
    store.add_members(id, &members(0)).await.unwrap();
    let today = Timestamp::from_second(Timestamp::now().as_second() / 86_400 * 86_400).unwrap();
    let first = today - DAY * i32::try_from(messages.div_ceil(a_day)).unwrap();
    let distance = DAY / i32::try_from(a_day).unwrap();
    let writes = stream::iter(0..messages).map(|number| {
        let at = first + distance * i32::try_from(number).unwrap();
        let (store, message) = (store.clone(), written(id, number, at));
        tokio::spawn(async move {
            let delivery = Delivery::of(&message, message.recipient.clone().unwrap(), CONNECTOR);
            store.put_message(&message, &[delivery]).await.unwrap();
        })
    });
    writes.buffer_unordered(256).for_each(|ended| async move { ended.unwrap() }).await;
}

/// One of this conversation, accepted then.
fn written(id: &ConversationId, number: usize, at: Timestamp) -> AcceptedMessage {
    let message_id = MessageId::of_event(CONNECTOR, &format!("{id}-{number}"), at);
    AcceptedMessage { message_id, conversation_id: id.clone(), ..message(0) }
}
