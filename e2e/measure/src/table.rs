//! Rows as a text table. The headings are the keys of their JSON.

use serde::Serialize;
use serde_json::Value;

/// A table of these rows; empty for none. Numbers stand to the right.
pub fn table<R: Serialize>(rows: &[R]) -> String {
    let rows: Vec<Vec<(String, Value)>> = rows.iter().filter_map(cells).collect();
    let Some(first) = rows.first() else { return String::new() };
    let columns: Vec<(&str, usize)> = first
        .iter()
        .enumerate()
        .map(|(n, (heading, _))| {
            let widest = rows.iter().filter_map(|row| row.get(n)).map(|(_, value)| text(value).chars().count()).max();
            (heading.as_str(), widest.unwrap_or_default().max(heading.len()))
        })
        .collect();
    let mut lines = vec![line(columns.iter().map(|(heading, width)| format!("{heading:<width$}")))];
    lines.push(line(columns.iter().map(|(_, width)| "-".repeat(*width))));
    for row in &rows {
        lines.push(line(row.iter().zip(&columns).map(|((_, value), (_, width))| match value {
            Value::String(text) => format!("{text:<width$}"),
            other => format!("{:>width$}", text(other)),
        })));
    }
    lines.concat()
}

/// The cells in the order of the struct's fields.
fn cells<R: Serialize>(row: &R) -> Option<Vec<(String, Value)>> {
    // A JSON object of `serde_json` is sorted by its keys; its text is not.
    let json = serde_json::to_string(row).ok()?;
    let object: Ordered = serde_json::from_str(&json).ok()?;
    Some(object.0)
}

struct Ordered(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> serde::de::Visitor<'de> for Fields {
            type Value = Ordered;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Ordered(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("{}\n", cells.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Case {
        case: &'static str,
        lost: u32,
        a_pause: Option<f64>,
    }

    #[test]
    fn the_headings_are_the_names_of_the_fields_and_numbers_stand_to_the_right() {
        let rows = [
            Case { case: "routers killed", lost: 0, a_pause: Some(7.25) },
            Case { case: "install", lost: 12, a_pause: None },
        ];
        assert_eq!(
            table(&rows),
            "case            lost  a_pause\n\
             --------------  ----  -------\n\
             routers killed     0     7.25\n\
             install           12        -\n"
        );
        assert_eq!(table::<Case>(&[]), "");
    }
}
