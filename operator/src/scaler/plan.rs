//! What a reconcile tells the scaler about its cluster.

use chat4all_message::Topics;
use sha2::{Digest, Sha256};

use crate::build::short_hash;
use crate::model::{Identity, Model, Scaling};
use crate::names::Component;

/// One cluster, as far as scaling goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The resource.
    pub identity: Identity,
    /// Where Kafka is, as the operator sees it.
    pub brokers: String,
    /// The topics of the cluster.
    pub topics: Topics,
    /// The rules.
    pub scaling: Scaling,
    /// The routers' Deployment.
    pub deployment: String,
    /// Changes with what a router pod runs and may use. What was learned about others is of no use.
    pub pods_hash: String,
}

impl Plan {
    /// The plan of a cluster.
    pub fn of(model: &Model) -> Self {
        let resources = serde_json::to_vec(&model.router.resources).expect("resources are plain data");
        let hasher = Sha256::new().chain_update(&model.image.reference).chain_update(&resources);
        Self {
            identity: model.identity.clone(),
            brokers: model.kafka.bootstrap_servers_from_afar.clone(),
            topics: Topics::with_prefix(model.kafka.topic_prefix.as_str()),
            scaling: model.router.scaling.clone(),
            deployment: Component::Router.object_name(&model.identity.name),
            pods_hash: short_hash(hasher),
        }
    }

    /// Whether what was seen under `former` says something about this one.
    pub(super) fn continues(&self, former: &Self) -> bool {
        self.identity.uid == former.identity.uid
            && self.brokers == former.brokers
            && self.topics == former.topics
            && self.pods_hash == former.pods_hash
    }
}
