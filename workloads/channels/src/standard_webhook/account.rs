//! The endpoints: where each one is and what its webhooks are signed with. Read once at start.

use std::collections::HashMap;
use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;
use serde::Deserialize;

use super::signature::Signer;
use crate::guard::Guard;
use crate::registry::{ChannelConfig, Error};
use crate::secret::Secret;

const EXAMPLE_ACCOUNT: &str = r#"{"endpoints":[{"name":"orders","url":"https://shop.example/hooks"}]}"#;

/// Everything that requests to the endpoints need. `Debug` shows no secret.
#[derive(Debug)]
pub(super) struct Account {
    endpoints: HashMap<String, Endpoint>,
    pub(super) guard: Guard,
}

/// One endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) url: Uri,
    pub(super) signer: Signer,
}

/// `spec.connectors[].account` of a webhook connector.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    #[serde(default)]
    endpoints: Vec<EndpointFields>,
    #[serde(default)]
    allowed_networks: Vec<IpNet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointFields {
    name: String,
    url: String,
}

impl Account {
    pub(super) fn open(config: &ChannelConfig) -> Result<Self, Error> {
        let fields: Fields = config.account_fields(EXAMPLE_ACCOUNT)?;
        if fields.endpoints.is_empty() {
            return Err(wrong("are missing".to_owned()));
        }
        let guard = Guard::with(fields.allowed_networks);
        let mut endpoints = HashMap::new();
        for EndpointFields { name, url } in fields.endpoints {
            if !chat4all_message::address::is_endpoint(&name) {
                return Err(wrong(format!("name {name:?} is not lower-case letters, digits and dashes")));
            }
            let url = target(&name, &url, &guard)?;
            let secret = Secret::read(&config.credentials_dir, name.clone())?;
            let signer = Signer::of(&secret).ok_or_else(|| Error::Unusable {
                path: config.credentials_dir.join(&name),
                file: name.clone().into(),
            })?;
            if endpoints.insert(name.clone(), Endpoint { url, signer }).is_some() {
                return Err(wrong(format!("name {name:?} twice")));
            }
        }
        Ok(Self { endpoints, guard })
    }

    pub(super) fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints.get(name)
    }
}

fn wrong(why: String) -> Error {
    Error::AccountField {
        field: "endpoints",
        why,
        example: r#"[{"name":"orders","url":"https://shop.example/hooks"}]"#,
    }
}

/// A host that is written as an address can be judged at start; a name is judged with every connection.
fn target(name: &str, text: &str, guard: &Guard) -> Result<Uri, Error> {
    let wrong = |why: &str| Err(wrong(format!("of name {name:?} has a url that {why}")));
    let Ok(url) = text.parse::<Uri>() else { return wrong("is none") };
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return wrong("does not begin with https:// or http://");
    }
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return wrong("holds a user name or password");
    }
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<IpAddr>().map(|ip| guard.check(ip)) {
        Ok(Err(forbidden)) => wrong(&format!("leads to where no webhook may go: {forbidden}")),
        _ => Ok(url),
    }
}
