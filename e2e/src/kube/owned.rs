//! Everything in a namespace, of whatever kind, and what of it belongs to an object.

use std::collections::HashSet;
use std::fmt;

use ::kube::api::{Api, ListParams};
use ::kube::core::{ApiResource, DynamicObject};
use ::kube::discovery::{Discovery, Scope, verbs};
use ::kube::{Resource as _, ResourceExt as _};

use super::{Error, Namespace};

/// Come and go by themselves and say nothing about an owner.
const PASSING: [&str; 1] = ["Event"];

/// Looks at the objects of every kind that a namespace can hold.
pub struct Survey {
    namespace: Namespace,
    kinds: Vec<ApiResource>,
}

/// An object of some kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its version, which moves with every write that changes something.
    pub version: String,
    /// The uids of its owners.
    pub owners: Vec<String>,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Namespace {
    /// Learns which kinds there are.
    pub async fn survey(&self) -> Result<Survey, Error> {
        let discovery = Discovery::new(self.client.clone()).run().await;
        let discovery = discovery.map_err(|error| Error::new("ask the cluster for its kinds".into(), error))?;
        let kinds = discovery.groups().flat_map(|group| group.recommended_resources());
        let kinds = kinds.filter(|(kind, capabilities)| {
            capabilities.scope == Scope::Namespaced
                && capabilities.supports_operation(verbs::LIST)
                && !PASSING.contains(&kind.kind.as_str())
        });
        Ok(Survey { namespace: self.clone(), kinds: kinds.map(|(kind, _)| kind).collect() })
    }
}

impl Survey {
    /// All objects that there are now.
    pub async fn objects(&self) -> Result<Vec<Object>, Error> {
        let Survey { namespace, kinds } = self;
        let mut objects = Vec::new();
        for kind in kinds {
            let api: Api<DynamicObject> = Api::namespaced_with(namespace.client.clone(), &namespace.name, kind);
            let list = match api.list_metadata(&ListParams::default()).await {
                Ok(list) => list,
                // Known to discovery, but without objects that can be listed.
                Err(::kube::Error::Api(status)) if [404, 405].contains(&status.code) => continue,
                Err(error) => return Err(Error::new(format!("list {}", kind.plural), error)),
            };
            objects.extend(list.items.into_iter().map(|object| Object {
                kind: kind.kind.clone(),
                name: object.name_any(),
                uid: object.uid().unwrap_or_default(),
                version: object.resource_version().unwrap_or_default(),
                owners: object.meta().owner_references.iter().flatten().map(|owner| owner.uid.clone()).collect(),
            }));
        }
        Ok(objects)
    }
}

/// Those of these objects whose owner, or owner's owner, is among `owners` (uids).
pub fn owned<'a>(objects: &'a [Object], owners: &HashSet<String>) -> Vec<&'a Object> {
    let mut owners = owners.clone();
    let mut owned: Vec<&Object> = Vec::new();
    // Each round finds what the objects of the round before own.
    loop {
        let more = objects.iter().filter(|object| !owners.contains(&object.uid));
        let more: Vec<&Object> = more.filter(|object| object.owners.iter().any(|uid| owners.contains(uid))).collect();
        if more.is_empty() {
            return owned;
        }
        owners.extend(more.iter().map(|object| object.uid.clone()));
        owned.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(uid: &str, owners: &[&str]) -> Object {
        let owners = owners.iter().map(|owner| (*owner).to_owned()).collect();
        Object { kind: "Thing".into(), name: uid.to_uppercase(), uid: uid.into(), version: "1".into(), owners }
    }

    #[test]
    fn what_an_object_owns_is_found_through_others_and_in_any_order() {
        let objects = [
            object("pod", &["replica-set"]),
            object("replica-set", &["deployment"]),
            object("deployment", &["cluster"]),
            object("cluster", &[]),
            object("stranger", &["another"]),
        ];
        let owned = owned(&objects, &HashSet::from(["cluster".to_owned()]));
        assert_eq!(owned.iter().map(|o| o.uid.as_str()).collect::<Vec<_>>(), ["deployment", "replica-set", "pod"]);
        assert_eq!(owned[0].to_string(), "Thing DEPLOYMENT");
    }
}
