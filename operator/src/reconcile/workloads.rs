//! The objects that run a cluster: applied, pruned, and looked at.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Resource;
use kube::api::DynamicObject;
use serde::Serialize;

use super::{Context, Error, scaling};
use crate::api::Chat4AllCluster;
use crate::apply;
use crate::build::Objects;
use crate::connectors::Ailment;
use crate::findings::Rollouts;
use crate::model::{Identity, Model};
use crate::names::Component;
use crate::owned::Kind;
use crate::rollout::Rollout;
use crate::trouble;

/// Configuration before workloads. Gives the Deployments that were changed, as the API server has
/// them now.
pub(super) async fn apply(objects: &Objects, model: &Model, context: &Context) -> Result<Vec<Deployment>, Error> {
    let identity = &model.identity;
    ensure(context, identity, Kind::ConfigMap, &objects.config_map).await?;
    ensure(context, identity, Kind::Service, &objects.service).await?;
    for budget in &objects.disruption_budgets {
        ensure(context, identity, Kind::PodDisruptionBudget, budget).await?;
    }
    let mut applied = Vec::new();
    for deployment in &objects.deployments {
        let deployment = scaling::with_its_replicas(deployment, model, context).await?;
        let answer = ensure(context, identity, Kind::Deployment, &*deployment).await?;
        applied.extend(answer.and_then(|answer| answer.try_parse().ok()));
    }
    Ok(applied)
}

/// Applies one object. Gives it back when it was changed.
pub(super) async fn ensure<T>(
    context: &Context,
    identity: &Identity,
    kind: Kind,
    object: &T,
) -> Result<Option<DynamicObject>, apply::Error>
where
    T: Resource + Serialize,
{
    context.applier.ensure(&context.client, &context.owned, identity, kind, object).await
}

/// Takes away what the resource no longer names: connectors, and migrations of former versions.
pub(super) async fn prune(objects: &Objects, identity: &Identity, context: &Context) -> Result<(), Error> {
    let mut wanted = vec![
        (Kind::ConfigMap, &objects.config_map.metadata),
        (Kind::Service, &objects.service.metadata),
        (Kind::Job, &objects.migration.metadata),
    ];
    wanted.extend(objects.service_accounts.iter().map(|o| (Kind::ServiceAccount, &o.metadata)));
    wanted.extend(objects.disruption_budgets.iter().map(|o| (Kind::PodDisruptionBudget, &o.metadata)));
    wanted.extend(objects.deployments.iter().map(|o| (Kind::Deployment, &o.metadata)));
    for name in context.applier.prune(&context.client, &context.owned, identity, &wanted).await? {
        tracing::info!(cluster = identity.name, object = %name, "removed what the resource no longer names");
    }
    Ok(())
}

/// The Deployments of the cluster: those just applied, and the others as the watch sees them.
pub(super) fn rollouts(
    cluster: &Chat4AllCluster,
    identity: &Identity,
    context: &Context,
    applied: &[Deployment],
) -> Rollouts {
    let of = |part: &Component| {
        let name = part.object_name(&identity.name);
        let fresh = applied.iter().find(|d| d.metadata.name.as_deref() == Some(&name));
        match fresh {
            Some(deployment) => Some(Rollout::of(deployment)),
            None => context.owned.deployment(&identity.namespace, &name).map(|d| Rollout::of(&d)),
        }
    };
    let connector = |name: &String| {
        let ailment = context.connectors.ailment(&identity.namespace, &identity.name, name);
        let rollout = of(&Component::Connector(name.clone()))?;
        Some(Rollout { ailing: ailment.map(Ailment::trouble), ..rollout })
    };
    let connectors = cluster.spec.connectors.iter();
    Rollouts {
        api: of(&Component::Api),
        router: of(&Component::Router),
        connectors: connectors.map(|c| (c.name.clone(), connector(&c.name))).collect(),
    }
}

/// Asks the pods of what does not run why. Whether everything runs.
pub(super) async fn look_for_trouble(
    rollouts: &mut Rollouts,
    identity: &Identity,
    context: &Context,
) -> Result<bool, Error> {
    let connectors = rollouts.connectors.iter_mut();
    let connectors = connectors.map(|(name, rollout)| (Component::Connector(name.clone()), rollout));
    let all = [(Component::Api, &mut rollouts.api), (Component::Router, &mut rollouts.router)];
    let mut complete = true;
    for (part, rollout) in all.into_iter().chain(connectors) {
        if let Some(rollout) = rollout.as_mut().filter(|rollout| !rollout.is_complete()) {
            complete = false;
            rollout.trouble = trouble::look(&context.client, identity, &part).await.map_err(Error::Pods)?;
        }
    }
    Ok(complete)
}
