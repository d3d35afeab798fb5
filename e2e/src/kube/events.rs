//! Events: what Kubernetes and the operator have to say about an object.

use ::kube::ResourceExt as _;
use ::kube::api::{Api, ListParams};
use jiff::Timestamp;
use k8s_openapi::api::core::v1;

use super::{Error, Kind, Namespace, One};

/// The newest ones are enough to see what goes on.
const SHOWN: usize = 8;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it happened last.
    pub at: Option<Timestamp>,
    /// Its reason, one word.
    pub reason: String,
    /// Its message.
    pub message: String,
    /// Who reports it.
    pub reporter: String,
    /// Its own name; the same when it is told again.
    pub name: String,
    /// Its version, another one when it is told again.
    pub version: String,
}

impl Namespace {
    /// All events of the namespace, oldest first.
    pub async fn events(&self) -> Result<Vec<Event>, Error> {
        self.events_with(ListParams::default()).await
    }

    async fn events_with(&self, params: ListParams) -> Result<Vec<Event>, Error> {
        let api: Api<v1::Event> = Api::namespaced(self.client.clone(), &self.name);
        let list = api.list(&params).await;
        let list = list.map_err(|error| Error::new(format!("list the events of {}", self.name), error))?;
        let mut events: Vec<Event> = list.items.into_iter().map(Event::from).collect();
        events.sort_by_key(|event| event.at);
        Ok(events)
    }
}

impl<K: Kind> One<K> {
    /// The events about it, oldest first.
    pub async fn events(&self) -> Result<Vec<Event>, Error> {
        let fields = format!("involvedObject.kind={},involvedObject.name={}", K::kind(&()), self.name());
        self.namespace().events_with(ListParams::default().fields(&fields)).await
    }

    /// Its newest events, oldest first, a line each.
    pub(super) async fn newest_events(&self) -> Vec<String> {
        match self.events().await {
            Ok(events) => lines(&events),
            Err(error) => vec![error.to_string()],
        }
    }
}

impl From<v1::Event> for Event {
    fn from(event: v1::Event) -> Self {
        let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        let first = event.event_time.as_ref().map(|time| time.0);
        let created = event.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let source = event.source.as_ref().and_then(|source| source.component.clone());
        Self {
            at: series.or(last).or(first).or(created),
            reporter: event.reporting_component.clone().filter(|name| !name.is_empty()).or(source).unwrap_or_default(),
            name: event.name_any(),
            version: event.resource_version().unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
        }
    }
}

fn lines(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| {
        let at = event.at.map(|at| at.to_string()).unwrap_or_default();
        format!("event: {at} {}: {}", event.reason, event.message)
    };
    events.iter().skip(events.len().saturating_sub(SHOWN)).map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(fields: &Value) -> Event {
        let mut whole = json!({"metadata": {"name": "e"}, "involvedObject": {}, "reason": "Failed"});
        whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value::<v1::Event>(whole).unwrap().into()
    }

    #[test]
    fn the_newest_events_are_shown_oldest_first() {
        let events: Vec<Event> = (0..20)
            .map(|n| {
                event(&json!({"message": format!("number {n}"), "lastTimestamp": format!("2026-01-01T00:00:{n:02}Z")}))
            })
            .collect();
        let lines = lines(&events);
        assert_eq!(lines.len(), SHOWN);
        assert_eq!(lines.last().unwrap(), "event: 2026-01-01T00:00:19Z Failed: number 19");
        assert!(lines[0].ends_with("number 12"));
    }

    #[test]
    fn an_event_that_was_told_again_happened_at_the_last_time() {
        let told_again = event(&json!({
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "series": {"count": 2, "lastObservedTime": "2026-01-01T00:05:00.000000Z"},
            "reportingComponent": "chat4all-operator",
        }));
        assert_eq!(told_again.at.unwrap().to_string(), "2026-01-01T00:05:00Z");
        assert_eq!(told_again.reporter, "chat4all-operator");
    }
}
