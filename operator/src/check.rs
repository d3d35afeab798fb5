//! `chat4all-operator check`: whether an installation works, for `helm test`. It asks what a user's
//! first command would: is the resource served, and does an operator say that it is ready?

use std::time::Duration;

use kube::{Client, Config, CustomResourceExt};

use crate::api::Chat4AllCluster;

/// How often and for how long it asks; a fresh installation takes a moment.
const EVERY: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 30;

/// The installation does not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server does not serve the resource.
    #[error("the API server does not serve {0}; install the CRD (crds.install in the chart's values)")]
    NotServed(String),
    /// The API server could not be asked.
    #[error("could not ask the API server which resources it serves")]
    Discovery(#[source] kube::Error),
    /// The operator's address is none.
    #[error("{0} is no http address")]
    Address(String),
    /// No operator is ready.
    #[error("no operator at {url} is ready ({reason}); see the logs of its pods")]
    NotReady {
        /// Who was asked.
        url: String,
        /// What came back.
        reason: String,
    },
}

/// Checks the CRD and the operator behind `url`, a base such as `http://chat4all-operator:8080`.
///
/// # Errors
/// When something does not work after a minute.
pub async fn check(client: Client, url: &str) -> Result<(), Error> {
    let mut result = Ok(());
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(EVERY).await;
        }
        result = look(&client, url).await;
        match &result {
            Ok(()) => break,
            Err(error) => tracing::info!(%error, "not yet"),
        }
    }
    result
}

async fn look(client: &Client, url: &str) -> Result<(), Error> {
    let resource = Chat4AllCluster::api_resource();
    let served = client.list_api_group_resources(&resource.api_version).await;
    let served = match served {
        Ok(served) => served.resources.iter().any(|r| r.name == resource.plural),
        Err(kube::Error::Api(status)) if status.code == 404 => false,
        Err(error) => return Err(Error::Discovery(error)),
    };
    if !served {
        return Err(Error::NotServed(Chat4AllCluster::crd_name().to_owned()));
    }

    // Any HTTP server can be asked with the client for the API server; this one gets no credentials.
    let not_ready = |reason: String| Error::NotReady { url: url.to_owned(), reason };
    let address = url.parse().map_err(|_| Error::Address(url.to_owned()))?;
    let operator = Client::try_from(Config::new(address)).map_err(|e| not_ready(e.to_string()))?;
    let request = http::Request::get("/readyz").body(Vec::new()).map_err(|e| not_ready(e.to_string()))?;
    operator.request_text(request).await.map(drop).map_err(|e| not_ready(e.to_string()))
}
