//! An API server in memory: enough of list, watch, create, server-side apply, merge patch, replace,
//! scale and delete for the real operator to run against. It keeps a log of requests, so that a test
//! can say what was written and what was not. It has no schema; it knows of generations, of owners and
//! of who manages which field, and takes lists for atomic, but for containers and their settings.

mod answer;
mod call;
mod defaults;
mod fields;
mod merge;
mod ownership;
mod scale;
mod selector;
mod state;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body as ResponseBody, Bytes};
use futures::StreamExt;
use futures::stream;
use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;

use answer::{answer, shown};
use call::Call;
use merge::merge;
use ownership::{Manager, Operation};
use state::{Key, Refusal, State};

/// The field manager of what a test changes, unless it names another.
const A_PERSON: &str = "kubectl";

/// Clones share their state.
#[derive(Clone)]
pub struct ApiServer(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    length_of_history: watch::Sender<usize>,
    away: watch::Sender<bool>,
}

impl ApiServer {
    pub fn new() -> Self {
        let (length_of_history, away) = (watch::Sender::new(0), watch::Sender::new(false));
        Self(Arc::new(Shared { state: Mutex::new(State::new()), length_of_history, away }))
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { server.serve(request).await }
        });
        Client::new(service, "default")
    }

    /// Creates an object, or changes it as a person with `kubectl apply` would.
    pub fn put(&self, object: Value) {
        let key = key_of(&object);
        let manager = updater(A_PERSON, &object);
        let mut state = self.state();
        match state.objects.get(&key).cloned() {
            None => drop(state.create(key, object, &manager)),
            Some(mut changed) => {
                merge(&mut changed, &object);
                state.update(&key, changed, &manager);
            }
        }
        self.tell(&state);
    }

    /// Changes an object as `kubectl edit` would.
    pub fn edit(&self, plural: &str, namespace: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        self.edit_as(A_PERSON, plural, namespace, name, edit);
    }

    /// Changes an object as another field manager.
    pub fn edit_as(&self, manager: &str, plural: &str, namespace: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let mut state = self.state();
        let mut object = state.objects.get(&key).cloned().unwrap_or_else(|| panic!("there is no {key:?}"));
        edit(&mut object);
        let manager = updater(manager, &object);
        state.update(&key, object, &manager);
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
        self.state().with_managers(&(plural.to_owned(), namespace.to_owned(), name.to_owned()))
    }

    /// Who owns a field of an object, which is given as `fieldsV1` has it: `/f:spec/f:replicas`. Each
    /// as `manager`, or `manager/subresource`; appliers first.
    pub fn owners(&self, plural: &str, namespace: &str, name: &str, field: &str) -> Vec<String> {
        let object = self.get(plural, namespace, name).unwrap_or_else(|| panic!("there is no {plural} {name}"));
        let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let owning = entries.iter().filter(|entry| entry["fieldsV1"].pointer(field).is_some());
        owning
            .map(|entry| match entry.get("subresource") {
                Some(subresource) => format!("{}/{}", text(&entry["manager"]), text(subresource)),
                None => text(&entry["manager"]),
            })
            .collect()
    }

    /// The names of the objects of a kind.
    pub fn names(&self, plural: &str) -> Vec<String> {
        self.state().objects.keys().filter(|(p, ..)| p == plural).map(|(.., name)| name.clone()).collect()
    }

    /// The objects of a kind.
    pub fn all(&self, plural: &str) -> Vec<Value> {
        self.state().objects.iter().filter(|((p, ..), _)| p == plural).map(|(_, object)| object.clone()).collect()
    }

    /// The requests that write, events left out, as `METHOD plural/name` or `METHOD plural/name/subresource`.
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

    /// While it is away it takes no connections, and watches have ended.
    pub fn is_away(&self, away: bool) {
        self.0.away.send_replace(away);
    }

    /// Does what the next such request asks for, as [`writes`](Self::writes) has it, but the answer is lost.
    pub fn loses_the_answer_to(&self, request: &str) {
        self.state().unanswered = Some(request.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    fn tell(&self, state: &State) {
        self.0.length_of_history.send_replace(state.history.len());
    }

    async fn serve(&self, request: Request<Body>) -> io::Result<Response<ResponseBody>> {
        let call = Call::read(request).await;
        if *self.0.away.borrow() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if call.is_watch() {
            return Ok(self.watch(call));
        }
        let mut state = self.state();
        state.requests.push(call.logged());
        let answer = answer(&mut state, &call);
        self.tell(&state);
        if state.unanswered.take_if(|request| *request == call.logged()).is_some() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        drop(state);
        Ok(match answer {
            Ok(object) => respond(StatusCode::OK, &object),
            Err(Refusal { status, reason, message }) => respond(
                status,
                &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status.as_u16(), "reason": reason, "message": message}),
            ),
        })
    }

    fn watch(&self, call: Call) -> Response<ResponseBody> {
        let since = call.since();
        let changes = self.0.length_of_history.subscribe();
        let mut away = self.0.away.subscribe();
        let goes_away = async move { _ = away.wait_for(|away| *away).await };
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
                            if change.version > since
                                && let Some((type_, object)) = change.event(&wanted)
                            {
                                let object = shown(&object, metadata_only);
                                let line = format!("{}\n", json!({"type": type_, "object": object}));
                                return Some((Ok::<_, Infallible>(Bytes::from(line)), (server, changes, seen)));
                            }
                        }
                    }
                }
            }
        });
        Response::new(ResponseBody::from_stream(stream.take_until(goes_away).boxed()))
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<ResponseBody> {
    Response::builder().status(status).body(ResponseBody::from(body.to_string())).unwrap()
}

/// Somebody who changes an object by other means than apply.
fn updater(name: &str, object: &Value) -> Manager {
    Manager {
        operation: Operation::Update,
        name: name.to_owned(),
        subresource: None,
        api_version: text(&object["apiVersion"]),
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
