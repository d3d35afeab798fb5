//! First step of a reconcile: fetch what the resource points at. Says what is there and judges
//! nothing; that is [`crate::validate`]'s part.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use crate::api::Chat4AllClusterSpec;
use crate::kube_error::plain;

/// The step failed; the API server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A Secret could not be read, for another reason than that it does not exist.
    #[error("could not read Secret {namespace}/{name}: {}", plain(source))]
    ReadSecret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
}

/// The content of a Secret.
pub type SecretData = BTreeMap<String, Vec<u8>>;

/// What the resource points at, as far as it exists.
#[derive(Clone, Default)]
pub struct Referenced {
    /// The Secrets by name; one that does not exist is not in it.
    pub secrets: BTreeMap<String, SecretData>,
}

/// The names of the Secrets that a resource points at.
pub fn secret_names(spec: &Chat4AllClusterSpec) -> BTreeSet<String> {
    let connectors = spec.connectors.iter().map(|c| &c.credentials_secret_ref);
    std::iter::once(&spec.api.auth_secret_ref).chain(connectors).map(|secret| secret.name.clone()).collect()
}

/// Reads the Secrets with these names.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub async fn dereference(client: &Client, namespace: &str, names: &BTreeSet<String>) -> Result<Referenced, Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut referenced = Referenced::default();
    for name in names {
        let secret = api.get_opt(name).await.map_err(|source| Error::ReadSecret {
            namespace: namespace.to_owned(),
            name: name.clone(),
            source,
        })?;
        if let Some(secret) = secret {
            let data = secret.data.into_iter().flatten().map(|(key, value)| (key, value.0)).collect();
            referenced.secrets.insert(name.clone(), data);
        }
    }
    Ok(referenced)
}
