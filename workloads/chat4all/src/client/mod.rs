//! What the commands that talk to a running hub share: where its API is, who asks, and problem
//! documents told as text. Knows no endpoint but the one that gives a token.

pub mod dlq;
pub mod journal;
pub mod ledger;

use std::io::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where the API is, and who asks.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// The API's base URL.
    #[arg(long, env = "CHAT4ALL_URL", default_value = "http://127.0.0.1:8080")]
    pub chat4all_url: Url,
    /// An access token of POST /auth/token.
    #[arg(long, env = "CHAT4ALL_TOKEN", hide_env_values = true)]
    pub chat4all_token: Option<String>,
    /// Logs in as this user where there is no token.
    #[arg(long, env = "CHAT4ALL_USERNAME", requires = "chat4all_password")]
    pub chat4all_username: Option<String>,
    /// The user's password.
    #[arg(long, env = "CHAT4ALL_PASSWORD", hide_env_values = true)]
    pub chat4all_password: Option<String>,
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody to ask as.
    #[error("nobody is named to ask as: set CHAT4ALL_TOKEN, or CHAT4ALL_USERNAME and CHAT4ALL_PASSWORD")]
    Nobody,
    /// The HTTP client cannot be made.
    #[error("could not create the HTTP client")]
    Create(#[source] reqwest::Error),
    /// No answer.
    #[error("the API at {url} did not answer; check CHAT4ALL_URL")]
    Unreachable {
        /// The base URL.
        url: Url,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A problem document.
    #[error("{title}: {detail}")]
    Refused {
        /// The last part of its type, by which kinds are told apart.
        slug: String,
        /// The kind in words.
        title: String,
        /// What is wrong, and the remedy.
        detail: String,
    },
    /// Nobody reads what is told.
    #[error("could not print")]
    Print(#[source] std::io::Error),
    /// Neither the answer that was expected nor a problem document.
    #[error("the API at {url} answered {status} in a way that this version does not know; check CHAT4ALL_URL")]
    Unknown {
        /// The base URL.
        url: Url,
        /// The HTTP status.
        status: StatusCode,
    },
}

/// Answers are short, but a ledger check or a replay takes its time.
const TIMEOUT: Duration = Duration::from_secs(600);
/// A long replay at a low rate.
const FOR_LINES: Duration = Duration::from_secs(24 * 60 * 60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A caller of the API.
pub struct Client {
    http: reqwest::Client,
    url: Url,
    token: String,
}

impl Client {
    /// A client with a token: the given one, or one for the given user.
    pub async fn of(target: Target) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // The token goes to the given host and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("chat4all/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::Create)?;
        let mut client = Self { http, url: target.chat4all_url, token: String::new() };
        client.token = match (target.chat4all_token, target.chat4all_username, target.chat4all_password) {
            (Some(token), _, _) => token,
            (None, Some(username), Some(password)) => client.log_in(&username, &password).await?,
            (None, _, _) => return Err(Error::Nobody),
        };
        Ok(client)
    }

    async fn log_in(&self, username: &str, password: &str) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Token {
            access_token: String,
        }
        let request = self.http.post(self.at("/auth/token")).json(&json!({"username": username, "password": password}));
        self.answer::<Token>(request).await.map(|token| token.access_token)
    }

    /// Reads what is at this path, which begins with a slash.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, Error> {
        let mut url = self.at(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.answer(self.http.request(Method::GET, url).bearer_auth(&self.token)).await
    }

    /// Posts a body to this path, which begins with a slash.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.answer(self.http.request(Method::POST, self.at(path)).bearer_auth(&self.token).json(body)).await
    }

    /// Posts a body to this path and hands over the lines of the answer as they come, however long that takes.
    pub async fn lines<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        mut each: impl FnMut(T) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        let request = self.http.request(Method::POST, self.at(path)).bearer_auth(&self.token).json(body);
        let mut response = request.timeout(FOR_LINES).send().await.map_err(unreachable)?;
        let status = response.status();
        let unknown = || Error::Unknown { url: self.url.clone(), status };
        if !status.is_success() {
            let body = response.bytes().await.map_err(unreachable)?;
            return read::<Value>(status, &body).unwrap_or_else(|| Err(unknown())).map(drop);
        }
        let mut rest = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            rest.extend_from_slice(&part);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                each(serde_json::from_slice(&line).map_err(|_| unknown())?).map_err(Error::Print)?;
            }
        }
        Ok(())
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        read(status, &body).unwrap_or_else(|| Err(Error::Unknown { url: self.url.clone(), status }))
    }
}

/// An instant of the command line.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write an instant, for example 2026-11-25T10:00:00Z".to_owned())
}

/// Prints an answer for people or programs.
pub fn print(text: &str) -> std::io::Result<()> {
    std::io::stdout().write_all(text.as_bytes())
}

/// The answer, or the problem that it tells of; `None` when it is neither.
fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Option<Result<T, Error>> {
    #[derive(Deserialize)]
    struct Problem {
        r#type: String,
        title: String,
        detail: String,
    }
    if status.is_success() {
        let body = if body.is_empty() { serde_json::to_vec(&Value::Null).unwrap_or_default() } else { body.to_vec() };
        return serde_json::from_slice(&body).ok().map(Ok);
    }
    let problem: Problem = serde_json::from_slice(body).ok()?;
    let slug = problem.r#type.rsplit('/').next().unwrap_or_default().to_owned();
    Some(Err(Error::Refused { slug, title: problem.title, detail: problem.detail }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Client {
        Client { http: reqwest::Client::new(), url: url.parse().unwrap(), token: "t".into() }
    }

    #[test]
    fn a_base_url_may_hold_a_path() {
        assert_eq!(client("http://hub:8080").at("/v1/ledger").as_str(), "http://hub:8080/v1/ledger");
        assert_eq!(client("https://example.org/chat/").at("/v1/ledger").as_str(), "https://example.org/chat/v1/ledger");
    }

    #[test]
    fn a_problem_document_is_told_as_text() {
        let body = br#"{"type":"https://chat4all.io/problems/invalid-request","title":"The request is not valid",
            "status":400,"detail":"from is missing","field":"from"}"#;
        let error = read::<Value>(StatusCode::BAD_REQUEST, body).unwrap().unwrap_err();
        assert_eq!(error.to_string(), "The request is not valid: from is missing");
        let Error::Refused { slug, .. } = error else { panic!() };
        assert_eq!(slug, "invalid-request");
        assert!(read::<Value>(StatusCode::BAD_GATEWAY, b"<html>").is_none());
    }

    #[test]
    fn an_empty_answer_is_nothing() {
        assert!(read::<()>(StatusCode::NO_CONTENT, b"").unwrap().is_ok());
    }

    #[tokio::test]
    async fn without_a_token_or_a_user_the_remedy_is_named() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let target = Target {
            chat4all_url: "http://127.0.0.1:1".parse().unwrap(),
            chat4all_token: None,
            chat4all_username: None,
            chat4all_password: None,
        };
        let error = Client::of(target).await.err().unwrap().to_string();
        assert!(error.contains("CHAT4ALL_TOKEN") && error.contains("CHAT4ALL_PASSWORD"), "{error}");
    }
}
