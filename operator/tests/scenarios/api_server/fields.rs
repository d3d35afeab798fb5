//! Fields of an object as paths, as field managers own them. A field is a value without fields of its
//! own: a scalar, an empty map, or a list, since lists are atomic; but containers and their settings
//! are items found by name. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

/// Lists whose items are merged by their names.
const BY_NAME: [&str; 2] = ["containers", "env"];

/// What the API server itself puts into an object belongs to nobody.
const OF_NOBODY: [&[&str]; 10] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "creationTimestamp"],
    &["metadata", "deletionTimestamp"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "resourceVersion"],
    &["metadata", "uid"],
];

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Step {
    Field(Arc<str>),
    /// The item of a list that has this name.
    Item(Arc<str>),
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Path(Arc<[Step]>);

pub type Fields = BTreeSet<Path>;

/// What differs between two objects.
#[derive(Debug, Default)]
pub struct Difference {
    /// Fields that are new or have another value.
    pub set: Fields,
    pub removed: Fields,
}

/// As conflicts name it: `.spec.template.spec.containers[name="router"].image`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, ".{name}"),
            Step::Item(name) => write!(f, "[name={name:?}]"),
        })
    }
}

/// Whether the items of this list are found by their names.
pub fn is_by_name(key: &str, list: &[Value]) -> bool {
    BY_NAME.contains(&key) && list.iter().all(|item| item["name"].is_string())
}

/// The fields of an object.
pub fn of(object: &Value) -> Fields {
    values(object).into_keys().collect()
}

/// What changed from one object to another.
pub fn difference(before: &Value, after: &Value) -> Difference {
    let (before, after) = (values(before), values(after));
    let changed = |(path, value): &(&Path, &&Value)| before.get(*path) != Some(*value);
    Difference {
        set: after.iter().filter(changed).map(|(path, _)| path.clone()).collect(),
        removed: before.keys().filter(|path| !after.contains_key(*path)).cloned().collect(),
    }
}

/// Takes fields out of an object, and with them the maps and lists that this empties.
pub fn remove(object: &mut Value, fields: &Fields) {
    // Backwards: the fields of an item come before the item.
    for Path(steps) in fields.iter().rev() {
        match &**steps {
            // An item keeps its name as long as it is there.
            [.., Step::Item(_), Step::Field(name)] if **name == *"name" => {}
            steps => take_out(object, steps),
        }
    }
}

/// As `fieldsV1` of an entry of `metadata.managedFields`.
pub fn to_v1(fields: &Fields) -> Value {
    let mut root = json!({});
    for Path(steps) in fields {
        let mut place = &mut root;
        for step in steps.iter() {
            let key = match step {
                Step::Field(name) => format!("f:{name}"),
                Step::Item(name) => format!("k:{}", json!({"name": name.as_ref()})),
            };
            place = &mut place[key];
            if place.is_null() {
                *place = json!({});
            }
        }
        if let Some(Step::Item(_)) = steps.last() {
            place["."] = json!({});
        }
    }
    root
}

/// The fields with their values; an item itself has none.
fn values(object: &Value) -> BTreeMap<Path, &Value> {
    let mut found = BTreeMap::new();
    if let Value::Object(map) = object {
        walk(map, &mut Vec::new(), &mut found);
    }
    for names in OF_NOBODY {
        found.remove(&Path(names.iter().map(|name| Step::Field((*name).into())).collect()));
    }
    found
}

fn walk<'a>(map: &'a Map<String, Value>, place: &mut Vec<Step>, found: &mut BTreeMap<Path, &'a Value>) {
    for (key, value) in map {
        place.push(Step::Field(key.as_str().into()));
        match value {
            Value::Object(map) if !map.is_empty() => walk(map, place, found),
            Value::Array(list) if !list.is_empty() && is_by_name(key, list) => {
                for item in list {
                    place.push(Step::Item(item["name"].as_str().unwrap().into()));
                    found.insert(Path(place.as_slice().into()), &Value::Null);
                    walk(item.as_object().unwrap(), place, found);
                    place.pop();
                }
            }
            value => drop(found.insert(Path(place.as_slice().into()), value)),
        }
        place.pop();
    }
}

fn take_out(value: &mut Value, steps: &[Step]) {
    let Some((step, rest)) = steps.split_first() else { return };
    match (step, value) {
        (Step::Field(name), Value::Object(map)) => {
            let Some(child) = map.get_mut(&**name) else { return };
            take_out(child, rest);
            // What was empty and has got fields of others since then is no field any more.
            let has_fields = match &*child {
                Value::Array(list) => is_by_name(name, list),
                child => child.is_object(),
            };
            if rest.is_empty() && !has_fields || is_empty(child) {
                map.remove(&**name);
            }
        }
        (Step::Item(name), Value::Array(list)) => {
            let Some(index) = list.iter().position(|item| item["name"] == **name) else { return };
            take_out(&mut list[index], rest);
            let only_named = list[index].as_object().is_some_and(|item| item.len() == 1);
            if rest.is_empty() && only_named {
                list.remove(index);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(fields: &Fields) -> Vec<String> {
        fields.iter().map(ToString::to_string).collect()
    }

    fn pod(env: &Value) -> Value {
        json!({"spec": {"containers": [{"name": "router", "env": env, "args": ["run", "router"]}]}})
    }

    #[test]
    fn the_fields_of_an_object_are_its_leaves_without_what_the_api_server_puts_there() {
        let object = json!({
            "kind": "Deployment",
            "metadata": {"name": "demo", "uid": "u", "labels": {"a": "1"}},
            "spec": {"replicas": 3, "strategy": {}, "tolerations": [{"key": "a"}]},
        });
        assert_eq!(
            names(&of(&object)),
            [".metadata.labels.a", ".spec.replicas", ".spec.strategy", ".spec.tolerations"]
        );
    }

    #[test]
    fn the_settings_of_a_container_are_fields_of_their_own() {
        let container = ".spec.containers[name=\"router\"]";
        let expected = ["", ".args", ".env[name=\"A\"]", ".env[name=\"A\"].name", ".env[name=\"A\"].value", ".name"];
        assert_eq!(
            names(&of(&pod(&json!([{"name": "A", "value": "1"}])))),
            expected.map(|rest| format!("{container}{rest}"))
        );
    }

    #[test]
    fn a_difference_tells_what_was_set_from_what_was_removed() {
        let before = json!({"spec": {"a": 1, "b": 2, "c": 3}});
        let difference = difference(&before, &json!({"spec": {"a": 1, "b": 4, "d": 5}}));
        assert_eq!(names(&difference.set), [".spec.b", ".spec.d"]);
        assert_eq!(names(&difference.removed), [".spec.c"]);
    }

    #[test]
    fn what_is_emptied_goes_too() {
        let mut object = json!({"metadata": {"annotations": {"a": "1"}}, "spec": {"replicas": 3}});
        remove(&mut object, &of(&json!({"metadata": {"annotations": {"a": ""}}})));
        assert_eq!(object, json!({"spec": {"replicas": 3}}));
    }

    #[test]
    fn a_setting_goes_with_its_name_and_stays_while_it_has_a_field_of_another() {
        let ours = of(&pod(&json!([{"name": "A", "value": "1"}])));
        let others = of(&pod(&json!([])));
        let gone: Fields = ours.difference(&others).filter(|p| p.to_string().contains("env")).cloned().collect();
        let mut object = pod(&json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]));
        remove(&mut object, &gone);
        assert_eq!(object, pod(&json!([{"name": "B", "value": "2"}])));
        let mut object = pod(&json!([{"name": "A", "value": "1", "valueFrom": "theirs"}]));
        remove(&mut object, &gone);
        assert_eq!(object, pod(&json!([{"name": "A", "valueFrom": "theirs"}])));
    }

    #[test]
    fn fields_are_shown_as_managed_fields_show_them() {
        let fields = of(&json!({"spec": {"replicas": 3, "containers": [{"name": "router"}]}}));
        let item = json!({".": {}, "f:name": {}});
        let expected = json!({"f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"router\"}": item}}});
        assert_eq!(to_v1(&fields), expected);
    }
}
