//! One operator leads, the others wait: a Lease in the API server, written with compare-and-swap on
//! its resourceVersion, so that two can never both believe they hold it. [`next`] decides and is
//! pure; [`Election`] asks and writes.
//!
//! Clocks are never compared between machines: a waiting operator measures with its own clock how
//! long the Lease has not changed.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::kube_error::plain;

/// A leader that did not renew for this long is taken for dead. With [`POLL`] a takeover stays below
/// 20 s.
const DURATION: Duration = Duration::from_secs(15);
/// How often the leader renews.
const RENEW: Duration = Duration::from_secs(3);
/// A leader that could not renew for this long stops leading; well before the others take over.
const GIVE_UP: Duration = Duration::from_secs(10);
/// How often a waiting operator looks.
const POLL: Duration = Duration::from_secs(2);

/// The Lease as one operator sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sight {
    /// Who holds it; `None` when it was vacated.
    pub holder: Option<String>,
    /// How long it holds without renewal.
    pub duration: Duration,
    /// How long it has not changed, by this operator's clock.
    pub unchanged: Duration,
}

/// What to do about the Lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Move {
    /// Create it.
    Create,
    /// Take it over.
    Take,
    /// Renew it.
    Renew,
    /// Leave it to its holder.
    Wait,
}

/// Decides by the Lease that there is, if any.
pub fn next(sight: Option<&Sight>, me: &str) -> Move {
    let Some(sight) = sight else { return Move::Create };
    match sight.holder.as_deref() {
        None => Move::Take,
        Some(holder) if holder == me => Move::Renew,
        Some(_) if sight.unchanged >= sight.duration => Move::Take,
        Some(_) => Move::Wait,
    }
}

/// Takes part in the election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    me: String,
    /// The last version seen, and since when.
    seen: Option<(String, Instant)>,
    /// When the renewal began that was the last one to succeed: others count from when it was written.
    renewed: Instant,
}

impl Election {
    /// Takes part as `me`, by the Lease `name` in `namespace`.
    pub fn new(client: Client, namespace: &str, name: &str, me: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            me: me.to_owned(),
            seen: None,
            renewed: Instant::now(),
        }
    }

    /// Waits until this operator leads. `looked` is called after each look at the Lease.
    pub async fn win(&mut self, looked: impl Fn()) {
        loop {
            let began = Instant::now();
            match timeout(GIVE_UP, self.attempt()).await {
                Ok(Ok(true)) => {
                    self.renewed = began;
                    return;
                }
                Ok(Ok(false)) => {}
                // Someone else was faster, who leads now.
                Ok(Err(kube::Error::Api(status))) if status.code == 409 => {}
                Ok(Err(error)) => tracing::warn!(error = plain(&error), "could not look at the Lease"),
                Err(_) => tracing::warn!("the API server did not answer about the Lease"),
            }
            looked();
            sleep(POLL).await;
        }
    }

    /// Renews until the Lease is lost. `renewed` is called after each renewal.
    pub async fn keep(&mut self, renewed: impl Fn()) {
        loop {
            sleep(RENEW).await;
            let began = Instant::now();
            let left = GIVE_UP.saturating_sub(self.renewed.elapsed());
            match timeout(left, self.attempt()).await {
                Ok(Ok(true)) => {
                    self.renewed = began;
                    renewed();
                }
                Ok(Ok(false)) => return,
                Ok(Err(error)) => tracing::warn!(error = plain(&error), "could not renew the Lease"),
                Err(_) => tracing::warn!("the API server did not answer about the Lease"),
            }
            if self.renewed.elapsed() >= GIVE_UP {
                return;
            }
        }
    }

    /// Gives the Lease away, so that another operator need not wait until it runs out.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn vacate(&mut self) -> Result<(), kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.me) {
            return Ok(());
        }
        spec.holder_identity = None;
        self.api.replace(&self.name, &PostParams::default(), &lease).await.map(|_| ())
    }

    /// Looks at the Lease and does what [`next`] says. Whether this operator leads now. That someone
    /// else was faster is an error like any other: look again.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let lease = self.api.get_opt(&self.name).await?;
        let sight = lease.as_ref().map(|lease| self.sight(lease));
        let step = next(sight.as_ref(), &self.me);
        let written = match (step, lease) {
            (Move::Wait, _) => return Ok(false),
            (Move::Create, _) | (_, None) => {
                let lease = Lease {
                    metadata: ObjectMeta { name: Some(self.name.clone()), ..Default::default() },
                    spec: Some(self.spec(None)),
                };
                self.api.create(&PostParams::default(), &lease).await
            }
            // The resourceVersion that was read goes back with it: the API server refuses the write
            // when someone else was faster.
            (Move::Take | Move::Renew, Some(lease)) => {
                let spec = self.spec(lease.spec.as_ref());
                let lease = Lease { spec: Some(spec), ..lease };
                self.api.replace(&self.name, &PostParams::default(), &lease).await
            }
        };
        self.sight(&written?);
        Ok(true)
    }

    fn sight(&mut self, lease: &Lease) -> Sight {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let since = match &self.seen {
            Some((seen, since)) if *seen == version => *since,
            _ => Instant::now(),
        };
        self.seen = Some((version, since));
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
        Sight {
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            duration: seconds.map_or(DURATION, Duration::from_secs),
            unchanged: since.elapsed(),
        }
    }

    fn spec(&self, former: Option<&LeaseSpec>) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let mut spec = former.cloned().unwrap_or_default();
        if spec.holder_identity.as_deref() != Some(&self.me) {
            spec.holder_identity = Some(self.me.clone());
            spec.acquire_time = now.clone();
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count.saturating_add(1)));
        }
        spec.renew_time = now;
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        spec
    }
}

/// Leads while `lead` runs: wins the Lease, runs it, and vacates the Lease when it has ended.
///
/// # Errors
/// When the Lease was lost; then the process must end, since another operator leads.
pub async fn lead<F, Fut>(
    mut election: Election,
    beat: impl Fn(),
    shutdown: CancellationToken,
    lead: F,
) -> Result<(), Lost>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = ()>,
{
    tokio::select! {
        () = election.win(&beat) => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    tracing::info!("this operator leads");
    tokio::select! {
        () = lead() => {}
        () = election.keep(&beat) => return Err(Lost),
    }
    match timeout(GIVE_UP, election.vacate()).await {
        Ok(Ok(())) => tracing::info!("gave the Lease away"),
        Ok(Err(error)) => tracing::warn!(error = plain(&error), "could not give the Lease away; it runs out by itself"),
        Err(_) => tracing::warn!("could not give the Lease away in time; it runs out by itself"),
    }
    Ok(())
}

/// The Lease went to another operator, or could not be renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("lost the Lease; ending, so that two operators never lead at once")]
pub struct Lost;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn sight(holder: Option<&str>, unchanged: u64) -> Sight {
        Sight {
            holder: holder.map(str::to_owned),
            duration: Duration::from_secs(15),
            unchanged: Duration::from_secs(unchanged),
        }
    }

    #[rstest]
    #[case::there_is_none(None, Move::Create)]
    #[case::it_was_vacated(Some(sight(None, 0)), Move::Take)]
    #[case::it_is_mine(Some(sight(Some("me"), 0)), Move::Renew)]
    #[case::it_was_mine_long_ago(Some(sight(Some("me"), 60)), Move::Renew)]
    #[case::the_other_renews(Some(sight(Some("other"), 14)), Move::Wait)]
    #[case::the_other_is_dead(Some(sight(Some("other"), 15)), Move::Take)]
    fn the_move_follows_from_the_lease(#[case] sight: Option<Sight>, #[case] expected: Move) {
        assert_eq!(next(sight.as_ref(), "me"), expected);
    }

    #[test]
    fn a_leader_stops_before_another_may_start() {
        assert!(GIVE_UP + RENEW < DURATION);
    }

    #[test]
    fn a_takeover_takes_less_than_twenty_seconds() {
        assert!(DURATION + POLL < Duration::from_secs(20));
    }
}
