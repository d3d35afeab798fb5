//! The subresource `scale`: a number of an object, seen as a Scale of autoscaling/v1. It is owned as
//! the field of the object that it is.

use serde_json::{Value, json};

/// Where a kind keeps its number.
pub struct Scaled {
    /// The fields that hold the wanted number, from the root.
    wanted: &'static [&'static str],
    present: &'static str,
    selector: Selector,
}

enum Selector {
    /// As text.
    Text(&'static str),
    /// As a map of labels.
    Labels(&'static str),
}

/// Where a kind keeps its number, if it can be scaled.
pub fn of(plural: &str) -> Option<Scaled> {
    match plural {
        "deployments" => Some(Scaled {
            wanted: &["spec", "replicas"],
            present: "/status/replicas",
            selector: Selector::Labels("/spec/selector/matchLabels"),
        }),
        "chat4allclusters" => Some(Scaled {
            wanted: &["spec", "router", "replicas"],
            present: "/status/router/replicas",
            selector: Selector::Text("/status/router/selector"),
        }),
        _ => None,
    }
}

impl Scaled {
    /// The Scale of an object.
    pub fn show(&self, object: &Value) -> Value {
        let kept = |name: &&str| object["metadata"].get(*name).map(|value| ((*name).to_owned(), value.clone()));
        let metadata: Value =
            ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"].iter().filter_map(kept).collect();
        json!({
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": metadata,
            "spec": {"replicas": object.pointer(&format!("/{}", self.wanted.join("/")))},
            "status": {
                "replicas": object.pointer(self.present).unwrap_or(&0.into()),
                "selector": self.selector_of(object),
            },
        })
    }

    /// What a Scale wants of the object: this one field.
    pub fn wanted(&self, scale: &Value) -> Value {
        let count = scale.pointer("/spec/replicas").cloned().unwrap_or(0.into());
        self.wanted.iter().rev().fold(count, |inner, name| json!({*name: inner}))
    }

    /// The field, as conflicts over the object name it.
    pub fn path(&self) -> String {
        self.wanted.iter().map(|name| format!(".{name}")).collect()
    }

    fn selector_of(&self, object: &Value) -> String {
        match self.selector {
            Selector::Text(pointer) => object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned(),
            Selector::Labels(pointer) => {
                let labels = object.pointer(pointer).and_then(Value::as_object);
                let pairs = labels.into_iter().flatten();
                let pairs: Vec<_> =
                    pairs.map(|(label, value)| format!("{label}={}", value.as_str().unwrap_or_default())).collect();
                pairs.join(",")
            }
        }
    }
}
