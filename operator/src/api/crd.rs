//! The CustomResourceDefinition as files: `crds/chat4allclusters.yaml` for those who apply it by
//! hand, and the chart's template. Both are generated from the types and checked in by a test.

use kube::CustomResourceExt;
use serde_json::Value;

use super::Chat4AllCluster;

const NOTICE: &str = "# Generated from operator/src/api by `chat4all-operator crd`; do not edit.\n";

/// Put under the annotations of the CRD in the chart: an uninstall must not delete every cluster.
const KEEP: &str = "  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
";

/// The CustomResourceDefinition as YAML.
pub fn manifest() -> String {
    format!("{NOTICE}{}", yaml())
}

/// The CustomResourceDefinition as a template of the Helm chart, so that `helm upgrade` brings new
/// fields; Helm never upgrades what lies in a chart's `crds/` folder.
pub fn chart_template() -> String {
    let body = yaml()
        // Whatever looks like a template in a description stays text.
        .replace("{{", "{{ \"{{\" }}")
        .replacen("metadata:\n", &format!("metadata:\n{KEEP}"), 1);
    format!("{NOTICE}{{{{- if .Values.crds.install }}}}\n{body}{{{{- end }}}}\n")
}

fn yaml() -> String {
    let mut crd = serde_json::to_value(Chat4AllCluster::crd()).expect("a CRD is plain data");
    tidy(&mut crd);
    serde_yaml::to_string(&crd).expect("plain data can be written as YAML")
}

/// What the API server does not tell apart, as people read it more easily: an absent field instead of
/// null, and `100` instead of `100.0`.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < f64::from(i32::MAX)) {
                #[allow(clippy::cast_possible_truncation, reason = "it is whole and within i32")]
                let whole = whole as i64;
                *number = whole.into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn committed(path: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        fs::read_to_string(root.join(path)).unwrap()
    }

    #[test]
    fn the_committed_manifest_is_that_of_the_types() {
        assert!(
            committed("crds/chat4allclusters.yaml") == manifest(),
            "run `cargo run -p chat4all-operator -- crd > crds/chat4allclusters.yaml`"
        );
    }

    #[test]
    fn the_template_of_the_chart_is_that_of_the_types() {
        assert!(
            committed("helm/chat4all-operator/templates/crd.yaml") == chart_template(),
            "run `cargo run -p chat4all-operator -- crd --format chart > helm/chat4all-operator/templates/crd.yaml`"
        );
    }

    #[test]
    fn the_chart_keeps_the_crd_on_uninstall_and_can_leave_it_out() {
        let template = chart_template();
        assert!(template.contains("helm.sh/resource-policy: keep"));
        assert!(template.contains("{{- if .Values.crds.install }}"));
        assert!(template.trim_end().ends_with("{{- end }}"));
    }
}
