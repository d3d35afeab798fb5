//! The bare loop: the same HTTP calls at the same concurrency, and nothing else.

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::place::{Place, delivery};

/// As many as a connector has under way (`CALLS_AT_ONCE`).
pub const AT_ONCE: usize = 128;

/// Calls a second.
pub async fn calls_per_second(place: &Place, calls: usize) -> f64 {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let begun = Instant::now();
    // Tasks, as the connector's deliveries are, so that all cores take part.
    let made = stream::iter(0..calls).map(|number| {
        let delivery = delivery(number);
        let request = place.channel.request(&delivery, Timestamp::now()).unwrap();
        let request: reqwest::Request = request.into_http().try_into().unwrap();
        let client = client.clone();
        tokio::spawn(async move {
            let answer = client.execute(request).await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.status());
            answer.bytes().await.unwrap()
        })
    });
    let mut made = made.buffer_unordered(AT_ONCE);
    while let Some(ended) = made.next().await {
        ended.unwrap();
    }
    calls as f64 / begun.elapsed().as_secs_f64()
}
