//! A webhook's body as it is read, entry by entry: what it told so far, and where. A bad entry costs
//! only itself.

use std::collections::HashSet;

use chat4all_message::WebhookRecord;
use serde_json::Value;

use crate::webhook::WebhookEvent;

/// What one body told so far.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) events: Vec<WebhookEvent>,
    /// The provider repeats itself, also within a batch.
    seen: HashSet<(String, String)>,
}

impl Reading {
    /// The body of a record; one that is not JSON is rejected.
    pub(crate) fn body(&mut self, record: &WebhookRecord) -> Option<Value> {
        match serde_json::from_slice(&record.body) {
            Ok(body) => Some(body),
            Err(error) => {
                self.reject(String::new(), format!("the body is not JSON: {error}"));
                None
            }
        }
    }

    /// The elements of a list with their places. One that is missing is empty; anything else that is no
    /// list is rejected.
    pub(crate) fn list<'v>(&mut self, parent: &'v Value, name: &str, place: &str) -> Vec<(String, &'v Value)> {
        let place = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
        match &parent[name] {
            Value::Array(elements) => {
                elements.iter().enumerate().map(|(i, element)| (format!("{place}[{i}]"), element)).collect()
            }
            Value::Null => Vec::new(),
            _ => {
                self.reject(place, "it is not a list".to_owned());
                Vec::new()
            }
        }
    }

    /// An error says that this body told it already.
    pub(crate) fn first_time(&mut self, id: &str, what: &str) -> Result<(), String> {
        match self.seen.insert((id.to_owned(), what.to_owned())) {
            true => Ok(()),
            false => Err("it repeats an earlier entry of this webhook".to_owned()),
        }
    }

    pub(crate) fn ignore(&mut self, place: String, why: String) {
        self.events.push(WebhookEvent::Ignored { place, why });
    }

    pub(crate) fn reject(&mut self, place: String, why: String) {
        self.events.push(WebhookEvent::Rejected { place, why });
    }
}

/// A text that is there and not empty.
pub(crate) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}
