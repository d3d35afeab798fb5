//! A request to the API server, taken apart.

use std::collections::HashMap;

use http::{Method, Request};
use kube::client::Body;
use serde_json::Value;

use super::ownership::{Manager, Operation};
use super::selector::Selector;
use super::state::Key;

pub struct Call {
    pub method: Method,
    pub group_version: String,
    pub plural: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
    pub metadata_only: bool,
    pub body: Value,
    query: HashMap<String, String>,
    content_type: String,
    user_agent: String,
}

impl Call {
    pub async fn read(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let header = |name| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let mut path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
        let group_version = match path.remove(0) {
            "api" => path.remove(0).to_owned(),
            _ => format!("{}/{}", path.remove(0), path.remove(0)),
        };
        let namespace = (path.len() > 1 && path[0] == "namespaces").then(|| path.drain(..2).nth(1).unwrap().to_owned());
        let mut path = path.into_iter().map(str::to_owned);
        let query = parts.uri.query().unwrap_or_default();
        Self {
            method: parts.method.clone(),
            group_version,
            plural: path.next().unwrap_or_default(),
            namespace,
            name: path.next(),
            subresource: path.next(),
            metadata_only: header("accept").contains("PartialObjectMetadata"),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            query: query.split('&').filter_map(|pair| pair.split_once('=')).map(decoded).collect(),
            content_type: header("content-type"),
            user_agent: header("user-agent"),
        }
    }

    pub fn key(&self) -> Key {
        (self.plural.clone(), self.namespace.clone().unwrap_or_default(), self.name.clone().unwrap_or_default())
    }

    pub fn is_watch(&self) -> bool {
        self.query.get("watch").is_some_and(|w| w == "true")
    }

    pub fn is_apply(&self) -> bool {
        self.method == Method::PATCH && self.content_type.contains("apply-patch")
    }

    pub fn is_forced(&self) -> bool {
        self.query.get("force").is_some_and(|force| force == "true")
    }

    /// The version after which a watch begins.
    pub fn since(&self) -> u64 {
        self.query.get("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0)
    }

    /// Who writes; by its user agent, if it does not say.
    pub fn manager(&self) -> Manager {
        let agent = || self.user_agent.split('/').next().unwrap_or_default().to_owned();
        Manager {
            operation: if self.is_apply() { Operation::Apply } else { Operation::Update },
            name: self.query.get("fieldManager").cloned().unwrap_or_else(agent),
            subresource: self.subresource.clone(),
            api_version: self.group_version.clone(),
        }
    }

    /// As it stands in the log of requests.
    pub fn logged(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let subresource = self.subresource.iter().map(|s| format!("/{s}")).collect::<String>();
        format!("{} {}/{name}{subresource}", self.method, self.plural)
    }

    /// Whether an object is among those that a list or watch asks for.
    pub fn matches(&self) -> impl Fn(&Key, &Value) -> bool + use<> {
        let (plural, namespace) = (self.plural.clone(), self.namespace.clone());
        let selector = Selector::parse(self.query.get("labelSelector").map(String::as_str).unwrap_or_default());
        move |key, object| key.0 == plural && namespace.as_ref().is_none_or(|n| *n == key.1) && selector.matches(object)
    }
}

fn decoded((key, value): (&str, &str)) -> (String, String) {
    let mut bytes = value.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: Vec<u8> = bytes.by_ref().take(2).collect();
                u8::from_str_radix(&String::from_utf8(hex).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    (key.to_owned(), String::from_utf8(plain).unwrap())
}
