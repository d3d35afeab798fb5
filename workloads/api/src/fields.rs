//! Reads the fields of a JSON object so that an error names the field and what was expected.
//! Fields that nobody asks for are passed over: old clients send some.

use serde_json::{Map, Value};

use crate::problem::{Kind, Problem};

/// The fields of a request's body.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn of(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(other) => {
                let found = name(&other);
                Err(Problem::new(Kind::InvalidRequest, format!("the body must be a JSON object, not {found}")))
            }
            Err(error) => Err(Problem::new(Kind::InvalidRequest, format!("the body is not JSON: {error}"))),
        }
    }

    /// A text that must be there.
    pub(crate) fn text(&mut self, field: &'static str) -> Result<String, Problem> {
        self.optional_text(field)?.ok_or_else(|| Problem::field(field, format!("{field} is missing")))
    }

    /// A text that may be missing or null.
    pub(crate) fn optional_text(&mut self, field: &'static str) -> Result<Option<String>, Problem> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Problem::field(field, format!("{field} must be a string, not {}", name(&other)))),
        }
    }

    /// An object that may be missing or null.
    pub(crate) fn optional_fields(&mut self, field: &'static str) -> Result<Option<Self>, Problem> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self(fields))),
            Some(other) => Err(Problem::field(field, format!("{field} must be an object, not {}", name(&other)))),
        }
    }

    /// A whole number that may be missing or null.
    pub(crate) fn optional_number(&mut self, field: &'static str) -> Result<Option<u64>, Problem> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let wrong = || Problem::field(field, format!("{field} must be a whole number, not {value}"));
                value.as_u64().ok_or_else(wrong).map(Some)
            }
        }
    }

    /// Yes or no; no where it is missing or null.
    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, Problem> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(Problem::field(field, format!("{field} must be true or false, not {}", name(&other)))),
        }
    }

    /// Refuses what nobody asked for, for requests in which a slip of the pen would do too much.
    pub(crate) fn nothing_else(self, field: &'static str, known: &str) -> Result<(), Problem> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(other) => Err(Problem::field(field, format!("there is no {other}; known are {known}"))),
        }
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"#, "the body is not JSON")]
    #[case("\"text\"", "must be a JSON object, not a string")]
    #[case(r#"[1]"#, "must be a JSON object, not an array")]
    #[case(r#"{}"#, "content is missing")]
    #[case(r#"{"content":null}"#, "content is missing")]
    #[case(r#"{"content":7}"#, "content must be a string, not a number")]
    fn a_wrong_body_names_the_field_and_what_was_expected(#[case] body: &str, #[case] detail: &str) {
        let problem = Fields::of(body.as_bytes()).and_then(|mut fields| fields.text("content")).unwrap_err();
        assert!(format!("{problem:?}").contains(detail), "{problem:?}");
    }

    #[test]
    fn unknown_fields_are_passed_over_and_optional_ones_may_be_null() {
        let mut fields = Fields::of(br#"{"content":"hi","mood":"good","file_id":null}"#).unwrap();
        assert_eq!(fields.text("content").unwrap(), "hi");
        assert_eq!(fields.optional_text("file_id").unwrap(), None);
    }

    #[test]
    fn a_body_nested_without_end_is_refused_and_does_not_overflow() {
        assert!(Fields::of("[".repeat(60_000).as_bytes()).is_err());
    }
}
