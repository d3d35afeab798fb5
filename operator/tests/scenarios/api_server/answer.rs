//! What the API server answers to a request.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::call::Call;
use super::merge::merge;
use super::scale::{self, Scaled};
use super::state::{Answer, Refusal, State};

/// Answers any request but a watch.
pub fn answer(state: &mut State, call: &Call) -> Answer {
    if let Some((plural, status)) = &state.refused
        && call.method != Method::GET
        && *plural == call.plural
    {
        return Err(Refusal { status: *status, reason: "Forbidden", message: format!("{plural} is forbidden") });
    }
    if call.is_apply() && call.manager().name.is_empty() {
        let message = "fieldManager is required for apply patch".to_owned();
        return Err(Refusal { status: StatusCode::BAD_REQUEST, reason: "BadRequest", message });
    }
    if call.subresource.as_deref() == Some("scale")
        && let Some(scaled) = scale::of(&call.plural)
    {
        return answer_scale(state, call, &scaled);
    }
    match (&call.method, &call.name) {
        (&Method::GET, None) => Ok(list(state, call)),
        (&Method::GET, Some(_)) => {
            let object = state.with_managers(&call.key()).ok_or_else(|| absent(call))?;
            Ok(shown(&object, call.metadata_only))
        }
        (&Method::POST, None) => {
            let mut object = call.body.clone();
            object["metadata"]["namespace"] = call.namespace.clone().into();
            let mut key = call.key();
            key.2 = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            state.create(key, object, &call.manager())
        }
        (&Method::PUT, Some(_)) => {
            let live = live(state, call)?;
            if call.body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"] {
                return Err(modified());
            }
            Ok(state.update(&call.key(), call.body.clone(), &call.manager()))
        }
        (&Method::PATCH, Some(_)) if call.is_apply() => {
            let wanted = match call.subresource.as_deref() {
                Some("status") => json!({"status": call.body["status"]}),
                _ => call.body.clone(),
            };
            state.apply(&call.key(), &wanted, &call.manager(), call.is_forced())
        }
        (&Method::PATCH, Some(_)) => {
            let mut patched = live(state, call)?;
            refuse_another(&patched, call.body["metadata"].get("uid"))?;
            match call.subresource.as_deref() {
                Some("status") => merge(&mut patched["status"], &call.body["status"]),
                _ => merge(&mut patched, &call.body),
            }
            Ok(state.update(&call.key(), patched, &call.manager()))
        }
        (&Method::DELETE, Some(_)) => {
            let live = live(state, call)?;
            refuse_another(&live, call.body["preconditions"].get("uid"))?;
            state.remove(&call.key());
            Ok(live)
        }
        (method, name) => panic!("the API server in memory does not know {method} {}/{name:?}", call.plural),
    }
}

/// An object, or its metadata alone.
pub fn shown(object: &Value, metadata_only: bool) -> Value {
    if metadata_only {
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
    } else {
        object.clone()
    }
}

fn answer_scale(state: &mut State, call: &Call, scaled: &Scaled) -> Answer {
    let live = live(state, call)?;
    let mut scale = scaled.show(&live);
    match &call.method {
        &Method::GET => return Ok(scale),
        &Method::PATCH if call.is_apply() => {
            let wanted = scaled.wanted(&call.body);
            let applied = state.apply(&call.key(), &wanted, &call.manager(), call.is_forced());
            let of_scale = |message: String| message.replace(&scaled.path(), ".spec.replicas");
            return applied
                .map(|object| scaled.show(&object))
                .map_err(|refusal| Refusal { message: of_scale(refusal.message), ..refusal });
        }
        &Method::PATCH => merge(&mut scale, &call.body),
        &Method::PUT => scale = call.body.clone(),
        method => panic!("the API server in memory does not know {method} {}/scale", call.plural),
    }
    refuse_another(&live, scale["metadata"].get("uid"))?;
    let version = scale["metadata"].get("resourceVersion");
    if version.is_some_and(|version| *version != live["metadata"]["resourceVersion"]) {
        return Err(modified());
    }
    let mut object = live;
    merge(&mut object, &scaled.wanted(&scale));
    Ok(scaled.show(&state.update(&call.key(), object, &call.manager())))
}

fn list(state: &State, call: &Call) -> Value {
    let wanted = call.matches();
    let items: Vec<_> = state
        .objects
        .iter()
        .filter(|(key, object)| wanted(key, object))
        .map(|(_, object)| shown(object, call.metadata_only))
        .collect();
    json!({
        "kind": "List",
        "apiVersion": call.group_version,
        "metadata": {"resourceVersion": state.version.to_string()},
        "items": items,
    })
}

fn live(state: &State, call: &Call) -> Answer {
    state.objects.get(&call.key()).cloned().ok_or_else(|| absent(call))
}

fn absent(call: &Call) -> Refusal {
    Refusal { status: StatusCode::NOT_FOUND, reason: "NotFound", message: format!("{:?} not found", call.name) }
}

fn modified() -> Refusal {
    Refusal::conflict("Conflict", "the object has been modified".into())
}

/// Refuses when another object than the live one is meant.
fn refuse_another(live: &Value, uid: Option<&Value>) -> Result<(), Refusal> {
    match uid {
        Some(uid) if *uid != live["metadata"]["uid"] => Err(Refusal::conflict("Conflict", "the uid differs".into())),
        _ => Ok(()),
    }
}
