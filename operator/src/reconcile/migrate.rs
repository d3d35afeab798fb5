//! The migration of the schema, as far as it takes a client: [`migration::next`] decides.

use k8s_openapi::jiff::Timestamp;

use super::{Context, Error, Reached, UNDER_WAY};
use crate::apply;
use crate::build::{ATTEMPT, Objects};
use crate::findings::{Aspect, Findings, Verdict};
use crate::metrics::Outcome;
use crate::migration::{self, Step};
use crate::model::Identity;
use crate::names::Component;
use crate::owned::Kind;
use crate::trouble::{self, Trouble};

/// Runs the migration; `None` when it is done and the workloads may follow.
pub(super) async fn migrate(
    objects: &Objects,
    identity: &Identity,
    context: &Context,
    findings: &mut Findings,
) -> Result<Option<Reached>, Error> {
    let name = objects.migration.metadata.name.as_deref().unwrap_or_default();
    let existing = context.owned.job(&identity.namespace, name);
    let start = async |attempt: u32| {
        let mut job = objects.migration.clone();
        job.metadata.annotations = Some([(ATTEMPT.to_owned(), attempt.to_string())].into());
        apply::create(&context.client, Kind::Job, &job).await
    };
    let trouble = async || {
        let looked = trouble::look_at_job(&context.client, identity, &Component::Migrate, name);
        looked.await.map_err(Error::Pods)
    };
    let failed = async |failure: String| {
        let failure = trouble().await?.map_or(failure, |trouble| trouble.message);
        let text = format!(
            "spec.store: Job {name} failed ({failure}) and is tried again; see `kubectl logs job/{name}`, and correct spec.store or bring the store back"
        );
        Ok::<_, Error>(Verdict::bad("MigrationFailed", text))
    };
    let (verdict, look_again) = match migration::next(existing.as_ref(), Timestamp::now()) {
        Step::Done => return Ok(None),
        Step::Start { attempt } => {
            start(attempt).await?;
            (Verdict::pending("Migrating", format!("Job {name} was started")), UNDER_WAY)
        }
        Step::Running { attempt } => match trouble().await? {
            Some(Trouble { reason, message, remedy }) => {
                (Verdict::bad(reason, format!("{message}; {remedy}")), UNDER_WAY)
            }
            None => (Verdict::pending("Migrating", running(name, attempt)), UNDER_WAY),
        },
        Step::Wait { remaining, failure } => (failed(failure).await?, remaining),
        Step::Replace { attempt, failure } => {
            let verdict = failed(failure).await?;
            if let Some(job) = &existing {
                apply::remove(&context.client, Kind::Job, &job.metadata).await?;
            }
            start(attempt).await?;
            (verdict, UNDER_WAY)
        }
    };
    findings.note(Aspect::SchemaReady, verdict);
    Ok(Some(Reached { outcome: Outcome::Waiting, look_again }))
}

fn running(job: &str, attempt: u32) -> String {
    match attempt {
        0 => format!("Job {job} runs"),
        failed => format!("Job {job} runs, after {failed} that failed; see the events of the resource"),
    }
}
