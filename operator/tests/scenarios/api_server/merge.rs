//! Merging of objects: as RFC 7396 says, and as server-side apply does. Pure.

use serde_json::{Map, Value};

use super::fields::is_by_name;

/// As RFC 7396 says.
pub fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let map = base.as_object_mut().unwrap();
    for (key, value) in patch {
        match value {
            Value::Null => drop(map.remove(key)),
            value => merge(map.entry(key).or_insert(Value::Null), value),
        }
    }
}

/// As server-side apply does: nothing goes, and items that are found by name are merged.
pub fn apply(base: &mut Value, wanted: &Value) {
    match (base, wanted) {
        (Value::Object(base), Value::Object(wanted)) => {
            for (key, value) in wanted {
                match (base.get_mut(key), value) {
                    (Some(Value::Array(live)), Value::Array(wanted)) if is_by_name(key, wanted) => {
                        by_name(live, wanted);
                    }
                    (Some(live), value) => apply(live, value),
                    (None, value) => drop(base.insert(key.clone(), value.clone())),
                }
            }
        }
        (base, wanted) => *base = wanted.clone(),
    }
}

fn by_name(live: &mut Vec<Value>, wanted: &[Value]) {
    for item in wanted {
        match live.iter_mut().find(|l| l["name"] == item["name"]) {
            Some(live) => apply(live, item),
            None => live.push(item.clone()),
        }
    }
}
