//! Where a provider's API is: scheme, host and maybe a path, to which channels add theirs.

use http::Uri;

use crate::registry::Error;

/// A base URL that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    usual: &'static str,
}

impl BaseUrl {
    /// The configured one, or the provider's usual one.
    pub(crate) fn of(given: Option<&str>, usual: &'static str) -> Result<Self, Error> {
        let text = given.unwrap_or(usual);
        let base = Self { text: text.trim_end_matches('/').to_owned(), usual };
        let wrong = |why: &str| Err(base.unusable(why.to_owned()));
        let uri: Uri = text.parse().map_err(|error: http::uri::InvalidUri| base.unusable(error.to_string()))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return wrong("it does not begin with https:// or http://");
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return wrong("it holds a user name or password");
        }
        if uri.query().is_some() {
            return wrong("it holds a query");
        }
        Ok(base)
    }

    /// The URL with this path, which begins with a slash.
    pub(crate) fn join(&self, path: &str) -> Result<Uri, Error> {
        let url = format!("{}{path}", self.text);
        url.parse().map_err(|error: http::uri::InvalidUri| self.unusable(error.to_string()))
    }

    fn unusable(&self, why: String) -> Error {
        Error::BaseUrl { value: self.text.clone(), why, example: self.usual }
    }
}
