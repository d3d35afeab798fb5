//! Names and labels of everything that a cluster owns. Knows the limits of Kubernetes' names; the
//! limits on the parts (see [`crate::api::MAX_CLUSTER_NAME`]) keep each derived name within them.

use std::collections::BTreeMap;

/// Field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "chat4all-operator";

/// Field manager of the number of routers while it follows the work.
pub const SCALE_FIELD_MANAGER: &str = "chat4all-operator-scaler";

/// Label by which the operator finds what it owns.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label with the name of the cluster.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label with the part of the cluster.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Label with the name of the connector.
pub const CONNECTOR: &str = "chat4all.io/connector";

/// The value of the component label of the connectors, whatever their names.
pub const CONNECTORS: &str = "connector";

/// Label selector for everything that the operator owns.
pub const OWNED_BY_OPERATOR: &str = "app.kubernetes.io/managed-by=chat4all-operator";

/// A part of a cluster that runs as pods.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Component {
    /// The API.
    Api,
    /// The routers.
    Router,
    /// The connector with this name.
    Connector(String),
    /// The migration of the schema.
    Migrate,
}

impl Component {
    /// The value of the component label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Router => "router",
            Self::Connector(_) => CONNECTORS,
            Self::Migrate => "migrate",
        }
    }

    /// Name of the objects that belong to this part: `<cluster>-api`, `<cluster>-connector-<name>`.
    pub fn object_name(&self, cluster: &str) -> String {
        match self {
            Self::Connector(name) => format!("{cluster}-connector-{name}"),
            part => format!("{cluster}-{}", part.label()),
        }
    }

    /// The labels that select the pods of this part. They never change, since a Deployment's
    /// selector cannot.
    pub fn selector(&self, cluster: &str) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([
            ("app.kubernetes.io/name".to_owned(), "chat4all".to_owned()),
            (INSTANCE.to_owned(), cluster.to_owned()),
            (COMPONENT.to_owned(), self.label().to_owned()),
        ]);
        if let Self::Connector(name) = self {
            labels.insert(CONNECTOR.to_owned(), name.clone());
        }
        labels
    }

    /// The labels of the objects and pods of this part.
    pub fn labels(&self, cluster: &str) -> BTreeMap<String, String> {
        let mut labels = self.selector(cluster);
        labels.insert(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
        labels
    }
}

/// The labels of objects that belong to the whole cluster.
pub fn cluster_labels(cluster: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "chat4all".to_owned()),
        (INSTANCE.to_owned(), cluster.to_owned()),
        (MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned()),
    ])
}

/// Name of the ConfigMap with the environment of the workloads.
pub fn config_map(cluster: &str) -> String {
    format!("{cluster}-config")
}

/// A label selector as one line, as autoscalers and kubectl read it.
pub fn selector_line(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{MAX_CLUSTER_NAME, MAX_CONNECTOR_NAME};

    #[test]
    fn the_longest_derived_name_fits_a_label_value() {
        let cluster = "c".repeat(MAX_CLUSTER_NAME);
        let connector = Component::Connector("n".repeat(MAX_CONNECTOR_NAME));
        assert_eq!(connector.object_name(&cluster).len(), 63);
    }

    #[test]
    fn the_pods_of_two_connectors_are_told_apart() {
        let one = Component::Connector("whatsapp".into()).selector("demo");
        let two = Component::Connector("spare".into()).selector("demo");
        assert_ne!(one, two);
    }

    #[test]
    fn a_selector_is_written_as_kubectl_reads_it() {
        assert_eq!(
            selector_line(&Component::Router.selector("demo")),
            "app.kubernetes.io/component=router,app.kubernetes.io/instance=demo,app.kubernetes.io/name=chat4all"
        );
    }
}
