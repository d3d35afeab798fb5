//! Remembers for a while what Kafka answered. Reconciles come in bursts (each pod that becomes ready
//! is one) and many clusters share a Kafka; asking each time, or waiting out the same time-out for
//! each cluster, would cost far more than it tells.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Ensured, Error, Topics};
use crate::model::Topic;

/// How long a good answer is good. Rarer than once a minute a lost broker would be noticed late.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// How long brokers that did not answer are not asked again; below the first retry that matters to
/// whoever waits for them.
const UNREACHABLE_FOR: Duration = Duration::from_secs(5);

/// Asks `inner` and remembers the answers.
pub struct Remembered<T> {
    inner: T,
    kafkas: Mutex<HashMap<String, Arc<Kafka>>>,
}

/// What is known of one Kafka. The lock lets one at a time ask, so that the others find the answer.
type Kafka = tokio::sync::Mutex<Known>;

#[derive(Default)]
struct Known {
    good: HashMap<Vec<String>, Instant>,
    unreachable: Option<(Instant, Error)>,
}

impl<T: Topics> Remembered<T> {
    /// Remembers what `inner` answers.
    pub fn new(inner: T) -> Self {
        Self { inner, kafkas: Mutex::default() }
    }

    fn kafka(&self, brokers: &str) -> Arc<Kafka> {
        let mut kafkas = self.kafkas.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody holds it and nothing in it is of use any more.
        kafkas.retain(|_, kafka| Arc::strong_count(kafka) > 1 || kafka.try_lock().is_ok_and(|mut k| k.is_of_use()));
        Arc::clone(kafkas.entry(brokers.to_owned()).or_default())
    }
}

impl Known {
    fn is_of_use(&mut self) -> bool {
        self.good.retain(|_, at| at.elapsed() < GOOD_FOR);
        self.unreachable.take_if(|(at, _)| at.elapsed() >= UNREACHABLE_FOR);
        !self.good.is_empty() || self.unreachable.is_some()
    }
}

#[async_trait]
impl<T: Topics> Topics for Remembered<T> {
    async fn ensure(&self, brokers: &str, topics: &[Topic]) -> Ensured {
        let kafka = self.kafka(brokers);
        let mut known = kafka.lock().await;
        known.is_of_use();
        if let Some((_, error)) = &known.unreachable {
            return error.clone().into();
        }
        let wanted: Vec<_> = topics.iter().map(|t| format!("{}/{}", t.name, t.partitions)).collect();
        if known.good.contains_key(&wanted) {
            return Ensured::all_there();
        }
        let answer = self.inner.ensure(brokers, topics).await;
        match &answer.done {
            Ok(()) => {
                known.good.insert(wanted, Instant::now());
            }
            Err(error @ Error::Unreachable { .. }) => known.unreachable = Some((Instant::now(), error.clone())),
            Err(_) => {}
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Counting {
        asked: Arc<AtomicUsize>,
        reachable: bool,
    }

    #[async_trait]
    impl Topics for Counting {
        async fn ensure(&self, brokers: &str, topics: &[Topic]) -> Ensured {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match self.reachable {
                true => Ensured { missing: topics.iter().map(|topic| topic.name.clone()).collect(), done: Ok(()) },
                false => Error::Unreachable { brokers: brokers.into(), reason: "refused".into() }.into(),
            }
        }
    }

    fn counting(reachable: bool) -> (Remembered<Counting>, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        (Remembered::new(Counting { asked: Arc::clone(&asked), reachable }), asked)
    }

    fn topics(partitions: i32) -> Vec<Topic> {
        vec![Topic { name: "messages".into(), partitions, replication_factor: 1 }]
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_answer_is_asked_for_once_a_minute() {
        let (kafka, asked) = counting(true);
        assert_eq!(kafka.ensure("kafka:9092", &topics(12)).await.missing, ["messages"]);
        assert_eq!(kafka.ensure("kafka:9092", &topics(12)).await, Ensured::all_there());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(GOOD_FOR).await;
        kafka.ensure("kafka:9092", &topics(12)).await.done.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn changed_topics_are_asked_for_at_once() {
        let (kafka, asked) = counting(true);
        kafka.ensure("kafka:9092", &topics(12)).await.done.unwrap();
        kafka.ensure("kafka:9092", &topics(24)).await.done.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn clusters_on_one_unreachable_kafka_wait_out_one_time_out() {
        let (kafka, asked) = counting(false);
        for partitions in 1..10 {
            assert!(kafka.ensure("kafka:9092", &topics(partitions)).await.done.is_err());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(UNREACHABLE_FOR).await;
        assert!(kafka.ensure("kafka:9092", &topics(12)).await.done.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
