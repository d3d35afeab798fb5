//! The API server in memory is held to what the real one does where scenarios rest on it: who owns the
//! number of pods, by whichever way it is set, and what a watch with a selector sees.

use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt, pin_mut};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::ApiServer;

const NAMESPACE: &str = "chat4all";
const REPLICAS: &str = "/f:spec/f:replicas";

/// A Deployment `routers` that the operator applied.
struct Routers {
    server: ApiServer,
    api: Api<Deployment>,
}

impl Routers {
    async fn applied_with(replicas: i32) -> Self {
        let server = ApiServer::new();
        let api = Api::namespaced(server.client(), NAMESPACE);
        let routers = Self { server, api };
        routers.operator_applies(Some(replicas)).await;
        routers
    }

    async fn operator_applies(&self, replicas: Option<i32>) {
        let mut body = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "routers"},
            "spec": {"selector": {"matchLabels": {"app": "chat4all", "part": "router"}}},
        });
        if let Some(replicas) = replicas {
            body["spec"]["replicas"] = replicas.into();
        }
        self.api.patch("routers", &PatchParams::apply("operator").force(), &Patch::Apply(body)).await.unwrap();
    }

    async fn scaler_applies(&self, replicas: i32) -> Result<Scale, kube::Error> {
        let params = PatchParams::apply("scaler");
        self.api.patch_scale("routers", &params, &Patch::Apply(scale(replicas))).await
    }

    async fn scaled_by_patch(&self, manager: &str, replicas: i32) -> Scale {
        let params = PatchParams { field_manager: Some(manager.into()), ..Default::default() };
        let body = json!({"spec": {"replicas": replicas}});
        self.api.patch_scale("routers", &params, &Patch::Merge(body)).await.unwrap()
    }

    fn get(&self) -> Value {
        self.server.get("deployments", NAMESPACE, "routers").unwrap()
    }

    fn replicas(&self) -> i64 {
        self.get()["spec"]["replicas"].as_i64().unwrap()
    }

    fn owners(&self) -> Vec<String> {
        self.server.owners("deployments", NAMESPACE, "routers", REPLICAS)
    }
}

fn scale(replicas: i32) -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {"name": "routers", "namespace": NAMESPACE}, "spec": {"replicas": replicas},
    })
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, kube::Error>) -> (u16, String, String) {
    match answer.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.reason, status.message),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn replicas_that_are_handed_over_do_not_change() {
    let routers = Routers::applied_with(3).await;
    routers.scaler_applies(3).await.unwrap();
    assert_eq!(routers.owners(), ["operator", "scaler/scale"]);
    routers.operator_applies(None).await;
    assert_eq!((routers.replicas(), routers.owners()), (3, vec!["scaler/scale".into()]));
    routers.scaler_applies(6).await.unwrap();
    routers.operator_applies(None).await;
    assert_eq!(routers.replicas(), 6);

    routers.operator_applies(Some(6)).await;
    assert_eq!(routers.owners(), ["operator", "scaler/scale"]);
    routers.operator_applies(Some(2)).await;
    assert_eq!((routers.replicas(), routers.owners()), (2, vec!["operator".into()]));
}

#[tokio::test(start_paused = true)]
async fn replicas_that_nobody_takes_fall_to_the_default() {
    let routers = Routers::applied_with(3).await;
    routers.operator_applies(None).await;
    assert_eq!((routers.replicas(), routers.owners()), (1, vec![]));
}

#[tokio::test(start_paused = true)]
async fn replicas_that_another_set_are_a_conflict_that_force_ends() {
    let routers = Routers::applied_with(3).await;
    routers.server.edit("deployments", NAMESPACE, "routers", |d| d["spec"]["replicas"] = 5.into());
    assert_eq!(routers.owners(), ["kubectl"]);
    let expected = "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas";
    assert_eq!(refusal(routers.scaler_applies(4).await), (409, "Conflict".into(), expected.into()));
    assert_eq!(routers.replicas(), 5);
    let forced = PatchParams::apply("scaler").force();
    routers.api.patch_scale("routers", &forced, &Patch::Apply(scale(4))).await.unwrap();
    assert_eq!((routers.replicas(), routers.owners()), (4, vec!["scaler/scale".into()]));
}

#[tokio::test(start_paused = true)]
async fn a_scale_by_patch_or_replacement_takes_the_replicas() {
    let routers = Routers::applied_with(3).await;
    let generation = |d: &Value| d["metadata"]["generation"].as_i64().unwrap();
    let before = generation(&routers.get());
    let scale = routers.scaled_by_patch("an-autoscaler", 4).await;
    assert_eq!(scale.spec.unwrap().replicas, Some(4));
    assert_eq!(routers.owners(), ["an-autoscaler/scale"]);
    assert_eq!(generation(&routers.get()), before + 1);
    let message = refusal(routers.scaler_applies(5).await).2;
    assert!(
        message.ends_with("\"an-autoscaler\" with subresource \"scale\" using apps/v1: .spec.replicas"),
        "{message}"
    );

    let mut scale = routers.api.get_scale("routers").await.unwrap();
    let stale = scale.clone();
    scale.spec.as_mut().unwrap().replicas = Some(7);
    let params = PostParams { field_manager: Some("another".into()), ..Default::default() };
    routers.api.replace_scale("routers", &params, &scale).await.unwrap();
    assert_eq!((routers.replicas(), routers.owners()), (7, vec!["another/scale".into()]));
    assert_eq!(refusal(routers.api.replace_scale("routers", &params, &stale).await).0, 409);
}

#[tokio::test(start_paused = true)]
async fn the_same_number_again_is_no_write_and_takes_nothing() {
    let routers = Routers::applied_with(3).await;
    let before = routers.get();
    routers.scaled_by_patch("an-autoscaler", 3).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    routers.operator_applies(Some(3)).await;
    assert_eq!(routers.get(), before);
}

#[tokio::test(start_paused = true)]
async fn managed_fields_tell_who_set_the_replicas_and_when() {
    let routers = Routers::applied_with(3).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    routers.server.edit_as("an-autoscaler", "deployments", NAMESPACE, "routers", |d| d["spec"]["replicas"] = 4.into());
    let seen = routers.api.get_metadata("routers").await.unwrap().metadata.managed_fields.unwrap();
    let entry = seen.iter().find(|entry| entry.manager.as_deref() == Some("an-autoscaler")).unwrap();
    assert_eq!(entry.operation.as_deref(), Some("Update"));
    assert_eq!(entry.time.as_ref().unwrap().0.to_string(), "2026-01-01T00:01:30Z");
    assert_eq!(entry.fields_v1.as_ref().unwrap().0, json!({"f:spec": {"f:replicas": {}}}));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_scaled_by_the_number_of_its_routers() {
    let server = ApiServer::new();
    server.put(json!({
        "apiVersion": "chat4all.io/v1alpha1", "kind": "Chat4AllCluster",
        "metadata": {"name": "demo", "namespace": NAMESPACE}, "spec": {"router": {"replicas": 3}},
        "status": {"router": {"replicas": 2, "selector": "part=router"}},
    }));
    // Only its path counts.
    let path =
        |suffix: &str| format!("/apis/chat4all.io/v1alpha1/namespaces/{NAMESPACE}/chat4allclusters/demo/scale{suffix}");
    let client = server.client();
    let get = http::Request::get(path("")).body(Vec::new()).unwrap();
    let scale: Scale = client.request(get).await.unwrap();
    assert_eq!(scale.spec.unwrap().replicas, Some(3));
    let status = scale.status.unwrap();
    assert_eq!((status.replicas, status.selector.as_deref()), (2, Some("part=router")));

    let patch = |suffix: &str, type_: &str, replicas: i32| {
        let body = serde_json::to_vec(&json!({"spec": {"replicas": replicas}})).unwrap();
        http::Request::patch(path(suffix)).header("content-type", type_).body(body).unwrap()
    };
    let merge = patch("?fieldManager=an-autoscaler", "application/merge-patch+json", 5);
    client.request::<Scale>(merge).await.unwrap();
    let cluster = server.get("chat4allclusters", NAMESPACE, "demo").unwrap();
    assert_eq!((&cluster["spec"]["router"]["replicas"], &cluster["metadata"]["generation"]), (&json!(5), &json!(2)));
    let owners = server.owners("chat4allclusters", NAMESPACE, "demo", "/f:spec/f:router/f:replicas");
    assert_eq!(owners, ["an-autoscaler/scale"]);
    let apply = patch("?fieldManager=other", "application/apply-patch+yaml", 6);
    let (code, _, message) = refusal(client.request::<Scale>(apply).await);
    assert_eq!(code, 409);
    assert!(message.ends_with("using chat4all.io/v1alpha1: .spec.replicas"), "{message}");
}

fn pod(name: &str, part: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": "chat4all", "part": part}},
        "status": {"podIP": "10.0.0.1"},
    })
}

async fn next<T: ResourceExt>(events: impl Stream<Item = kube::Result<WatchEvent<T>>>) -> (&'static str, String) {
    pin_mut!(events);
    match events.try_next().await.unwrap().unwrap() {
        WatchEvent::Added(object) => ("added", object.name_any()),
        WatchEvent::Modified(object) => ("modified", object.name_any()),
        WatchEvent::Deleted(object) => ("deleted", object.name_any()),
        _ => panic!("neither added nor modified nor deleted"),
    }
}

#[tokio::test(start_paused = true)]
async fn pods_are_listed_by_their_labels_whole_and_as_metadata() {
    let server = ApiServer::new();
    server.put(pod("router-0", "router"));
    server.put(pod("api-0", "api"));
    let api: Api<Pod> = Api::namespaced(server.client(), NAMESPACE);
    for selector in ["app=chat4all,part=router", "part in (router, connector),app", "part!=api"] {
        let params = ListParams::default().labels(selector);
        let whole = api.list(&params).await.unwrap().items;
        assert_eq!(whole.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["router-0"], "{selector}");
        assert_eq!(whole[0].status.as_ref().unwrap().pod_ip.as_deref(), Some("10.0.0.1"));
        let metadata = api.list_metadata(&params).await.unwrap().items;
        assert_eq!(metadata.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["router-0"], "{selector}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_with_a_selector_sees_pods_come_change_and_leave_it() {
    let server = ApiServer::new();
    let api: Api<Pod> = Api::all(server.client());
    let metadata: Api<PartialObjectMeta<Pod>> = Api::all(server.client());
    let params = WatchParams::default().labels("part=router");
    let mut whole = api.watch(&params, "0").await.unwrap().boxed();
    let mut partial = metadata.watch_metadata(&params, "0").await.unwrap().boxed();

    server.put(pod("api-0", "api"));
    server.put(pod("router-0", "router"));
    server.edit("pods", NAMESPACE, "router-0", |pod| pod["status"]["podIP"] = "10.0.0.2".into());
    server.edit("pods", NAMESPACE, "router-0", |pod| pod["metadata"]["labels"]["part"] = "spare".into());
    server.edit("pods", NAMESPACE, "router-0", |pod| pod["metadata"]["labels"]["part"] = "router".into());
    server.delete("pods", NAMESPACE, "router-0");
    for expected in ["added", "modified", "deleted", "added", "deleted"] {
        assert_eq!(next(&mut whole).await, (expected, "router-0".into()));
        assert_eq!(next(&mut partial).await, (expected, "router-0".into()));
    }
}
