//! The error of a call to the cluster: what was to be done, and what came of it.

use ::kube::error::Error as Source;

/// A call failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}: {}", said(source))]
pub struct Error {
    doing: String,
    #[source]
    source: Box<Source>,
}

impl Error {
    pub(super) fn new(doing: String, source: Source) -> Self {
        Self { doing, source: Box::new(source) }
    }

    /// What the API server said, if it was the one to refuse.
    pub fn refusal(&self) -> Option<&str> {
        match &*self.source {
            Source::Api(status) => Some(&status.message),
            _ => None,
        }
    }
}

/// The API server's words without the dump of the whole answer.
fn said(source: &Source) -> String {
    match source {
        Source::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
