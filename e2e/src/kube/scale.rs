//! The scale subresource, through which people and autoscalers change a count.

use ::kube::api::{Patch, PatchParams};
use k8s_openapi::api::autoscaling::v1::Scale;
use serde_json::json;

use super::{Error, Kind, One};

impl<K: Kind> One<K> {
    /// Its count and selector, as an autoscaler reads them.
    pub async fn scale(&self) -> Result<Scale, Error> {
        self.namespace().api::<K>().get_scale(self.name()).await.map_err(self.failed("read the scale of"))
    }

    /// Sets its count as `kubectl scale` does, under this field manager.
    pub async fn scale_to(&self, replicas: u32, manager: &str) -> Result<Scale, Error> {
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        self.namespace().api::<K>().patch_scale(self.name(), &params, &patch).await.map_err(self.failed("scale"))
    }
}
