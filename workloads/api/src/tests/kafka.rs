//! The API on a real producer, against librdkafka's mock cluster.

use std::sync::Arc;
use std::time::Duration;

use chat4all_kafka::{GroupProtocol, KafkaConfig, Producer};
use chat4all_store::Memory;
use rdkafka::mocking::MockCluster;

use crate::testing::{APP_SECRET, hello, open, post, send, signature, token, webhook};
use crate::{Journal, app};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_and_a_webhook_are_acknowledged_by_a_broker_and_refused_without_one() {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["messages", "main-inbound"] {
        cluster.create_topic(topic, 3, 1).unwrap();
    }
    let config = KafkaConfig {
        bootstrap_servers: cluster.bootstrap_servers(),
        session_timeout: Duration::from_secs(10),
        protocol: GroupProtocol::default(),
    };
    let journal: Arc<dyn Journal> = Arc::new(Producer::connect(&config).unwrap());
    let (api, _config, _files) = open(journal, Arc::new(Memory::new()));
    let request = |path: &str| axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();

    assert_eq!(send(app(api.clone()), request("/readyz")).await.status, 200);
    let token = token(app(api.clone()), "ana").await;
    assert_eq!(send(app(api.clone()), post(&token, &hello(), Some("k1"))).await.status, 202);
    let body = vec![b'x'; 3 << 20];
    let answer = send(app(api.clone()), webhook("main", Some(&signature(APP_SECRET, &body)), &body)).await;
    assert_eq!(answer.status, 200, "the largest webhook passes the producer: {answer:?}");

    cluster.broker_down(1).unwrap();
    let answer = send(app(api.clone()), post(&token, &hello(), Some("k2"))).await;
    answer.problem(503, "unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(send(app(api), request("/readyz")).await.json()["kafka"], "unreachable");
}
