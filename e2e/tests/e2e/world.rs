//! Everything that the operator can write to, looked at as a whole: the sample with all that it owns,
//! the operator's own namespace, its events, and the API server's count of requests. The Lease by which
//! its pods agree who leads is no part of it: renewing that is how the leader shows that it lives.

use std::collections::HashSet;
use std::time::Duration;

use ::kube::ResourceExt as _;
use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{Survey, owned};
use chat4all_e2e::operator;
use chat4all_e2e::wait::{self, Look};
use chat4all_e2e::writes::{Versions, requests_that_write};
use tokio::time::Instant;

/// What was done before has been seen and answered when nothing was written for this long: twice the
/// longest interval at which the operator looks at anything that moves.
const AT_REST: Duration = Duration::from_secs(10);

/// Pods become ready, and conditions follow.
const RESTS_WITHIN: Duration = Duration::from_secs(120);

/// The group of the operator's resource.
const GROUP: &str = "chat4all.io";

/// What the operator can write to.
pub struct World<'a> {
    context: &'a Context,
    sample: Survey,
    operator: Survey,
}

impl<'a> World<'a> {
    pub async fn of(context: &'a Context) -> Outcome<Self> {
        let sample = context.sample.namespace.survey().await?;
        let operator = context.sample.operator.namespace.survey().await?;
        Ok(Self { context, sample, operator })
    }

    /// Versions of the sample's resource, of all that it owns, and of the events about it.
    pub async fn of_the_sample(&self) -> Outcome<Versions> {
        let sample = &self.context.sample;
        let resource = sample.resource.find().await?.ok_or("the sample is not installed")?;
        let uid = resource.uid().unwrap_or_default();
        let objects = self.sample.objects().await?;
        let itself = objects.iter().filter(|object| object.uid == uid);
        let versions = Versions::of(itself.chain(owned(&objects, &HashSet::from([uid.clone()]))));
        Ok(versions.and_events(&sample.namespace.events().await?, operator::NAME))
    }

    /// The same, and everything in the operator's namespace but its Lease.
    async fn of_everything(&self) -> Outcome<(Versions, Versions)> {
        let objects = self.operator.objects().await?;
        let operator = Versions::of(objects.iter().filter(|object| object.kind != "Lease"));
        let events = self.context.sample.operator.namespace.events().await?;
        Ok((self.of_the_sample().await?, operator.and_events(&events, operator::NAME)))
    }

    /// Waits until what was done before has been answered; returns what there is then.
    pub async fn at_rest(&self) -> Outcome<Versions> {
        let mut last: Option<(Versions, Instant)> = None;
        let what = format!("nothing is written for {} s", AT_REST.as_secs());
        let rests = wait::until(what, RESTS_WITHIN, async || {
            let now = match self.of_the_sample().await {
                Ok(now) => now,
                Err(error) => return Look::NotYet(error.to_string()),
            };
            match &last {
                Some((before, since)) if *before == now && since.elapsed() >= AT_REST => Look::Yes(now),
                Some((before, _)) if *before == now => Look::NotYet("nothing for a while".into()),
                other => {
                    let writes = other.as_ref().map(|(before, _)| now.since(before)).unwrap_or_default();
                    last = Some((now, Instant::now()));
                    Look::NotYet(writes.join("; "))
                }
            }
        });
        Ok(rests.await?)
    }

    /// Fails when anything is written in this time, in which nothing happens. Here, and nowhere else,
    /// it is time itself that must pass. Returns how many objects were looked at.
    pub async fn stays_untouched_for(&self, time: Duration) -> Outcome<usize> {
        let requests = async || Ok::<_, chat4all_e2e::kube::Error>(self.context.sample.cluster.text("/metrics").await?);
        let (sample, operator) = self.of_everything().await?;
        let before = requests_that_write(&requests().await?, GROUP);
        tokio::time::sleep(time).await;
        let after = requests_that_write(&requests().await?, GROUP);
        let (sample_after, operator_after) = self.of_everything().await?;
        let mut writes = sample_after.since(&sample);
        writes.extend(operator_after.since(&operator));
        if before == 0.0 {
            return Err(format!("the API server counts no request of {GROUP} that writes, and there were some").into());
        }
        if after > before {
            writes.push(format!("the API server got {} requests that write", after - before));
        }
        if writes.is_empty() {
            return Ok(sample.len() + operator.len());
        }
        Err(format!("in {} s in which nothing happened: {}", time.as_secs(), writes.join("; ")).into())
    }
}
