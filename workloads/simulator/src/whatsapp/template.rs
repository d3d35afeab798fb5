//! Templates in requests: their form, and that a template of this name is there. One name is always
//! unknown, so that a test can ask for it. Source: provider-contracts and Meta's template reference.

use serde_json::Value;

use super::check::{only, required};
use super::error::GraphError;

/// The simulator has a template of every name but this one.
const UNKNOWN: &str = "no_such_template";

/// Checks a `template`; gives its name, for the log.
pub(super) fn check(template: &Value) -> Result<String, GraphError> {
    let fields = template.as_object().ok_or_else(|| GraphError::parameter("Param template must be a JSON object."))?;
    only(fields, &["name", "language", "components"], "template")?;
    let name = text(required(fields, "name")?, "template.name")?;
    let language = required(fields, "language")?;
    let code = text(&language["code"], "template.language.code")?;
    if language.get("policy").is_some_and(|policy| policy != "deterministic") {
        return Err(GraphError::value("template.language.policy must be deterministic."));
    }
    if name == UNKNOWN {
        return Err(
            GraphError::of_code(132001).with_details(format!("template name ({name}) does not exist in {code}"))
        );
    }
    match fields.get("components") {
        None => {}
        Some(Value::Array(components)) => components.iter().try_for_each(component)?,
        Some(_) => return Err(GraphError::parameter("Param template['components'] must be an array.")),
    }
    Ok(name)
}

fn component(component: &Value) -> Result<(), GraphError> {
    let fields = component.as_object().ok_or_else(|| GraphError::parameter("A component must be a JSON object."))?;
    let button = match lower(required(fields, "type")?).as_deref() {
        Some("header" | "body") => None,
        Some("button") => Some(text(required(fields, "sub_type")?, "sub_type")?.to_ascii_lowercase()),
        _ => return Err(GraphError::parameter("A component's type must be one of {HEADER, BODY, BUTTON}.")),
    };
    let known: &[&str] =
        if button.is_some() { &["type", "sub_type", "index", "parameters"] } else { &["type", "parameters"] };
    only(fields, known, "a component")?;
    if button.is_some() && index(required(fields, "index")?).is_none_or(|index| index > 9) {
        return Err(GraphError::value("A button's index must be 0 to 9."));
    }
    let parameters = required(fields, "parameters")?;
    let parameters = parameters.as_array().ok_or_else(|| GraphError::parameter("parameters must be an array."))?;
    parameters.iter().try_for_each(|parameter| self::parameter(parameter, button.as_deref()))
}

/// The API takes its words in capitals too, and some libraries write them so.
fn lower(value: &Value) -> Option<String> {
    value.as_str().map(str::to_ascii_lowercase)
}

/// Also as a text, as Meta's own examples have it.
fn index(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn parameter(parameter: &Value, button: Option<&str>) -> Result<(), GraphError> {
    let kind = text(&parameter["type"], "a parameter's type")?.to_ascii_lowercase();
    let allowed: &[&str] = match button {
        None => &["text", "currency", "date_time", "image", "video", "document"],
        Some("quick_reply") => &["payload"],
        Some("url") => &["text"],
        Some("copy_code") => &["coupon_code"],
        Some(other) => return Err(GraphError::value(format!("sub_type {other:?} is none of this simulator's."))),
    };
    if !allowed.contains(&kind.as_str()) || parameter[&kind].is_null() {
        return Err(GraphError::parameter(format!(
            "A parameter of type {kind:?} cannot stand here, or holds no {kind}."
        )));
    }
    match &parameter[&kind] {
        Value::String(words) if words.is_empty() || words.contains(['\n', '\t']) || words.contains("     ") => {
            Err(GraphError::parameter(
                "Param text cannot be empty or have new-line/tab characters or more than 4 consecutive spaces.",
            ))
        }
        _ => Ok(()),
    }
}

fn text(value: &Value, place: &str) -> Result<String, GraphError> {
    match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(GraphError::value(format!("{place} must be a text."))),
    }
}
