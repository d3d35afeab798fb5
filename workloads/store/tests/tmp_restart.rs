#![allow(clippy::unwrap_used)]
use std::sync::Arc;
use std::time::{Duration, Instant};
use chat4all_message::*;
use chat4all_store::{Cassandra, Conversations, IdempotencyKeys, Statuses, Store, Claim, ClaimState, RequestKey};
use chat4all_store::cassandra::*;
use futures::stream::{self, StreamExt as _};
#[tokio::test(flavor = "multi_thread")]
#[ignore]
async fn restart() {
    let config = CassandraConfig { contact_points: vec!["localhost:9042".into()], keyspace: "tmp_restart".parse().unwrap() };
    migrate(&config, &r#"{"class":"NetworkTopologyStrategy","replication_factor":"1"}"#.parse().unwrap()).await.unwrap();
    let t = Instant::now();
    let store = Arc::new(Cassandra::connect(&config).await.unwrap());
    eprintln!("connect {:?}", t.elapsed());
    for conc in [1usize, 32, 256] {
        let n = if conc == 1 { 2000 } else { 20000 };
        let t = Instant::now();
        stream::iter(0..n).map(|i| { let store = store.clone(); async move {
            let m = AcceptedMessage { message_id: MessageId::now(), conversation_id: format!("c{}", i % 200).parse().unwrap(), sender: "ana".parse().unwrap(), recipient: Some("whatsapp:+5562998765432".parse().unwrap()), content: "x".repeat(100), file_id: None };
            let d = Delivery::of(&m, m.recipient.clone().unwrap(), "w");
            store.put_message(&m, std::slice::from_ref(&d)).await.unwrap();
            store.apply(&d.reference, &DeliveryEvent::Delivered, jiff::Timestamp::now()).await.unwrap();
        }}).buffer_unordered(conc).for_each(|_| async {}).await;
        eprintln!("put+apply conc {conc}: {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
    }
    let t = Instant::now();
    stream::iter(0..2000).map(|i| { let store = store.clone(); async move {
        let key = RequestKey { user: "a".into(), key: format!("{i}-{}", uuid::Uuid::new_v4()) };
        let c = Claim { fingerprint: [0;32], message_id: MessageId::now(), since: jiff::Timestamp::now(), state: ClaimState::InFlight };
        assert!(store.claim(&key, &c).await.unwrap().is_none());
        store.settle(&key, &Claim { state: ClaimState::Accepted, ..c }).await.unwrap();
    }}).buffer_unordered(32).for_each(|_| async {}).await;
    eprintln!("claim+settle conc 32: {:.0}/s", 2000.0 / t.elapsed().as_secs_f64());
    let begin = Instant::now();
    let mut ok = None;
    while begin.elapsed() < Duration::from_secs(90) {
        let t = Instant::now();
        let r = store.ping().await;
        let now = r.is_ok();
        if ok != Some(now) { eprintln!("{:6.1}s ping ok={} after {:?} {:?}", begin.elapsed().as_secs_f32(), now, t.elapsed(), r.err().map(|e| e.source.to_string())); ok = Some(now); }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
