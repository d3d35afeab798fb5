//! Label selectors as lists and watches give them: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`.

use serde_json::Value;

#[derive(Clone, Debug)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug)]
struct Requirement {
    label: String,
    /// The values that are meant; `None` for any.
    values: Option<Vec<String>>,
    /// Whether the label must have one of them, or must not.
    must: bool,
}

impl Selector {
    pub fn parse(text: &str) -> Self {
        let mut depth = 0;
        let outside = |c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        };
        Self(text.split(outside).map(str::trim).filter(|part| !part.is_empty()).map(Requirement::parse).collect())
    }

    /// Whether an object has such labels.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|requirement| requirement.matches(labels.get(&requirement.label).and_then(Value::as_str)))
    }
}

impl Requirement {
    fn parse(text: &str) -> Self {
        let of = |label: &str, values: Option<&str>, must| Self {
            label: label.trim().to_owned(),
            values: values.map(|v| v.trim_matches(['(', ')', ' ', '=']).split(',').map(|v| v.trim().into()).collect()),
            must,
        };
        for (operator, must) in [(" notin ", false), (" in ", true), ("!=", false), ("=", true)] {
            if let Some((label, values)) = text.split_once(operator) {
                return of(label, Some(values), must);
            }
        }
        match text.strip_prefix('!') {
            Some(label) => of(label, None, false),
            None => of(text, None, true),
        }
    }

    fn matches(&self, value: Option<&str>) -> bool {
        let is_one = match &self.values {
            None => value.is_some(),
            Some(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
        };
        is_one == self.must
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_selects_as_kubernetes_does() {
        let pod = json!({"metadata": {"labels": {"app": "chat4all", "part": "router"}}});
        for (selector, expected) in [
            ("", true),
            ("app=chat4all,part=router", true),
            ("app==chat4all", true),
            ("app=chat4all,part=api", false),
            ("part!=api", true),
            ("part!=router", false),
            ("absent!=x", true),
            ("part in (api,router),app=chat4all", true),
            ("part notin (api, router)", false),
            ("app", true),
            ("absent", false),
            ("!absent", true),
        ] {
            assert_eq!(Selector::parse(selector).matches(&pod), expected, "{selector}");
        }
        assert!(!Selector::parse("app=chat4all").matches(&json!({"metadata": {}})));
    }
}
