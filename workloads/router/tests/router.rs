//! The router on a real Kafka: what it stores and hands over, and that nothing is lost, doubled or
//! out of order whatever is cut off. Needs `KAFKA_BOOTSTRAP_SERVERS`; run with `--ignored`.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat4all_kafka::{ConsumerMetrics, Error};
use chat4all_message::{
    AcceptedMessage, Address, Correlation, Delivery, DeliveryEvent, DeliveryRef, Effort, Inbound, MessageId,
    ProviderRef, Status, StatusUpdate, Subject,
};
use chat4all_router::{Config, Router};
use chat4all_store::{
    Attempt, Conversations as _, Ledger as _, LedgerEntry, Memory, Outcome, PageRequest, People as _, StoredDelivery,
    StoredMessage,
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use support::{Cluster, Running, Script, Scripted, assert_dead_letter, eventually, with_cluster};
use tokio::time::Instant;

const CONNECTOR: &str = "main";
/// Shorter than in a cluster, so that what never ends is cut off soon.
const DRAIN: Duration = Duration::from_secs(5);

fn start(cluster: &Cluster, store: Arc<Scripted>) -> Running<Error> {
    let config = Config {
        topics: cluster.topics.clone(),
        connectors: vec![format!("{CONNECTOR}=whatsapp").parse().unwrap()],
        drain: DRAIN,
    };
    let producer = cluster.producer.clone();
    let router = Router::new(config, &cluster.kafka, producer, store, ConsumerMetrics::default()).unwrap();
    Running::start(router.pulses(), |shutdown| router.run(shutdown))
}

fn playing() -> Arc<Scripted> {
    Scripted::new(Arc::default(), Script::Play)
}

fn message(conversation: &str, recipient: Option<&str>) -> AcceptedMessage {
    AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: conversation.parse().unwrap(),
        sender: "ana".parse().unwrap(),
        recipient: recipient.map(|r| r.parse().unwrap()),
        content: "olá".into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: None,
    }
}

async fn accept(cluster: &Cluster, message: &AcceptedMessage) {
    cluster.put(&cluster.topics.messages(), message.conversation_id.as_str(), message).await;
}

/// Waits until the routers' groups have committed everything.
async fn drained(cluster: &Cluster) {
    let topics = &cluster.topics;
    cluster.drained(&topics.router_group(), &[topics.messages()]).await;
    cluster.drained(&topics.status_group(), &[topics.status_updates()]).await;
}

async fn outbound(cluster: &Cluster) -> Vec<Delivery> {
    cluster.read_as(&cluster.topics.outbound(CONNECTOR)).await
}

async fn conversation(memory: &Memory, id: &str) -> Vec<StoredMessage> {
    let all = PageRequest { before: None, offset: 0, limit: 100_000 };
    memory.page(&id.parse().unwrap(), &all).await.unwrap().messages
}

fn delivery_of(message: &AcceptedMessage, recipient: &str) -> Delivery {
    Delivery::of(message, recipient.parse().unwrap(), CONNECTOR)
}

fn sent(delivery: &DeliveryRef, provider_id: &str) -> StatusUpdate {
    StatusUpdate {
        subject: Subject::Delivery { delivery: delivery.clone(), connector: CONNECTOR.into() },
        at: Timestamp::now(),
        event: DeliveryEvent::Sent {
            provider_id: Some(provider_id.into()),
            effort: Some(Effort { attempts: 1, unknown_outcomes: 0 }),
        },
        correlation: None,
    }
}

fn told_by_provider(provider_id: &str, event: DeliveryEvent, correlation: Option<&DeliveryRef>) -> StatusUpdate {
    StatusUpdate {
        subject: Subject::Provider(ProviderRef { connector: CONNECTOR.into(), provider_id: provider_id.into() }),
        at: Timestamp::now(),
        event,
        correlation: correlation.map(Correlation::from),
    }
}

/// What is stored of a conversation, without the instants at which it was written.
fn without_times(messages: &[StoredMessage]) -> Vec<(AcceptedMessage, Vec<Plain>)> {
    messages.iter().map(|m| (m.message.clone(), m.deliveries.iter().map(Plain::of).collect())).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Plain {
    recipient: Address,
    connector: String,
    status: Status,
    known: [bool; 4],
    provider_id: Option<String>,
    effort: Effort,
}

impl Plain {
    fn of(delivery: &StoredDelivery) -> Self {
        let times = delivery.times;
        Self {
            recipient: delivery.recipient.clone(),
            connector: delivery.connector.clone(),
            status: times.status(),
            known: [times.sent_at, times.delivered_at, times.read_at, times.failed_at].map(|at| at.is_some()),
            provider_id: delivery.provider_id.clone(),
            effort: delivery.effort,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_message_becomes_one_stored_message_its_members_and_one_delivery_for_each_recipient() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = playing();
        let running = start(cluster, store.clone());
        let first = message("c1", Some("whatsapp:+5562998765432"));
        let second = message("c1", Some("bob"));
        let to_all = message("c1", None);
        for message in [&first, &second, &to_all] {
            accept(cluster, message).await;
        }
        drained(cluster).await;
        running.stop().await;

        let members = store.memory.members(&first.conversation_id).await.unwrap();
        let names: Vec<String> = members.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["ana", "bob", "whatsapp:+5562998765432"]);

        let stored = conversation(&store.memory, "c1").await;
        let ids: Vec<MessageId> = stored.iter().map(|m| m.message.message_id).collect();
        assert_eq!(ids, [to_all.message_id, second.message_id, first.message_id], "newest first");
        assert_eq!(stored[0].deliveries.len(), 2);
        assert_eq!(stored[1].status(), Status::Delivered, "local users read through the API");
        assert_eq!(stored[2].status(), Status::Accepted, "the connector has not told of it yet");

        let records = cluster.read(&cluster.topics.outbound(CONNECTOR)).await;
        assert!(records.iter().all(|r| r.key == "whatsapp:+5562998765432"), "{records:?}");
        let expected = [&first, &to_all].map(|m| delivery_of(m, "whatsapp:+5562998765432"));
        assert_eq!(outbound(cluster).await, expected);
    })
    .await;
}

/// Cuts a router off at one call to its store, lets a second one finish, and gives what came of it.
async fn interrupted(records: &Records, memory: Arc<Memory>, script: Script) -> EndState {
    with_cluster(&[CONNECTOR], async |cluster| {
        records.put(cluster).await;
        let store = Scripted::new(memory.clone(), script);
        let first = start(cluster, store.clone());
        if script == Script::Play {
            drained(cluster).await;
            first.stop().await;
        } else {
            store.stopped().await;
            first.crash().await;
            let second = start(cluster, Scripted::new(memory.clone(), Script::Play));
            drained(cluster).await;
            second.stop().await;
        }
        EndState::of(cluster, &memory, store.calls()).await
    })
    .await
}

/// What a test puts into the topics before a router starts.
#[derive(Clone, Default)]
struct Records {
    messages: Vec<AcceptedMessage>,
    statuses: Vec<StatusUpdate>,
}

impl Records {
    async fn put(&self, cluster: &Cluster) {
        for message in &self.messages {
            accept(cluster, message).await;
        }
        for status in &self.statuses {
            cluster.put_status(status).await;
        }
    }
}

struct EndState {
    stored: Vec<(AcceptedMessage, Vec<Plain>)>,
    members: Vec<Address>,
    /// For each recipient its deliveries in order, each at its first place.
    outbound: BTreeMap<String, Vec<Delivery>>,
    dead_letters: usize,
    /// Calls to the first router's store.
    calls: usize,
}

impl EndState {
    async fn of(cluster: &Cluster, memory: &Memory, calls: usize) -> Self {
        let mut by_recipient: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
        for delivery in outbound(cluster).await {
            let before = by_recipient.entry(delivery.recipient.to_string()).or_default();
            if !before.contains(&delivery) {
                before.push(delivery);
            }
        }
        Self {
            stored: without_times(&conversation(memory, "c1").await),
            members: memory.members(&"c1".parse().unwrap()).await.unwrap().into_iter().collect(),
            outbound: by_recipient,
            dead_letters: cluster.dead_letters().await.len(),
            calls,
        }
    }

    fn assert_same(&self, undisturbed: &Self, script: Script) {
        assert_eq!(self.stored, undisturbed.stored, "{script:?}");
        assert_eq!(self.members, undisturbed.members, "{script:?}");
        assert_eq!(self.outbound, undisturbed.outbound, "{script:?}");
        assert_eq!(self.dead_letters, undisturbed.dead_letters, "{script:?}");
    }
}

/// Every script that cuts a run of so many calls off, before and after each of them.
fn cuts(calls: usize) -> Vec<Script> {
    (1..=calls).flat_map(|at| [Script::StopBefore(at), Script::StopAfter(at)]).collect()
}

/// So many clusters at once: enough to be quick, and few enough for two cores.
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_message_cut_off_between_any_two_steps_ends_as_if_nothing_had_happened() {
    let records = Records {
        messages: vec![
            message("c1", Some("whatsapp:+5562998765432")),
            message("c1", Some("whatsapp:+5562998765433")),
            message("c1", Some("bob")),
            message("c1", None),
        ],
        statuses: Vec::new(),
    };
    let undisturbed = interrupted(&records, Arc::default(), Script::Play).await;
    assert_eq!(undisturbed.stored.len(), 4);
    assert!(undisturbed.calls >= 10, "members once, a message for each, members added for three, two notes");
    for scripts in cuts(undisturbed.calls).chunks(AT_ONCE) {
        let runs = scripts.iter().map(async |&script| {
            interrupted(&records, Arc::default(), script).await.assert_same(&undisturbed, script);
        });
        join_all(runs).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn statuses_cut_off_between_any_two_steps_end_as_if_nothing_had_happened() {
    let message = message("c1", Some("whatsapp:+5562998765432"));
    let delivery = delivery_of(&message, "whatsapp:+5562998765432");
    // One key for all, so that they are handled one after another and every run makes the same calls.
    let told = |event| told_by_provider("wamid.1", event, Some(&delivery.reference));
    let statuses =
        vec![told(DeliveryEvent::Delivered), sent(&delivery.reference, "wamid.1"), told(DeliveryEvent::Read)];
    let records = Records { messages: Vec::new(), statuses };
    let memory_with_the_message = async || {
        let memory = Arc::new(Memory::new());
        memory.put_message(&message, std::slice::from_ref(&delivery)).await.unwrap();
        memory
    };
    let undisturbed = interrupted(&records, memory_with_the_message().await, Script::Play).await;
    assert_eq!(undisturbed.stored[0].1[0].known, [true, true, true, false]);
    for scripts in cuts(undisturbed.calls).chunks(AT_ONCE) {
        let runs = scripts.iter().map(async |&script| {
            let memory = memory_with_the_message().await;
            interrupted(&records, memory, script).await.assert_same(&undisturbed, script);
        });
        join_all(runs).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn records_that_are_read_again_after_all_was_done_make_the_same_deliveries_again() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = playing();
        let messages: Vec<_> = (0..20).map(|_| message("c1", Some("whatsapp:+5562998765432"))).collect();
        Records { messages: messages.clone(), statuses: Vec::new() }.put(cluster).await;
        let mut ends = Vec::new();
        for _ in 0..2 {
            let running = start(cluster, store.clone());
            drained(cluster).await;
            running.stop().await;
            ends.push(EndState::of(cluster, &store.memory, 0).await);
            cluster.rewind(&cluster.topics.router_group(), &cluster.topics.messages()).await;
        }
        ends[1].assert_same(&ends[0], Script::Play);
        assert_eq!(ends[0].stored.len(), 20);
        let deliveries = outbound(cluster).await;
        assert_eq!(deliveries.len(), 40, "each was handed over twice, under the same id");
        assert_eq!(deliveries[..20], deliveries[20..]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_router_that_is_killed_again_and_again_loses_nothing_and_keeps_the_order() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = Scripted::new(Arc::default(), Script::Slow(Duration::from_millis(2)));
        let (conversations, each) = (30, 40);
        let load = load(cluster, conversations, each);
        let kills = async {
            for kill in 1..=4 {
                let running = start(cluster, store.clone());
                let enough = store.calls() + 150;
                eventually(&format!("router {kill} works"), async || store.calls() >= enough).await;
                running.crash().await;
            }
        };
        let (accepted, ()) = tokio::join!(load, kills);
        let last = start(cluster, store.clone());
        drained(cluster).await;
        last.stop().await;
        assert_stored_once(&store.memory, &accepted).await;
        let repeated = assert_order_kept(&accepted, outbound(cluster).await);
        eprintln!("{repeated} deliveries were handed over again after 4 kills");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn poison_records_go_to_the_dead_letter_queue_as_they_are_and_the_partition_moves_on() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let poison = b"{\"message_id\": \xff no json";
        let mut from = Vec::new();
        for topic in [cluster.topics.messages(), cluster.topics.status_updates()] {
            let placed = cluster.put_bytes(&topic, "c1", poison).await;
            from.push((topic, placed));
        }
        let store = playing();
        let running = start(cluster, store.clone());
        // The same key: behind the poison in its partition and in its lane.
        let behind = message("c1", Some("whatsapp:+5562998765432"));
        accept(cluster, &behind).await;
        let status = sent(&delivery_of(&behind, "whatsapp:+5562998765432").reference, "wamid.1");
        cluster.put(&cluster.topics.status_updates(), "c1", &status).await;
        drained(cluster).await;
        running.stop().await;

        let letters = cluster.dead_letters().await;
        assert_eq!(letters.len(), 2);
        for (topic, placed) in &from {
            let letter = letters.iter().find(|l| l.headers["kafka_dlt-original-topic"] == *topic).unwrap();
            let topics = &cluster.topics;
            let group = if *topic == topics.messages() { topics.router_group() } else { topics.status_group() };
            assert_dead_letter(letter, topic, &group, *placed, "c1", poison);
            assert_eq!(letter.headers["chat4all-reason"], "chat4all:unreadable");
            assert_eq!(letter.headers["chat4all-attempts"], "0");
        }
        let stored = conversation(&store.memory, "c1").await;
        assert_eq!(stored[0].status(), Status::Sent);
        assert_eq!(outbound(cluster).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_poison_record_as_large_as_the_broker_takes_does_not_stop_the_partition() {
    with_cluster(&[CONNECTOR], async |cluster| {
        // One letter, many times: small on the wire, and larger than a client's default limit when unpacked.
        let poison = vec![b'x'; 3 << 20];
        cluster.put_bytes(&cluster.topics.messages(), "c1", &poison).await;
        accept(cluster, &message("c1", Some("whatsapp:+5562998765432"))).await;
        let running = start(cluster, playing());
        drained(cluster).await;
        running.stop().await;
        assert!(cluster.dead_letters().await[0].value == poison);
        assert_eq!(outbound(cluster).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_message_of_a_stranger_is_given_up_with_its_reason_and_the_conversation_goes_on() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = playing();
        let members: Vec<Address> = ["bob", "whatsapp:+5562998765432"].map(|a| a.parse().unwrap()).into();
        store.memory.add_members(&"c1".parse().unwrap(), &members).await.unwrap();
        let stranger = message("c1", None);
        let placed = cluster.put(&cluster.topics.messages(), "c1", &stranger).await;
        let member = AcceptedMessage { sender: "bob".parse().unwrap(), ..message("c1", None) };
        accept(cluster, &member).await;
        let running = start(cluster, store.clone());
        drained(cluster).await;
        running.stop().await;

        let letters = cluster.dead_letters().await;
        assert_eq!(letters.len(), 1);
        let (topic, group) = (cluster.topics.messages(), cluster.topics.router_group());
        assert_dead_letter(&letters[0], &topic, &group, placed, "c1", &serde_json::to_vec(&stranger).unwrap());
        assert_eq!(letters[0].headers["chat4all-reason"], "chat4all:not-a-member");
        assert!(letters[0].headers["kafka_dlt-exception-message"].contains("ana is not a member"));
        let stored = conversation(&store.memory, "c1").await;
        assert_eq!(stored.iter().map(|m| m.message.clone()).collect::<Vec<_>>(), [member]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn case_29_a_status_that_comes_before_our_id_is_stored_is_held_and_applied() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = playing();
        let message = message("c1", Some("whatsapp:+5562998765432"));
        let delivery = delivery_of(&message, "whatsapp:+5562998765432");
        accept(cluster, &message).await;
        let running = start(cluster, store.clone());
        let status = async || conversation(&store.memory, "c1").await[0].status();

        cluster.put_status(&told_by_provider("wamid.1", DeliveryEvent::Delivered, None)).await;
        drained(cluster).await;
        assert_eq!(status().await, Status::Accepted, "nobody knows yet whose status it is");
        cluster.put_status(&sent(&delivery.reference, "wamid.1")).await;
        drained(cluster).await;
        assert_eq!(status().await, Status::Delivered);
        cluster.put_status(&told_by_provider("wamid.1", DeliveryEvent::Read, None)).await;
        drained(cluster).await;
        assert_eq!(status().await, Status::Read, "after the link it is applied at once");
        running.stop().await;

        let stored = &conversation(&store.memory, "c1").await[0].deliveries[0];
        assert_eq!(stored.provider_id.as_deref(), Some("wamid.1"));
        assert_eq!(stored.effort, Effort { attempts: 1, unknown_outcomes: 0 });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn statuses_and_links_that_come_at_once_in_any_order_are_all_applied() {
    with_cluster(&[CONNECTOR], async |cluster| {
        // So that the steps of both sides mingle.
        let store = Scripted::new(Arc::default(), Script::Slow(Duration::from_millis(1)));
        let messages: Vec<_> = (0..300).map(|_| message("c1", Some("whatsapp:+5562998765432"))).collect();
        for message in &messages {
            let delivery = delivery_of(message, "whatsapp:+5562998765432");
            store.memory.put_message(message, &[delivery]).await.unwrap();
        }
        let running = start(cluster, store.clone()).joined().await;
        let updates = messages.iter().enumerate().flat_map(|(number, message)| {
            let id = format!("wamid.{number}");
            let delivery = delivery_of(message, "whatsapp:+5562998765432").reference;
            // Three keys, so three lanes and up to three partitions: the provider's own name of the
            // message, and with its echo or ours the message.
            let mut updates = vec![
                told_by_provider(&id, DeliveryEvent::Delivered, None),
                sent(&delivery, &id),
                told_by_provider(&id, DeliveryEvent::Read, (number % 3 == 0).then_some(&delivery)),
            ];
            updates.rotate_left(number % 3);
            updates
        });
        let updates: Vec<StatusUpdate> = updates.collect();
        join_all(updates.iter().map(|update| cluster.put_status(update))).await;
        drained(cluster).await;
        running.stop().await;
        let stored = conversation(&store.memory, "c1").await;
        let missing: Vec<_> = stored
            .iter()
            .flat_map(|m| &m.deliveries)
            .filter(|d| Plain::of(d).known != [true, true, true, false])
            .collect();
        assert!(missing.is_empty(), "{} of {} miss a status: {missing:?}", missing.len(), stored.len());
    })
    .await;
}

/// Accepts messages: in each conversation one after another, the conversations side by side.
async fn load(cluster: &Cluster, conversations: u32, each: u32) -> BTreeMap<String, Vec<MessageId>> {
    let lines = (0..conversations).map(async |number| {
        let (conversation, recipient) = (format!("c{number}"), recipient(number));
        let mut ids = Vec::new();
        for _ in 0..each {
            let message = message(&conversation, Some(&recipient));
            accept(cluster, &message).await;
            ids.push(message.message_id);
        }
        (conversation, ids)
    });
    join_all(lines).await.into_iter().collect()
}

/// Each conversation has a recipient of its own.
fn recipient(conversation: u32) -> String {
    format!("whatsapp:+55629{conversation:08}")
}

async fn assert_stored_once(memory: &Memory, accepted: &BTreeMap<String, Vec<MessageId>>) {
    for (id, messages) in accepted {
        let stored: Vec<MessageId> =
            conversation(memory, id).await.iter().rev().map(|m| m.message.message_id).collect();
        assert_eq!(&stored, messages, "conversation {id}");
    }
}

/// Asserts that each recipient's deliveries, each at its first place, are in the order in which the
/// messages were accepted. Gives how many stand there again.
fn assert_order_kept(accepted: &BTreeMap<String, Vec<MessageId>>, outbound: Vec<Delivery>) -> usize {
    let total = outbound.len();
    let mut handed: BTreeMap<String, Vec<MessageId>> = BTreeMap::new();
    for delivery in outbound {
        let before = handed.entry(delivery.reference.conversation_id.to_string()).or_default();
        if !before.contains(&delivery.reference.message_id) {
            before.push(delivery.reference.message_id);
        }
    }
    assert_eq!(&handed, accepted);
    total - accepted.values().map(Vec::len).sum::<usize>()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn routers_that_join_and_leave_with_work_in_flight_repeat_nothing_and_keep_the_order() {
    with_cluster(&[CONNECTOR], async |cluster| {
        // Slow enough that partitions are never empty while they change hands.
        let store = Scripted::new(Arc::default(), Script::Slow(Duration::from_millis(5)));
        let stays = start(cluster, store.clone()).joined().await;
        let load = load(cluster, 60, 50);
        let guests = async {
            for _ in 0..3 {
                let guest = start(cluster, store.clone()).joined().await;
                let enough = store.calls() + 300;
                eventually("work goes on with the guest", async || store.calls() >= enough.min(3000)).await;
                guest.stop().await;
            }
        };
        let (accepted, ()) = tokio::join!(load, guests);
        drained(cluster).await;
        stays.stop().await;
        assert_stored_once(&store.memory, &accepted).await;
        let repeated = assert_order_kept(&accepted, outbound(cluster).await);
        assert_eq!(repeated, 0, "graceful changes repeat nothing");
        assert!(cluster.dead_letters().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_store_that_is_away_for_a_while_costs_nothing_but_time() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = playing();
        let running = start(cluster, store.clone()).joined().await;
        store.follow(Script::Away);
        let accepted = load(cluster, 20, 30).await;
        eventually("the router asks the store again and again", async || store.calls() >= 100).await;
        assert!(outbound(cluster).await.is_empty());
        assert!(running.pulses[0].age() < Duration::from_secs(5), "it goes on polling");
        store.follow(Script::Play);
        drained(cluster).await;
        running.stop().await;
        assert_stored_once(&store.memory, &accepted).await;
        assert_eq!(assert_order_kept(&accepted, outbound(cluster).await), 0);
        assert!(cluster.dead_letters().await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_router_stops_while_the_store_is_away_and_the_next_one_does_the_work() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = playing();
        let running = start(cluster, store.clone()).joined().await;
        store.follow(Script::Away);
        let accepted = load(cluster, 20, 10).await;
        eventually("the router asks the store again and again", async || store.calls() >= 50).await;
        running.stop().await;
        store.follow(Script::Play);
        let next = start(cluster, store.clone());
        drained(cluster).await;
        next.stop().await;
        assert_stored_once(&store.memory, &accepted).await;
        assert_eq!(assert_order_kept(&accepted, outbound(cluster).await), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_router_that_has_stopped_is_out_of_its_group_so_that_nobody_waits_for_it() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let group = cluster.topics.router_group();
        for with_work in [false, true] {
            let store = playing();
            let running = start(cluster, store.clone()).joined().await;
            if with_work {
                load(cluster, 10, 5).await;
                eventually("it works", async || store.calls() >= 10).await;
            }
            assert_eq!(cluster.members(&group).await, 1);
            running.stop().await;
            assert_eq!(cluster.members(&group).await, 0, "with work: {with_work}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_call_that_never_returns_holds_up_a_stop_no_longer_than_the_drain() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = Scripted::new(Arc::default(), Script::StopBefore(1));
        let running = start(cluster, store.clone());
        let message = message("c1", Some("whatsapp:+5562998765432"));
        accept(cluster, &message).await;
        store.stopped().await;
        let began = Instant::now();
        running.stop().await;
        // Leaving the group takes a second; a further drain or a leave that times out takes five.
        assert!(began.elapsed() < DRAIN + Duration::from_secs(4), "stopping took {:?}", began.elapsed());
        let next = start(cluster, store.clone());
        drained(cluster).await;
        next.stop().await;
        assert_eq!(conversation(&store.memory, "c1").await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_status_with_our_reference_settles_a_delivery_whose_answer_never_came() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = playing();
        let message = message("c1", Some("whatsapp:+5562998765432"));
        let reference = delivery_of(&message, "whatsapp:+5562998765432").reference;
        let effort = Effort { attempts: 1, unknown_outcomes: 0 };
        let begun = LedgerEntry { effort, attempt: Attempt::Attempting { since: Timestamp::now() }, replays: 0 };
        store.memory.record(&reference, &begun).await.unwrap();
        accept(cluster, &message).await;
        let statuses = cluster.topics.status_updates();
        let sent = DeliveryEvent::Sent { provider_id: Some("wamid.1".into()), effort: None };
        let echoed = told_by_provider("wamid.1", sent, Some(&reference));
        // Without the reference it waits for the name, which the other one makes known.
        let later = told_by_provider("wamid.1", DeliveryEvent::Delivered, None);
        for update in [&later, &echoed, &echoed] {
            cluster.put(&statuses, &update.key(), update).await;
        }
        let router = start(cluster, store.clone());
        drained(cluster).await;
        router.stop().await;

        let delivery = conversation(&store.memory, "c1").await[0].deliveries[0].clone();
        assert_eq!(delivery.times.status(), Status::Delivered);
        assert_eq!(delivery.provider_id.as_deref(), Some("wamid.1"));
        let entry = store.memory.entry(reference.delivery_id).await.unwrap().unwrap();
        let Attempt::Ended { outcome: Outcome::Sent { provider_id }, .. } = entry.attempt else { panic!("{entry:?}") };
        assert_eq!((provider_id.as_deref(), entry.effort), (Some("wamid.1"), effort));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn case_21_what_came_in_twice_is_one_message_for_users_and_for_nobody_outside() {
    with_cluster(&[CONNECTOR], async |cluster| {
        let store = playing();
        let opening = message("c1", Some("whatsapp:+5562998765432"));
        let answer = AcceptedMessage {
            message_id: MessageId::of_event(CONNECTOR, "wamid.in", Timestamp::now() + SignedDuration::from_secs(1)),
            // The same person by the other form of their number.
            sender: "whatsapp:+556298765432".parse().unwrap(),
            inbound: Some(Inbound {
                connector: CONNECTOR.into(),
                provider_id: "wamid.in".into(),
                name: Some("Maria".into()),
                files: Vec::new(),
            }),
            ..message("c1", None)
        };
        let router = start(cluster, store.clone());
        for message in [&opening, &answer, &answer] {
            accept(cluster, message).await;
        }
        drained(cluster).await;
        router.stop().await;

        let stored = conversation(&store.memory, "c1").await;
        assert_eq!(stored.len(), 2);
        assert_eq!((&stored[0].message, stored[0].status()), (&answer, Status::Delivered));
        assert_eq!(stored[0].deliveries.iter().map(|d| d.recipient.to_string()).collect::<Vec<_>>(), ["ana"]);
        assert_eq!(outbound(cluster).await.len(), 1, "only what ana wrote");
        let members = store.memory.members(&"c1".parse().unwrap()).await.unwrap();
        assert_eq!(members.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ana", "whatsapp:+5562998765432"]);
        let person = store.memory.person(&answer.sender).await.unwrap();
        assert_eq!(person.conversation, Some("c1".parse().unwrap()));
    })
    .await;
}
