//! What Kubernetes has to say about an object that does not do what is waited for.

use ::kube::api::{Api, ListParams};
use k8s_openapi::api::core::v1::Event;

use super::Namespace;

/// The newest ones are enough to see what goes on.
const SHOWN: usize = 8;

/// Its last events, oldest first, a line each.
pub(super) async fn about(namespace: &Namespace, kind: &str, name: &str) -> Vec<String> {
    let api: Api<Event> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let params = ListParams::default().fields(&format!("involvedObject.kind={kind},involvedObject.name={name}"));
    match api.list(&params).await {
        Ok(list) => lines(list.items),
        Err(error) => vec![format!("events: could not be read: {error}")],
    }
}

fn lines(mut events: Vec<Event>) -> Vec<String> {
    let when = |event: &Event| {
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        last.or(event.event_time.as_ref().map(|time| time.0)).or(event
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|t| t.0))
    };
    events.sort_by_key(when);
    let line = |event: &Event| {
        let at = when(event).map(|at| at.to_string()).unwrap_or_default();
        let reason = event.reason.as_deref().unwrap_or_default();
        format!("event: {at} {reason}: {}", event.message.as_deref().unwrap_or_default())
    };
    let skipped = events.len().saturating_sub(SHOWN);
    events.iter().skip(skipped).map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_events_are_shown_oldest_first() {
        let event = |second: u32| {
            serde_json::from_value::<Event>(json!({
                "metadata": {}, "involvedObject": {}, "reason": "Failed", "message": format!("number {second}"),
                "lastTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
            }))
            .unwrap()
        };
        let lines = lines((0..20).rev().map(event).collect());
        assert_eq!(lines.len(), SHOWN);
        assert_eq!(lines.last().unwrap(), "event: 2026-01-01T00:00:19Z Failed: number 19");
        assert!(lines[0].ends_with("number 12"));
    }
}
