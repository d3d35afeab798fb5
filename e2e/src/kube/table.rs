//! What `kubectl get` would show of an object: the columns that its kind defines.

use serde::Deserialize;
use serde_json::Value;

use super::{Error, Kind, One};

/// The columns and the cells of one object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    column_definitions: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Column {
    name: String,
    /// 0 is always shown, more only with `-o wide`.
    priority: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Row {
    cells: Vec<Value>,
}

impl<K: Kind> One<K> {
    /// Asks for the table that `kubectl get` shows.
    pub async fn table(&self) -> Result<Table, Error> {
        let url = format!("{}/{}", self.namespace().api::<K>().resource_url(), self.name());
        let request =
            http::Request::get(url).header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").body(Vec::new());
        let request = request.map_err(::kube::Error::HttpError).map_err(self.failed("show"))?;
        self.namespace().client.request(request).await.map_err(self.failed("show"))
    }
}

impl Table {
    /// The columns that are always shown, with the cells of the first row.
    pub fn shown(&self) -> Vec<(String, String)> {
        let cells = self.rows.first().map(|row| row.cells.as_slice()).unwrap_or_default();
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let columns = self.column_definitions.iter().zip(cells);
        columns
            .filter(|(column, _)| column.priority == 0)
            .map(|(column, cell)| (column.name.clone(), text(cell)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_for_wide_output_are_left_out() {
        let table: Table = serde_json::from_value(json!({
            "columnDefinitions": [{"name": "Ready", "priority": 0}, {"name": "Router", "priority": 0}, {"name": "Reason", "priority": 1}],
            "rows": [{"cells": ["True", 2, "Ready"]}],
        }))
        .unwrap();
        let shown: Vec<_> = table.shown();
        assert_eq!(shown, [("Ready".into(), "True".into()), ("Router".into(), "2".into())]);
    }
}
