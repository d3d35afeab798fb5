//! An upgrade of the chart brings the new fields of the resource: with the chart from before the
//! field, which is made here, the API server forgets it; with this one it keeps it, and it works.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::kube::CustomResourceExt as _;
use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::kube::{because, ready, rolled_out};
use chat4all_e2e::operator::{NAME, NAMESPACE};
use chat4all_e2e::wait::{self, Look};
use chat4all_operator::api::Chat4AllCluster;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::install::first_message;
use crate::routers;

/// What the former chart does not know, in `spec.router`.
const FIELD: &str = "autoscaling";

/// The API server takes up a changed schema within a second or two.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(30);
const SEEN_WITHIN: Duration = Duration::from_secs(60);

pub async fn case(context: Arc<Context>) -> Outcome {
    let former = context.settings.cache.join("e2e-former-chart");
    let done = routers::kept(&context, upgraded(&context, &former)).await;
    // Whatever went wrong, the installation is the present one afterwards.
    let restored = helm_upgrade(&chart()).await;
    let removed = if former.exists() { fs::remove_dir_all(&former).map_err(Into::into) } else { Ok(()) };
    done.and(restored).and(removed)
}

async fn upgraded(context: &Context, former: &Path) -> Outcome {
    make_former(former)?;
    helm_upgrade(former).await?;
    until_field(context, "is forgotten", Value::is_null).await?;
    context.say(format!("with the former chart, spec.router.{FIELD} is forgotten"));

    helm_upgrade(&chart()).await?;
    until_field(context, "is kept", |field| field["minReplicas"] == json!(2)).await?;
    context.say(format!("after the upgrade, spec.router.{FIELD} is kept"));
    let sample = &context.sample;
    // An upgrade brings new pods of the operator, and this one changes no image. A watch that began before the
    // API server took up the schema shows resources as the former one knew them, until they change again.
    sample.operator.workload.deployment.restart().await?;
    sample.operator.workload.deployment.until(rolled_out(), SEEN_WITHIN).await?;
    sample.resource.until(because("RouterScaling", routers::AT_WORK), SEEN_WITHIN).await?;
    sample.resource.until(ready(), SEEN_WITHIN).await?;
    first_message(context, "after an upgrade").await.map(drop)
}

/// Applies the resource with the field until it is as it should be.
async fn until_field(context: &Context, how: &str, is_right: fn(&Value) -> bool) -> Outcome {
    let resource = &context.sample.resource;
    wait::until(format!("spec.router.{FIELD} {how}"), TAKEN_UP_WITHIN, async || {
        let wanted = json!({"enabled": true, "minReplicas": 2});
        match resource.edit(|object| object["spec"]["router"][FIELD] = wanted.clone()).await {
            Err(error) => Look::NotYet(error.to_string()),
            Ok(stored) if is_right(&stored["spec"]["router"][FIELD]) => Look::Yes(()),
            Ok(stored) => Look::NotYet(format!("spec.router is {}", stored["spec"]["router"])),
        }
    })
    .await?;
    Ok(())
}

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/chat4all-operator")
}

async fn helm_upgrade(chart: &Path) -> Outcome {
    let chart = chart.display().to_string();
    let output = Command::new("helm").args(["upgrade", NAME, &chart, "-n", NAMESPACE]).output().await;
    let output = output.map_err(|error| format!("helm could not be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("helm upgrade with {chart}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Writes this chart with a resource that does not know the field.
fn make_former(folder: &Path) -> Outcome {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    copy(&chart(), folder)?;
    let mut crd = serde_json::to_value(Chat4AllCluster::crd())?;
    let taken = forget(&mut crd);
    if taken == 0 {
        return Err(format!("the resource has no field {FIELD}").into());
    }
    crd["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
    // JSON is YAML; whatever looks like a template in a description stays text.
    let template = crd.to_string().replace("{{", "{{ \"{{\" }}");
    Ok(fs::write(folder.join("templates/crd.yaml"), template)?)
}

/// Takes the field out of the schema, and the defaults and rules that speak of it. Returns how often it
/// was there.
fn forget(schema: &mut Value) -> usize {
    match schema {
        Value::Object(map) => {
            let mut taken = 0;
            for fields in ["properties", "default"] {
                let fields = map.get_mut(fields).and_then(Value::as_object_mut);
                taken += usize::from(fields.and_then(|fields| fields.remove(FIELD)).is_some());
            }
            if let Some(rules) = map.get_mut("x-kubernetes-validations").and_then(Value::as_array_mut) {
                rules.retain(|rule| !rule["rule"].as_str().unwrap_or_default().contains(FIELD));
            }
            taken + map.values_mut().map(forget).sum::<usize>()
        }
        Value::Array(items) => items.iter_mut().map(forget).sum(),
        _ => 0,
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
