//! Restarting the pods of a Deployment, as `kubectl rollout restart` does it.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;

use super::{Condition, Error, One};

const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

impl One<Deployment> {
    /// Has its pods made anew, as its strategy says. Returns the instant that their template tells from now on.
    pub async fn restart(&self) -> Result<String, Error> {
        let now = Timestamp::now().to_string();
        self.merge(&json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}})).await?;
        Ok(now)
    }
}

/// The pods' template tells this instant.
pub fn restarted_at(time: &str) -> Condition<Deployment> {
    let time = time.to_owned();
    Condition::new(format!("was restarted at {time}"), move |deployment: &Deployment| {
        let metadata = deployment.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
        let found = metadata.and_then(|metadata| metadata.annotations.as_ref()?.get(RESTARTED_AT));
        if found == Some(&time) { Ok(()) } else { Err(format!("the annotation of its pods says {found:?}")) }
    })
}
