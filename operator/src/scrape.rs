//! Asks a pod of ours for its metrics, over plain HTTP.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// How long a pod may take to answer. One that is this slow says nothing about the moment it was asked in.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of an answer that are read. A workload's metrics are a few KiB.
const LIMIT: usize = 1 << 20;

/// Where the workloads serve their metrics.
const PORT: u16 = 8080;

/// A client. A connection for each question: pods come and go, and another may have the address next time.
pub(crate) struct Scraper {
    client: Client<HttpConnector, Body>,
    port: u16,
}

impl Default for Scraper {
    fn default() -> Self {
        Self::at(PORT)
    }
}

impl Scraper {
    /// One that asks at this port.
    pub(crate) fn at(port: u16) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, port }
    }

    /// The metrics of the pod with this IP, as text; else why there are none.
    pub(crate) async fn text(&self, address: &str) -> Result<String, String> {
        let answer = tokio::time::timeout(PATIENCE, self.read(address)).await;
        answer.unwrap_or_else(|_| Err("no answer in time".into()))
    }

    async fn read(&self, address: &str) -> Result<String, String> {
        let ip: IpAddr = address.parse().map_err(|_| "not an IP address".to_owned())?;
        let url = format!("http://{}/metrics", SocketAddr::new(ip, self.port));
        let request = Request::get(url).body(Body::empty()).map_err(|e| e.to_string())?;
        let answer = self.client.request(request).await.map_err(|e| e.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("answered {}", answer.status()));
        }
        let body = to_bytes(Body::new(answer.into_body()), LIMIT).await.map_err(|e| e.to_string())?;
        String::from_utf8(body.into()).map_err(|e| e.to_string())
    }
}
