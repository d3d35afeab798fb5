//! The objects, their field managers, and the history of both that watches follow.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::StatusCode;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::defaults;
use super::ownership::{Manager, Managers};

/// Kinds whose objects count the changes of their wanted state.
const WITH_GENERATION: [&str; 4] = ["deployments", "jobs", "poddisruptionbudgets", "chat4allclusters"];

/// Plural, namespace, name.
pub type Key = (String, String, String);

/// Why a request is not answered with an object.
pub struct Refusal {
    pub status: StatusCode,
    pub reason: &'static str,
    pub message: String,
}

pub type Answer = Result<Value, Refusal>;

/// A change of an object: what it was, and what it is.
pub struct Change {
    pub version: u64,
    pub key: Key,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

pub struct State {
    pub version: u64,
    pub objects: BTreeMap<Key, Value>,
    pub history: Vec<Arc<Change>>,
    pub requests: Vec<String>,
    /// A kind to which writes are refused.
    pub refused: Option<(String, StatusCode)>,
    /// The request whose answer gets lost.
    pub unanswered: Option<String>,
    managers: HashMap<Key, Managers>,
    began: Instant,
}

impl State {
    pub fn new() -> Self {
        Self {
            version: 0,
            objects: BTreeMap::new(),
            history: Vec::new(),
            requests: Vec::new(),
            refused: None,
            unanswered: None,
            managers: HashMap::new(),
            began: Instant::now(),
        }
    }

    /// An object with who manages its fields.
    pub fn with_managers(&self, key: &Key) -> Option<Value> {
        let mut object = self.objects.get(key)?.clone();
        object["metadata"]["managedFields"] = self.managers_of(key).shown();
        Some(object)
    }

    /// Creates an object by other means than apply.
    pub fn create(&mut self, key: Key, mut object: Value, manager: &Manager) -> Answer {
        if self.objects.contains_key(&key) {
            return Err(Refusal::conflict("AlreadyExists", format!("{} already exists", key.2)));
        }
        complete(&key, &mut object);
        let mut managers = Managers::default();
        managers.update(&json!({}), &object, manager, &self.now());
        Ok(self.add(key, object, managers))
    }

    /// Changes an object by other means than apply.
    pub fn update(&mut self, key: &Key, mut object: Value, manager: &Manager) -> Value {
        complete(key, &mut object);
        let mut managers = self.managers_of(key);
        managers.update(&self.objects[key], &object, manager, &self.now());
        self.store(key.clone(), object, managers)
    }

    /// Server-side apply: creates the object, or changes it.
    pub fn apply(&mut self, key: &Key, wanted: &Value, manager: &Manager, force: bool) -> Answer {
        let mut managers = self.managers_of(key);
        let live = self.objects.get(key).cloned();
        let base = live.clone().unwrap_or_else(|| json!({}));
        let applied = managers.apply(&base, wanted, manager, force, &self.now());
        let mut object = applied.map_err(|conflicts| Refusal::conflict("Conflict", conflicts.to_string()))?;
        if let Some(both) = both_values(&object) {
            return Err(Refusal {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                reason: "Invalid",
                message: format!("{both}: may not have value and valueFrom"),
            });
        }
        complete(key, &mut object);
        if live.is_none() {
            object["metadata"]["namespace"] = key.1.clone().into();
            return Ok(self.add(key.clone(), object, managers));
        }
        Ok(self.store(key.clone(), object, managers))
    }

    /// Deletes an object and what it owns.
    pub fn remove(&mut self, key: &Key) {
        let Some(object) = self.objects.remove(key) else { return };
        self.managers.remove(key);
        self.version += 1;
        let uid = object["metadata"]["uid"].clone();
        self.note(Change { version: self.version, key: key.clone(), before: Some(object), after: None });
        let owned: Vec<_> = self
            .objects
            .iter()
            .filter(|(_, o)| {
                o["metadata"]["ownerReferences"].as_array().is_some_and(|r| r.iter().any(|r| r["uid"] == uid))
            })
            .map(|(key, _)| key.clone())
            .collect();
        owned.iter().for_each(|key| self.remove(key));
    }

    fn add(&mut self, key: Key, mut object: Value, managers: Managers) -> Value {
        let number = self.version + 1;
        let meta = &mut object["metadata"];
        if meta.get("uid").is_none() {
            meta["uid"] = format!("uid-{number}").into();
        }
        if meta.get("creationTimestamp").is_none() {
            meta["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        if WITH_GENERATION.contains(&key.0.as_str()) {
            meta["generation"] = 1.into();
        }
        self.record(key, object, managers)
    }

    /// Stores a changed object; one that is not changed is not stored.
    fn store(&mut self, key: Key, mut object: Value, managers: Managers) -> Value {
        let Some(live) = self.objects.get(&key) else { panic!("{key:?} is not there") };
        object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        if let Some(generation) = live["metadata"].get("generation") {
            let wanted = |object: &Value| {
                let mut wanted = object.clone();
                let map = wanted.as_object_mut().unwrap();
                map.remove("metadata");
                map.remove("status");
                wanted
            };
            let more = i64::from(wanted(live) != wanted(&object));
            object["metadata"]["generation"] = (generation.as_i64().unwrap() + more).into();
        }
        if *live == object && self.managers_of(&key).own_as(&managers) {
            return object;
        }
        self.record(key, object, managers)
    }

    fn record(&mut self, key: Key, mut object: Value, managers: Managers) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.managers.insert(key.clone(), managers);
        let before = self.objects.insert(key.clone(), object.clone());
        self.note(Change { version: self.version, key, before, after: Some(object.clone()) });
        object
    }

    fn note(&mut self, change: Change) {
        self.history.push(Arc::new(change));
    }

    fn managers_of(&self, key: &Key) -> Managers {
        self.managers.get(key).cloned().unwrap_or_default()
    }

    /// The time, by the clock of tokio from the day on which everything is created.
    fn now(&self) -> String {
        let seconds = SignedDuration::from_secs(self.began.elapsed().as_secs() as i64);
        let began: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        (began + seconds).to_string()
    }
}

impl Change {
    /// The event of a watch for what `wanted` selects: its type and its object. What begins or ceases
    /// to be selected is added or deleted for the watch.
    pub fn event(&self, wanted: impl Fn(&Key, &Value) -> bool) -> Option<(&'static str, Value)> {
        let selected = |object: &Option<Value>| object.as_ref().filter(|object| wanted(&self.key, object)).cloned();
        match (selected(&self.before), selected(&self.after)) {
            (None, None) => None,
            (None, Some(after)) => Some(("ADDED", after)),
            (Some(_), Some(after)) => Some(("MODIFIED", after)),
            (Some(mut before), None) => {
                before["metadata"]["resourceVersion"] = self.version.to_string().into();
                Some(("DELETED", before))
            }
        }
    }
}

impl Refusal {
    pub fn conflict(reason: &'static str, message: String) -> Self {
        Self { status: StatusCode::CONFLICT, reason, message }
    }
}

/// Fills in defaults; the field managers are kept beside the object.
fn complete(key: &Key, object: &mut Value) {
    defaults::fill_in(&key.0, object);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
}

/// A setting of a container that has a value and says where it comes from, which is refused.
fn both_values(object: &Value) -> Option<&str> {
    let env = object.pointer("/spec/template/spec/containers/0/env")?.as_array()?;
    env.iter().find(|e| e.get("value").is_some() && e.get("valueFrom").is_some()).and_then(|e| e["name"].as_str())
}
