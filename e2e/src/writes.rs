//! Whether anybody wrote to the API server: by the versions of objects, which move with every write
//! that changes something, and by the API server's own count of requests, which a write moves that
//! changes nothing.

use std::collections::BTreeMap;

use crate::kube::{Event, Object};
use crate::metrics;

/// Versions of objects, by kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions(BTreeMap<String, String>);

impl Versions {
    /// The versions of these objects.
    pub fn of<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        Self(objects.into_iter().map(|object| (object.to_string(), object.version.clone())).collect())
    }

    /// Adds the versions of the events that this reporter told.
    pub fn and_events(mut self, events: &[Event], reporter: &str) -> Self {
        for event in events.iter().filter(|event| event.reporter == reporter) {
            let words = format!("Event {} ({}: {})", event.name, event.reason, event.message);
            self.0.insert(words, event.version.clone());
        }
        self
    }

    /// How many objects these are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was written since an earlier look, a line each.
    pub fn since(&self, earlier: &Self) -> Vec<String> {
        let now = self.0.iter().filter_map(|(object, version)| match earlier.0.get(object) {
            None => Some(format!("{object} is new")),
            Some(before) if before != version => {
                Some(format!("{object} was written: version {before} is now {version}"))
            }
            Some(_) => None,
        });
        let gone = earlier.0.keys().filter(|object| !self.0.contains_key(*object));
        now.chain(gone.map(|object| format!("{object} is gone"))).collect()
    }
}

/// How many requests the API server got so far that write as an operator does: any write of a group
/// (`chat4all.io`), and server-side apply of whatever. Reads its `/metrics`.
pub fn requests_that_write(metrics: &str, group: &str) -> f64 {
    let name = "apiserver_request_total";
    let of_group =
        ["POST", "PUT", "PATCH", "DELETE"].map(|verb| metrics::sum(metrics, name, &[("verb", verb), ("group", group)]));
    metrics::sum(metrics, name, &[("verb", "APPLY")]) + of_group.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, version: &str) -> Object {
        Object { kind: "Thing".into(), name: name.into(), uid: name.into(), version: version.into(), owners: vec![] }
    }

    #[test]
    fn an_object_that_was_written_made_or_deleted_is_named() {
        let before = Versions::of(&[object("same", "1"), object("written", "2"), object("gone", "3")]);
        let after = Versions::of(&[object("same", "1"), object("written", "4"), object("new", "5")]);
        assert_eq!(
            after.since(&before),
            ["Thing new is new", "Thing written was written: version 2 is now 4", "Thing gone is gone"]
        );
        assert!(after.since(&after).is_empty());
    }

    #[test]
    fn an_event_that_is_told_again_counts_as_written() {
        let event = |version: &str, reporter: &str| Event {
            at: None,
            reason: "ScaledRouters".into(),
            message: "1 -> 2".into(),
            reporter: reporter.into(),
            name: "e".into(),
            version: version.into(),
        };
        let with = |event: Event| Versions::default().and_events(&[event], "operator");
        assert_eq!(with(event("2", "operator")).since(&with(event("1", "operator"))).len(), 1);
        assert!(with(event("2", "kubelet")).is_empty());
    }

    #[test]
    fn reads_and_writes_of_others_are_not_counted() {
        let metrics = "\
            apiserver_request_total{code=\"200\",group=\"chat4all.io\",resource=\"chat4allclusters\",verb=\"WATCH\"} 7\n\
            apiserver_request_total{code=\"200\",group=\"chat4all.io\",resource=\"chat4allclusters\",verb=\"PATCH\"} 2\n\
            apiserver_request_total{code=\"200\",group=\"apps\",resource=\"deployments\",verb=\"APPLY\"} 3\n\
            apiserver_request_total{code=\"200\",group=\"\",resource=\"nodes\",verb=\"PATCH\"} 100\n";
        assert_eq!(requests_that_write(metrics, "chat4all.io"), 5.0);
    }
}
