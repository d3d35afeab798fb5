//! Two operators and one Lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat4all_operator::lease::{Election, Lost, lead};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::api_server::ApiServer;

/// An operator that does nothing but lead.
struct Operator {
    leads: Arc<AtomicBool>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Lost>>,
}

impl Operator {
    fn start(api: &ApiServer, name: &str) -> Self {
        let election = Election::new(api.client(), "chat4all-system", "chat4all-operator", name);
        let (leads, shutdown) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let (flag, told) = (Arc::clone(&leads), shutdown.clone());
        let work = move || async move {
            flag.store(true, Ordering::SeqCst);
            told.cancelled().await;
            flag.store(false, Ordering::SeqCst);
        };
        let task = tokio::spawn(lead(election, || {}, shutdown.clone(), work));
        Self { leads, shutdown, task }
    }

    fn leads(&self) -> bool {
        self.leads.load(Ordering::SeqCst)
    }

    async fn until_it_leads(&self) -> Duration {
        let started = Instant::now();
        while !self.leads() {
            sleep(Duration::from_millis(100)).await;
            assert!(started.elapsed() < Duration::from_secs(60), "it never leads");
        }
        started.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_leads() {
    let api = ApiServer::new();
    let first = Operator::start(&api, "first");
    first.until_it_leads().await;
    let second = Operator::start(&api, "second");
    sleep(Duration::from_secs(600)).await;
    assert!(first.leads() && !second.leads());
    assert!(!first.task.is_finished() && !second.task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn when_the_leader_is_told_to_end_the_other_leads_at_once() {
    let api = ApiServer::new();
    let first = Operator::start(&api, "first");
    first.until_it_leads().await;
    let second = Operator::start(&api, "second");
    sleep(Duration::from_secs(5)).await;
    first.shutdown.cancel();
    assert!(second.until_it_leads().await < Duration::from_secs(3));
    assert_eq!(first.task.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn when_the_leader_is_killed_the_other_leads_in_less_than_twenty_seconds() {
    let api = ApiServer::new();
    let first = Operator::start(&api, "first");
    first.until_it_leads().await;
    let second = Operator::start(&api, "second");
    sleep(Duration::from_secs(5)).await;
    first.task.abort();
    let waited = second.until_it_leads().await;
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    let lease = api.get("leases", "chat4all-system", "chat4all-operator").unwrap();
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_lost_the_lease_ends() {
    let api = ApiServer::new();
    let first = Operator::start(&api, "first");
    first.until_it_leads().await;
    api.edit("leases", "chat4all-system", "chat4all-operator", |l| l["spec"]["holderIdentity"] = "other".into());
    assert_eq!(first.task.await.unwrap(), Err(Lost));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_ends_before_another_may_lead() {
    let api = ApiServer::new();
    let first = Operator::start(&api, "first");
    first.until_it_leads().await;
    let started = Instant::now();
    api.refuse(Some(("leases", http::StatusCode::INTERNAL_SERVER_ERROR)));
    assert_eq!(first.task.await.unwrap(), Err(Lost));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
