//! Which clusters name which Secret, so that a Secret that appears or changes brings on the right
//! reconciles, however many Secrets there are.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Namespace and name.
type Key = (String, String);

/// The index, from both sides.
#[derive(Default)]
pub struct References(Mutex<Sides>);

#[derive(Default)]
struct Sides {
    named_by: HashMap<Key, BTreeSet<String>>,
    names: HashMap<Key, BTreeSet<String>>,
}

impl References {
    /// Notes that a cluster names these Secrets of its namespace, and no others.
    pub fn set(&self, namespace: &str, cluster: &str, secrets: &BTreeSet<String>) {
        let mut sides = self.sides();
        let key = |name: &str| (namespace.to_owned(), name.to_owned());
        let former = sides.names.insert(key(cluster), secrets.clone()).unwrap_or_default();
        for secret in former.difference(secrets) {
            if let Some(clusters) = sides.named_by.get_mut(&key(secret)) {
                clusters.remove(cluster);
                if clusters.is_empty() {
                    sides.named_by.remove(&key(secret));
                }
            }
        }
        for secret in secrets {
            sides.named_by.entry(key(secret)).or_default().insert(cluster.to_owned());
        }
        if secrets.is_empty() {
            sides.names.remove(&key(cluster));
        }
    }

    /// The clusters of a namespace that name this Secret.
    pub fn naming(&self, namespace: &str, secret: &str) -> BTreeSet<String> {
        self.sides().named_by.get(&(namespace.to_owned(), secret.to_owned())).cloned().unwrap_or_default()
    }

    fn sides(&self) -> MutexGuard<'_, Sides> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_secret_leads_to_the_clusters_of_its_namespace_that_name_it() {
        let references = References::default();
        references.set("one", "demo", &set(&["auth", "whatsapp"]));
        references.set("one", "other", &set(&["auth"]));
        references.set("two", "demo", &set(&["auth"]));
        assert_eq!(references.naming("one", "auth"), set(&["demo", "other"]));
        assert_eq!(references.naming("one", "whatsapp"), set(&["demo"]));
        assert_eq!(references.naming("three", "auth"), set(&[]));
    }

    #[test]
    fn a_secret_that_is_no_longer_named_leads_nowhere() {
        let references = References::default();
        references.set("one", "demo", &set(&["auth", "whatsapp"]));
        references.set("one", "demo", &set(&["auth"]));
        assert_eq!(references.naming("one", "whatsapp"), set(&[]));
    }

    #[test]
    fn nothing_is_kept_of_a_cluster_that_is_gone() {
        let references = References::default();
        references.set("one", "demo", &set(&["auth"]));
        references.set("one", "demo", &set(&[]));
        let sides = references.sides();
        assert!(sides.names.is_empty() && sides.named_by.is_empty());
    }
}
