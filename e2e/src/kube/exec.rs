//! What only pods can do: run a command, answer HTTP through the API server's proxy.

use ::kube::api::AttachParams;
use ::kube::client::Body;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use k8s_openapi::api::core::v1::Pod;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{Error, One};

/// What a command in a pod printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Whether it ended well.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error, and the reason when it could not be run.
    pub stderr: String,
}

impl One<Pod> {
    /// Runs a command in the pod's first container, until it ends.
    pub async fn exec(&self, command: &[&str]) -> Result<Output, Error> {
        let params = AttachParams::default().stdout(true).stderr(true);
        let api = self.namespace().api::<Pod>();
        let mut process =
            api.exec(self.name(), command.iter().copied(), &params).await.map_err(self.failed("run a command in"))?;
        let status = process.take_status();
        let (stdout, stderr) = tokio::join!(text(process.stdout()), text(process.stderr()));
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let reason = status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
        Ok(Output {
            success: status.is_some_and(|status| status.status.as_deref() == Some("Success")),
            stdout,
            stderr: format!("{stderr}{reason}"),
        })
    }

    /// What the pod answers to GET of this path on its port 8080, where every workload has its probes.
    pub async fn http(&self, path: &str) -> Result<String, Error> {
        let request = http::Request::get(self.url(path)).body(Vec::new());
        let request = request.map_err(::kube::Error::HttpError).map_err(self.failed("ask"))?;
        self.namespace().client.request_text(request).await.map_err(self.failed("ask"))
    }

    /// What time it is by the pod's own clock, to the second: the header Date of its answer. `None` where the answer
    /// has none.
    pub async fn clock(&self) -> Result<Option<Timestamp>, Error> {
        let request = http::Request::get(self.url("/livez")).body(Body::empty());
        let request = request.map_err(::kube::Error::HttpError).map_err(self.failed("ask"))?;
        let answer = self.namespace().client.send(request).await.map_err(self.failed("ask"))?;
        let date = answer.headers().get(http::header::DATE);
        Ok(date.and_then(|date| DateTimeParser::new().parse_timestamp(date.as_bytes()).ok()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{}:8080/proxy{path}", self.namespace().api::<Pod>().resource_url(), self.name())
    }
}

/// All that comes; what came before an error is worth more than the error.
async fn text(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
