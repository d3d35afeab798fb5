//! Who owns which field of an object: the arithmetic of server-side apply, of its conflicts and of
//! updates. After structured-merge-diff, `merge/update.go`. Pure; knows no defaults and no kinds.

use std::fmt;

use serde_json::{Value, json};

use super::fields::{self, Difference, Fields};
use super::merge;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Operation {
    Apply,
    Update,
}

/// One name is another manager with another operation or subresource.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Manager {
    pub operation: Operation,
    pub name: String,
    pub subresource: Option<String>,
    pub api_version: String,
}

/// The field managers of an object.
#[derive(Clone, Debug, Default)]
pub struct Managers(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    manager: Manager,
    fields: Fields,
    /// When it last changed something, in RFC 3339.
    time: String,
}

/// Fields that others own with other values: who, and which.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conflicts(pub Vec<(Manager, String)>);

impl Managers {
    /// What an object becomes when a manager applies `wanted`: what it applied before, wants no more
    /// and no other owns is gone. With `force` the fields of others change hands.
    pub fn apply(
        &mut self,
        live: &Value,
        wanted: &Value,
        manager: &Manager,
        force: bool,
        now: &str,
    ) -> Result<Value, Conflicts> {
        let wants = fields::of(wanted);
        let mut merged = live.clone();
        merge::apply(&mut merged, wanted);
        let mut orphans = self.fields_of(manager);
        orphans.retain(|field| !wants.contains(field) && !self.others(manager).any(|e| e.fields.contains(field)));
        fields::remove(&mut merged, &orphans);

        let difference = fields::difference(live, &merged);
        let conflicts: Vec<_> = self
            .others(manager)
            .flat_map(|entry| entry.fields.intersection(&difference.set).map(|path| (&entry.manager, path)))
            .map(|(manager, path)| (manager.clone(), path.to_string()))
            .collect();
        if !force && !conflicts.is_empty() {
            return Err(Conflicts(conflicts));
        }
        self.others_lose(manager, &difference);
        self.set(manager, wants, (*live != merged).then_some(now), now);
        Ok(merged)
    }

    /// A manager changed an object by other means than apply: it owns what it changed, alone.
    pub fn update(&mut self, before: &Value, after: &Value, manager: &Manager, now: &str) {
        let difference = fields::difference(before, after);
        if difference.set.is_empty() && difference.removed.is_empty() {
            return;
        }
        self.others_lose(manager, &difference);
        let mut owned = self.fields_of(manager);
        owned.retain(|field| !difference.removed.contains(field));
        owned.extend(difference.set);
        self.set(manager, owned, Some(now), now);
    }

    /// As `metadata.managedFields` shows them.
    pub fn shown(&self) -> Value {
        self.0.iter().map(Entry::shown).collect()
    }

    /// Whether the same own the same; when they took it does not count.
    pub fn own_as(&self, other: &Self) -> bool {
        self.0.iter().map(|e| (&e.manager, &e.fields)).eq(other.0.iter().map(|e| (&e.manager, &e.fields)))
    }

    fn others<'a>(&'a self, manager: &'a Manager) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.manager != *manager)
    }

    fn fields_of(&self, manager: &Manager) -> Fields {
        self.0.iter().find(|entry| entry.manager == *manager).map(|entry| entry.fields.clone()).unwrap_or_default()
    }

    fn others_lose(&mut self, manager: &Manager, difference: &Difference) {
        for entry in self.0.iter_mut().filter(|entry| entry.manager != *manager) {
            entry.fields.retain(|field| !difference.set.contains(field) && !difference.removed.contains(field));
        }
    }

    /// Sets what a manager owns; `changed` is the time, if it changed the object.
    fn set(&mut self, manager: &Manager, fields: Fields, changed: Option<&str>, now: &str) {
        match self.0.iter_mut().find(|entry| entry.manager == *manager) {
            Some(entry) => {
                entry.fields = fields;
                if let Some(time) = changed {
                    time.clone_into(&mut entry.time);
                }
            }
            None => self.0.push(Entry { manager: manager.clone(), fields, time: now.to_owned() }),
        }
        self.0.retain(|entry| !entry.fields.is_empty());
        self.0.sort_by(|a, b| {
            let order = |e: &Entry| (e.manager.operation, e.time.clone(), e.manager.name.clone());
            order(a).cmp(&order(b))
        });
    }
}

impl Entry {
    fn shown(&self) -> Value {
        let Manager { operation, name, subresource, api_version } = &self.manager;
        let mut shown = json!({
            "manager": name,
            "operation": format!("{operation:?}"),
            "apiVersion": api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields::to_v1(&self.fields),
        });
        if let Some(subresource) = subresource {
            shown["subresource"] = subresource.clone().into();
        }
        shown
    }
}

/// As the API server names it: an applier without its version.
impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)?;
        if let Some(subresource) = &self.subresource {
            write!(f, " with subresource {subresource:?}")?;
        }
        match self.operation {
            Operation::Apply => Ok(()),
            Operation::Update => write!(f, " using {}", self.api_version),
        }
    }
}

/// As the API server words it; several fields of one manager are listed below it.
impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(manager, path)] = self.0.as_slice() {
            return write!(f, "Apply failed with 1 conflict: conflict with {manager}: {path}");
        }
        write!(f, "Apply failed with {} conflicts: ", self.0.len())?;
        let blocks: Vec<_> = self
            .0
            .chunk_by(|a, b| a.0 == b.0)
            .map(|block| {
                let paths = block.iter().map(|(_, path)| format!("\n- {path}")).collect::<String>();
                format!("conflicts with {}:{paths}", block[0].0)
            })
            .collect();
        f.write_str(&blocks.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(operation: Operation, name: &str) -> Manager {
        Manager { operation, name: name.into(), subresource: None, api_version: "apps/v1".into() }
    }

    fn applier(name: &str) -> Manager {
        manager(Operation::Apply, name)
    }

    fn updater(name: &str) -> Manager {
        manager(Operation::Update, name)
    }

    fn replicas(count: i32) -> Value {
        json!({"spec": {"replicas": count, "paused": false}})
    }

    fn without_replicas() -> Value {
        json!({"spec": {"paused": false}})
    }

    /// An object, its managers, and what they do.
    struct Object(Value, Managers);

    impl Object {
        fn applied_by(name: &str, wanted: &Value) -> Self {
            let mut object = Self(json!({}), Managers::default());
            object.apply(name, wanted).unwrap();
            object
        }

        fn apply(&mut self, name: &str, wanted: &Value) -> Result<(), Conflicts> {
            self.0 = self.1.apply(&self.0, wanted, &applier(name), false, "now")?;
            Ok(())
        }

        fn force(&mut self, name: &str, wanted: &Value) {
            self.0 = self.1.apply(&self.0, wanted, &applier(name), true, "now").unwrap();
        }

        fn update(&mut self, name: &str, after: Value) {
            self.1.update(&self.0, &after, &updater(name), "now");
            self.0 = after;
        }

        fn owners_of_the_replicas(&self) -> Vec<&str> {
            let owns = |e: &&Entry| e.fields.iter().any(|path| path.to_string() == ".spec.replicas");
            self.1.0.iter().filter(owns).map(|e| e.manager.name.as_str()).collect()
        }
    }

    #[test]
    fn a_field_that_is_applied_no_more_goes() {
        let mut object = Object::applied_by("a", &replicas(3));
        object.apply("a", &without_replicas()).unwrap();
        assert_eq!(object.0, without_replicas());
    }

    #[test]
    fn a_field_that_another_applied_with_the_same_value_stays_and_is_then_the_others() {
        let mut object = Object::applied_by("a", &replicas(3));
        object.apply("b", &replicas(3)).unwrap();
        assert_eq!(object.owners_of_the_replicas(), ["a", "b"]);
        object.apply("a", &without_replicas()).unwrap();
        assert_eq!(object.0, replicas(3));
        assert_eq!(object.owners_of_the_replicas(), ["b"]);
    }

    #[test]
    fn another_value_of_an_owned_field_is_a_conflict_that_changes_nothing() {
        let mut object = Object::applied_by("a", &replicas(3));
        let conflicts = object.apply("b", &replicas(4)).unwrap_err();
        assert_eq!(conflicts.to_string(), "Apply failed with 1 conflict: conflict with \"a\": .spec.replicas");
        assert_eq!((&object.0, object.owners_of_the_replicas()), (&replicas(3), vec!["a"]));
    }

    #[test]
    fn force_takes_a_field_over() {
        let mut object = Object::applied_by("a", &replicas(3));
        object.force("b", &replicas(4));
        assert_eq!((&object.0, object.owners_of_the_replicas()), (&replicas(4), vec!["b"]));
        object.apply("a", &without_replicas()).unwrap();
        assert_eq!(object.0, replicas(4));
    }

    #[test]
    fn an_update_owns_what_it_changes_and_no_more() {
        let mut object = Object::applied_by("a", &replicas(3));
        object.update("kubectl", replicas(3));
        assert_eq!(object.owners_of_the_replicas(), ["a"]);
        object.update("kubectl", replicas(5));
        assert_eq!(object.owners_of_the_replicas(), ["kubectl"]);
        let conflicts = object.apply("a", &replicas(3)).unwrap_err().to_string();
        assert_eq!(conflicts, "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas");
        object.apply("a", &without_replicas()).unwrap();
        assert_eq!(object.0, replicas(5));
    }

    #[test]
    fn an_update_that_removes_a_field_leaves_it_to_nobody() {
        let mut object = Object::applied_by("a", &replicas(3));
        object.update("kubectl", without_replicas());
        assert_eq!(object.owners_of_the_replicas(), [""; 0]);
    }

    #[test]
    fn one_name_is_two_managers_by_apply_and_by_update() {
        let mut object = Object::applied_by("a", &replicas(3));
        object.update("a", replicas(5));
        assert!(object.apply("a", &replicas(3)).is_err());
    }

    #[test]
    fn several_conflicts_are_listed_by_their_managers() {
        let mut object = Object::applied_by("a", &json!({"spec": {"replicas": 3, "paused": true}}));
        object.update("kubectl", json!({"spec": {"replicas": 3, "paused": true, "other": 1}}));
        let conflicts = object.apply("b", &json!({"spec": {"replicas": 4, "paused": false, "other": 2}})).unwrap_err();
        assert_eq!(
            conflicts.to_string(),
            "Apply failed with 3 conflicts: conflicts with \"a\":\n- .spec.paused\n- .spec.replicas\n\
             conflicts with \"kubectl\" using apps/v1:\n- .spec.other"
        );
    }

    #[test]
    fn an_apply_that_changes_nothing_keeps_the_time_of_the_last_that_did() {
        let mut managers = Managers::default();
        let object = managers.apply(&json!({}), &replicas(3), &applier("a"), false, "then").unwrap();
        let before = managers.clone();
        managers.apply(&object, &replicas(3), &applier("a"), false, "now").unwrap();
        assert!(managers.own_as(&before));
        assert_eq!(managers.shown()[0]["time"], "then");
    }
}
