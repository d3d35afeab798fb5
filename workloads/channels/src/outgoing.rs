//! A request on its way to a provider. Its `Debug` shows no more than the host: on some channels the
//! credential stands in the path.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri};
use serde::Serialize;

/// A request, complete. The headers that hold credentials are marked sensitive.
pub struct Outgoing(Request<Bytes>);

impl Outgoing {
    /// A POST of this as JSON.
    pub(crate) fn post_json(url: Uri, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("texts, numbers and flags always serialize");
        Self::post(url, body.into()).with("content-type", HeaderValue::from_static("application/json"))
    }

    /// A POST of these bytes.
    pub(crate) fn post(url: Uri, body: Bytes) -> Self {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url;
        Self(request)
    }

    /// With this header.
    pub(crate) fn with(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    /// The request as HTTP clients take it. From here on its `Debug` shows everything.
    pub fn into_http(self) -> Request<Bytes> {
        self.0
    }
}

impl Deref for Outgoing {
    type Target = Request<Bytes>;
    fn deref(&self) -> &Request<Bytes> {
        &self.0
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.uri().host().unwrap_or_default();
        write!(f, "{} to {host}, {} bytes", self.0.method(), self.0.body().len())
    }
}
