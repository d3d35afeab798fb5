//! The clock of the connector's pods, shifted by a library of ours that their process loads before all others
//! (`shifted.c`). It is put into the Deployment under a field manager of its own, whose fields the operator's
//! server-side apply leaves alone, and leaves it when that manager wants nothing any more. Takes no capability.

use std::path::Path;
use std::time::Duration;

use ::kube::ResourceExt as _;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::context::{Context, Outcome};
use crate::kube::{Grace, One, rolled_out};
use crate::wait::{self, Look};

/// Who the fields belong to.
const MANAGER: &str = "chat4all-proof-clock";
/// The ConfigMap with the library, and the volume that it is in the pods.
const LIBRARY: &str = "proof-shifted-clock";
const FOLDER: &str = "/opt/shifted-clock";
const FILE: &str = "shifted.so";
/// The connector's container, as the operator calls it.
const CONTAINER: &str = "connector";

const ROLLED_WITHIN: Duration = Duration::from_secs(180);
const GONE_WITHIN: Duration = Duration::from_secs(30);
/// A new pod answers at once.
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// An answer takes its time, and tells whole seconds.
const EXACT_TO: u64 = 10;

/// Brings the library to where pods can have it.
pub(super) async fn prepare(context: &Context) -> Outcome {
    let library = compiled(&context.settings.cache).await?;
    library_of(context).apply(&json!({"binaryData": {(FILE): ByteString(library)}}), MANAGER).await?;
    Ok(())
}

/// Rolls the connector to a clock that is so many seconds ahead, or behind below zero. Returns when every pod says so.
pub(super) async fn shift(context: &Context, seconds: i64) -> Outcome {
    let connectors = &context.sample.connectors;
    connectors.deployment.apply(&shifted(seconds), MANAGER).await?;
    connectors.deployment.until(rolled_out(), ROLLED_WITHIN).await?;
    let what = format!("every pod of {} has a clock that is {seconds} s off", connectors.deployment);
    let look = async || -> Outcome {
        for pod in connectors.running().await? {
            let name = pod.name_any();
            let clock = context.sample.namespace.one::<Pod>(&name).clock().await?;
            let clock = clock.ok_or_else(|| format!("{name} does not tell the time"))?;
            let now = Timestamp::now();
            if !is_off(clock, now, seconds) {
                return Err(format!("by the clock of {name} it is {clock}, and it is {now}").into());
            }
        }
        Ok(())
    };
    Ok(wait::until(what, TOLD_WITHIN, async || Look::from(look().await)).await?)
}

/// Rolls it back.
pub(super) async fn unshift(context: &Context) -> Outcome {
    let deployment = &context.sample.connectors.deployment;
    deployment.apply(&json!({}), MANAGER).await?;
    deployment.until(rolled_out(), ROLLED_WITHIN).await?;
    Ok(())
}

/// Takes everything away, also what an interrupted run left.
pub(super) async fn clear(context: &Context) -> Outcome {
    // Where it was never brought, or was taken away, no pod has it.
    let library = library_of(context);
    if library.find().await?.is_none() {
        return Ok(());
    }
    if context.sample.connectors.deployment.find().await?.is_some() {
        unshift(context).await?;
    }
    if let Some(uid) = library.delete(Grace::Own).await? {
        library.until_gone(&uid, GONE_WITHIN).await?;
    }
    Ok(())
}

fn library_of(context: &Context) -> One<ConfigMap> {
    context.sample.namespace.one(LIBRARY)
}

/// What is added to the Deployment. The lists are merged by their keys: container, variable and volume by name, a
/// mount by its path.
fn shifted(seconds: i64) -> Value {
    json!({"spec": {"template": {"spec": {
        "containers": [{
            "name": CONTAINER,
            "env": [
                {"name": "LD_PRELOAD", "value": format!("{FOLDER}/{FILE}")},
                {"name": "CLOCK_SHIFT_SECONDS", "value": seconds.to_string()},
            ],
            "volumeMounts": [{"name": LIBRARY, "mountPath": FOLDER, "readOnly": true}],
        }],
        "volumes": [{"name": LIBRARY, "configMap": {"name": LIBRARY}}],
    }}}})
}

fn is_off(clock: Timestamp, now: Timestamp, seconds: i64) -> bool {
    let off = clock.duration_since(now).as_secs();
    off.abs_diff(seconds) <= EXACT_TO
}

/// The library, made by this machine's compiler.
async fn compiled(cache: &Path) -> Outcome<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/proof/clock/shifted.c");
    let folder = cache.join("proof");
    let library = folder.join(FILE);
    std::fs::create_dir_all(&folder)?;
    let compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .await
        .map_err(|error| format!("cc, which compiles {}, could not be run: {error}", source.display()))?;
    if !compiler.status.success() {
        let said = String::from_utf8_lossy(&compiler.stderr);
        return Err(format!("cc does not compile {}: {}", source.display(), said.trim()).into());
    }
    Ok(std::fs::read(&library)?)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_is_off_by_about_so_much_and_in_that_direction() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1000);
        let clock = |seconds| now + SignedDuration::from_secs(seconds);
        assert!(is_off(clock(300), now, 300) && is_off(clock(-303), now, -300));
        assert!(!is_off(clock(0), now, 300) && !is_off(clock(-300), now, 300) && !is_off(clock(0), now, -300));
    }

    #[test]
    fn only_what_is_added_is_wanted_and_each_item_has_its_key() {
        let wanted = shifted(-300);
        let spec = &wanted["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        assert_eq!(container["name"], CONTAINER);
        assert_eq!(container["env"][1], json!({"name": "CLOCK_SHIFT_SECONDS", "value": "-300"}));
        assert_eq!(container["volumeMounts"][0]["name"], spec["volumes"][0]["name"]);
        assert_eq!(container.as_object().map(serde_json::Map::len), Some(3));
    }
}
