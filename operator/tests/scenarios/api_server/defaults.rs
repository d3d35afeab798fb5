//! Values that the API server puts where nobody gave one. They belong to nobody.

use serde_json::Value;

/// Plural, path, value; only those that scenarios rest on.
const DEFAULTS: [(&str, &[&str], i32); 2] =
    [("deployments", &["spec", "replicas"], 1), ("chat4allclusters", &["spec", "router", "replicas"], 2)];

/// Fills in what an object of this kind leaves out.
pub fn fill_in(plural: &str, object: &mut Value) {
    for (_, path, value) in DEFAULTS.iter().filter(|(kind, ..)| *kind == plural) {
        fill(object, path, *value);
    }
}

fn fill(place: &mut Value, path: &[&str], value: i32) {
    match (path, place) {
        ([], place) if place.is_null() => *place = value.into(),
        ([name, rest @ ..], Value::Object(map)) => fill(map.entry(*name).or_insert(Value::Null), rest, value),
        ([name, rest @ ..], place) if place.is_null() => fill(&mut place[*name], rest, value),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_filled_in_and_what_is_given_is_kept() {
        for (given, expected) in [
            (json!({"spec": {}}), json!({"spec": {"replicas": 1}})),
            (json!({"spec": {"replicas": 0}}), json!({"spec": {"replicas": 0}})),
        ] {
            let mut object = given;
            fill_in("deployments", &mut object);
            assert_eq!(object, expected);
        }
        let mut other = json!({"spec": {}});
        fill_in("services", &mut other);
        assert_eq!(other, json!({"spec": {}}));
    }
}
