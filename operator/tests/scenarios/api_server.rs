//! An API server in memory: enough of list, watch, create, server-side apply, merge patch, replace
//! and delete for the real operator to run against. It keeps a log of requests, so that a test can
//! say what was written and what was not. It has no schema; it knows of generations, of owners and of
//! field managers, and takes lists for atomic, but for containers and their settings.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body as ResponseBody, Bytes};
use futures::StreamExt;
use futures::stream;
use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

/// Kinds whose objects count the changes of their wanted state.
const WITH_GENERATION: [&str; 4] = ["deployments", "jobs", "poddisruptionbudgets", "chat4allclusters"];

/// Clones share their state.
#[derive(Clone)]
pub struct ApiServer(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    length_of_history: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Value>,
    /// What each field manager applied last to an object.
    applied: HashMap<(Key, String), Value>,
    history: Vec<Change>,
    requests: Vec<String>,
    refused: Option<(String, StatusCode)>,
}

#[derive(Clone)]
struct Change {
    version: u64,
    key: Key,
    type_: &'static str,
    object: Value,
}

/// Plural, namespace, name.
type Key = (String, String, String);

/// A request, taken apart.
struct Call {
    method: Method,
    group_version: String,
    plural: String,
    namespace: Option<String>,
    name: Option<String>,
    subresource: Option<String>,
    query: HashMap<String, String>,
    content_type: String,
    metadata_only: bool,
    body: Value,
}

type Answer = Result<Value, (StatusCode, &'static str, String)>;

impl ApiServer {
    pub fn new() -> Self {
        let (length_of_history, _) = watch::channel(0);
        Self(Arc::new(Shared { state: Mutex::default(), length_of_history }))
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.serve(request).await) }
        });
        Client::new(service, "default")
    }

    /// Creates an object, or changes it as a person with `kubectl apply` would.
    pub fn put(&self, object: Value) {
        let key = key_of(&object);
        let mut state = self.state();
        match state.objects.get(&key).cloned() {
            None => drop(state.create(key, object)),
            Some(mut changed) => {
                merge(&mut changed, &object);
                state.store(key, changed);
            }
        }
        self.tell(&state);
    }

    /// Changes an object as `kubectl edit` would.
    pub fn edit(&self, plural: &str, namespace: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let mut state = self.state();
        let mut object = state.objects.get(&key).cloned().unwrap_or_else(|| panic!("there is no {key:?}"));
        edit(&mut object);
        state.store(key, object);
        self.tell(&state);
    }

    /// Deletes an object and what it owns.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) {
        let mut state = self.state();
        state.remove(&(plural.to_owned(), namespace.to_owned(), name.to_owned()));
        self.tell(&state);
    }

    /// An object, if it is there.
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.state().objects.get(&(plural.to_owned(), namespace.to_owned(), name.to_owned())).cloned()
    }

    /// The names of the objects of a kind.
    pub fn names(&self, plural: &str) -> Vec<String> {
        self.state().objects.keys().filter(|(p, ..)| p == plural).map(|(.., name)| name.clone()).collect()
    }

    /// The objects of a kind.
    pub fn all(&self, plural: &str) -> Vec<Value> {
        self.state().objects.iter().filter(|((p, ..), _)| p == plural).map(|(_, object)| object.clone()).collect()
    }

    /// The requests that write, events left out, as `METHOD plural/name`.
    pub fn writes(&self) -> Vec<String> {
        let state = self.state();
        state.requests.iter().filter(|r| !r.starts_with("GET") && !r.contains(" events/")).cloned().collect()
    }

    /// How many requests read this object.
    pub fn reads(&self, what: &str) -> usize {
        self.state().requests.iter().filter(|request| **request == format!("GET {what}")).count()
    }

    /// From now on refuses writes to a kind, until told `None`.
    pub fn refuse(&self, plural_and_status: Option<(&str, StatusCode)>) {
        self.state().refused = plural_and_status.map(|(plural, status)| (plural.to_owned(), status));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn tell(&self, state: &State) {
        self.0.length_of_history.send_replace(state.history.len());
    }

    async fn serve(&self, request: Request<Body>) -> Response<ResponseBody> {
        let call = Call::read(request).await;
        if call.query.get("watch").is_some_and(|w| w == "true") {
            return self.watch(call);
        }
        let mut state = self.state();
        state.requests.push(format!("{} {}/{}", call.method, call.plural, call.name.clone().unwrap_or_default()));
        let answer = state.answer(&call);
        self.tell(&state);
        drop(state);
        match answer {
            Ok(object) => respond(StatusCode::OK, &object),
            Err((status, reason, message)) => respond(
                status,
                &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status.as_u16(), "reason": reason, "message": message}),
            ),
        }
    }

    fn watch(&self, call: Call) -> Response<ResponseBody> {
        let from = call.query.get("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0u64);
        let changes = self.0.length_of_history.subscribe();
        let server = self.clone();
        let stream = stream::unfold((server, changes, 0usize), move |(server, mut changes, mut seen)| {
            let wanted = call.matches();
            let metadata_only = call.metadata_only;
            async move {
                loop {
                    let next = server.state().history.get(seen).cloned();
                    match next {
                        None => changes.changed().await.ok()?,
                        Some(change) => {
                            seen += 1;
                            if change.version > from && wanted(&change.key, &change.object) {
                                let object = shown(&change.object, metadata_only);
                                let line = format!("{}\n", json!({"type": change.type_, "object": object}));
                                return Some((Ok::<_, Infallible>(Bytes::from(line)), (server, changes, seen)));
                            }
                        }
                    }
                }
            }
        });
        Response::new(ResponseBody::from_stream(stream.boxed()))
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        if let Some((plural, status)) = &self.refused
            && call.method != Method::GET
            && *plural == call.plural
        {
            return Err((*status, "Forbidden", format!("{plural} is forbidden")));
        }
        let key = || -> Key {
            (call.plural.clone(), call.namespace.clone().unwrap_or_default(), call.name.clone().unwrap_or_default())
        };
        let absent = || (StatusCode::NOT_FOUND, "NotFound", format!("{:?} not found", call.name));
        match (&call.method, &call.name) {
            (&Method::GET, None) => Ok(self.list(call)),
            (&Method::GET, Some(_)) => {
                self.objects.get(&key()).map(|o| shown(o, call.metadata_only)).ok_or_else(absent)
            }
            (&Method::POST, None) => {
                let mut object = call.body.clone();
                object["metadata"]["namespace"] = call.namespace.clone().into();
                let key = (
                    call.plural.clone(),
                    call.namespace.clone().unwrap_or_default(),
                    text(&object["metadata"]["name"]),
                );
                self.create(key, object)
            }
            (&Method::PUT, Some(_)) => {
                let live = self.objects.get(&key()).cloned().ok_or_else(absent)?;
                if call.body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"] {
                    return Err((StatusCode::CONFLICT, "Conflict", "the object has been modified".into()));
                }
                Ok(self.store(key(), call.body.clone()))
            }
            (&Method::PATCH, Some(_)) if call.content_type.contains("apply-patch") => self.apply(key(), call),
            (&Method::PATCH, Some(_)) => {
                let live = self.objects.get(&key()).cloned().ok_or_else(absent)?;
                if let Some(uid) = call.body["metadata"].get("uid")
                    && *uid != live["metadata"]["uid"]
                {
                    return Err((StatusCode::CONFLICT, "Conflict", "the uid differs".into()));
                }
                let mut patched = live.clone();
                match call.subresource.as_deref() {
                    Some("status") => merge(&mut patched["status"], &call.body["status"]),
                    _ => merge(&mut patched, &call.body),
                }
                Ok(self.store(key(), patched))
            }
            (&Method::DELETE, Some(_)) => {
                let live = self.objects.get(&key()).cloned().ok_or_else(absent)?;
                let uid = call.body["preconditions"].get("uid");
                if uid.is_some_and(|uid| *uid != live["metadata"]["uid"]) {
                    return Err((StatusCode::CONFLICT, "Conflict", "the uid differs".into()));
                }
                self.remove(&key());
                Ok(live)
            }
            (method, name) => panic!("the API server in memory does not know {method} {}/{name:?}", call.plural),
        }
    }

    fn list(&self, call: &Call) -> Value {
        let wanted = call.matches();
        let items: Vec<_> = self
            .objects
            .iter()
            .filter(|(key, object)| wanted(key, object))
            .map(|(_, object)| shown(object, call.metadata_only))
            .collect();
        json!({
            "kind": "List",
            "apiVersion": call.group_version,
            "metadata": {"resourceVersion": self.version.to_string()},
            "items": items,
        })
    }

    fn create(&mut self, key: Key, mut object: Value) -> Answer {
        if self.objects.contains_key(&key) {
            return Err((StatusCode::CONFLICT, "AlreadyExists", format!("{} already exists", key.2)));
        }
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
        Ok(self.record(key, object, "ADDED"))
    }

    /// Server-side apply, by force: fields that the manager applied before and no longer does go,
    /// unless another one applied them too.
    fn apply(&mut self, key: Key, call: &Call) -> Answer {
        let manager = call.query.get("fieldManager").cloned().unwrap_or_default();
        let wanted = call.body.clone();
        let live = self.objects.get(&key).cloned();
        let former = self.applied.insert((key.clone(), manager.clone()), wanted.clone());
        let Some(mut object) = live else {
            let mut object = wanted;
            object["metadata"]["namespace"] = key.1.clone().into();
            return self.create(key, object);
        };
        if let Some(former) = former {
            let others: Vec<_> =
                self.applied.iter().filter(|((k, m), _)| *k == key && *m != manager).map(|(_, v)| v).collect();
            take_away(&mut object, &former, &wanted, &others);
        }
        apply_merge(&mut object, &wanted);
        if let Some(both) = both_values(&object) {
            return Err((
                StatusCode::UNPROCESSABLE_ENTITY,
                "Invalid",
                format!("{both}: may not have value and valueFrom"),
            ));
        }
        Ok(self.store(key, object))
    }

    /// Stores a changed object; one that is not changed is not stored.
    fn store(&mut self, key: Key, mut object: Value) -> Value {
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
        if *live == object {
            return object;
        }
        self.record(key, object, "MODIFIED")
    }

    fn remove(&mut self, key: &Key) {
        let Some(object) = self.objects.remove(key) else { return };
        self.applied.retain(|(k, _), _| k != key);
        self.version += 1;
        let uid = object["metadata"]["uid"].clone();
        self.history.push(Change { version: self.version, key: key.clone(), type_: "DELETED", object });
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

    fn record(&mut self, key: Key, mut object: Value, type_: &'static str) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(key.clone(), object.clone());
        self.history.push(Change { version: self.version, key, type_, object: object.clone() });
        object
    }
}

impl Call {
    async fn read(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let header = |name| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let mut path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
        let group_version = match path.remove(0) {
            "api" => path.remove(0).to_owned(),
            _ => format!("{}/{}", path.remove(0), path.remove(0)),
        };
        let namespace = (path.len() > 1 && path[0] == "namespaces").then(|| path.drain(..2).nth(1).unwrap().to_owned());
        let mut path = path.into_iter().map(str::to_owned);
        let query = parts.uri.query().unwrap_or_default();
        Self {
            method: parts.method.clone(),
            group_version,
            plural: path.next().unwrap_or_default(),
            namespace,
            name: path.next(),
            subresource: path.next(),
            query: query.split('&').filter_map(|pair| pair.split_once('=')).map(decoded).collect(),
            content_type: header("content-type"),
            metadata_only: header("accept").contains("PartialObjectMetadata"),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    /// Whether an object is among those that a list or watch asks for.
    fn matches(&self) -> impl Fn(&Key, &Value) -> bool + use<> {
        let (plural, namespace) = (self.plural.clone(), self.namespace.clone());
        let selector = self.query.get("labelSelector").cloned().unwrap_or_default();
        move |key, object| {
            let labels = &object["metadata"]["labels"];
            let mut pairs = selector.split(',').filter_map(|pair| pair.split_once('='));
            key.0 == plural
                && namespace.as_ref().is_none_or(|n| *n == key.1)
                && pairs.all(|(label, value)| labels.get(label).is_some_and(|v| v == value))
        }
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<ResponseBody> {
    Response::builder().status(status).body(ResponseBody::from(body.to_string())).unwrap()
}

fn shown(object: &Value, metadata_only: bool) -> Value {
    if metadata_only {
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
    } else {
        object.clone()
    }
}

fn key_of(object: &Value) -> Key {
    let plural = match object["kind"].as_str().unwrap() {
        "PodDisruptionBudget" => "poddisruptionbudgets".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    (plural, text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn decoded((key, value): (&str, &str)) -> (String, String) {
    let value = value.replace("%2F", "/").replace("%3D", "=").replace("%2C", ",").replace("%21", "!");
    (key.to_owned(), value)
}

/// A setting of a container that has a value and says where it comes from, which is refused.
fn both_values(object: &Value) -> Option<String> {
    let env = object.pointer("/spec/template/spec/containers/0/env")?.as_array()?;
    env.iter().find(|e| e.get("value").is_some() && e.get("valueFrom").is_some()).map(|e| text(&e["name"]))
}

/// Server-side apply merges the settings of a container by their names.
fn merge_by_name(live: &mut Vec<Value>, wanted: &[Value], merge: impl Fn(&mut Value, &Value)) {
    for item in wanted {
        match live.iter_mut().find(|l| l["name"] == item["name"]) {
            Some(live) => merge(live, item),
            None => live.push(item.clone()),
        }
    }
}

/// As RFC 7396 says, but for the lists that server-side apply merges.
fn apply_merge(base: &mut Value, wanted: &Value) {
    match (base, wanted) {
        (Value::Object(base), Value::Object(wanted)) => {
            for (key, value) in wanted {
                match base.get_mut(key) {
                    Some(live) => match (live, value) {
                        (Value::Array(live), Value::Array(wanted)) if key == "env" || key == "containers" => {
                            merge_by_name(live, wanted, apply_merge);
                        }
                        (live, value) => apply_merge(live, value),
                    },
                    None => drop(base.insert(key.clone(), value.clone())),
                }
            }
        }
        (base, wanted) => *base = wanted.clone(),
    }
}

/// As RFC 7396 says.
fn merge(base: &mut Value, patch: &Value) {
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

fn take_away(live: &mut Value, former: &Value, wanted: &Value, others: &[&Value]) {
    let (Some(live), Some(former)) = (live.as_object_mut(), former.as_object()) else { return };
    for (key, value) in former {
        let others: Vec<_> = others.iter().filter_map(|other| other.get(key)).collect();
        match wanted.get(key) {
            Some(wanted) => {
                if let Some(live) = live.get_mut(key) {
                    take_away(live, value, wanted, &others);
                }
            }
            None if others.is_empty() => drop(live.remove(key)),
            None => {}
        }
    }
}
