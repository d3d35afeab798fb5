//! `GET|POST /webhooks/{connector}`: the way in for providers. A webhook is checked on its raw
//! bytes and put into the connector's journal; what it says is the connector's business.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path as UrlPath, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use chat4all_channels::{Handshake, WebhookGate, open_webhook_gate};
use chat4all_message::{Connector, WebhookRecord};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::problem::{Kind, Problem};
use crate::{Api, Error, body};

/// Source: provider-contracts, "Webhooks that come in": bodies up to 3 MB.
const LARGEST_BODY: usize = 3 << 20;

/// Headers kept with the body: those that tracing needs. Parsing needs none of WhatsApp's.
const KEPT_HEADERS: [&str; 1] = ["traceparent"];

/// Providers repeat a webhook for days, so soon is early enough.
const RETRY_AFTER: u64 = 5;

/// What guards each connector's webhook.
pub(crate) type Gates = HashMap<String, Arc<dyn WebhookGate>>;

/// Opens the gates with the secrets in `<folder>/<connector>/`.
pub(crate) fn gates(folder: &Path, connectors: &[Connector]) -> Result<Gates, Error> {
    let open = |connector: &Connector| {
        let gate = open_webhook_gate(connector.channel, &folder.join(&connector.name));
        let gate = gate.map_err(|source| Error::Webhook { connector: connector.name.clone(), source })?;
        Ok((connector.name.clone(), gate))
    };
    connectors.iter().map(open).collect()
}

fn gate(api: &Api, connector: Result<UrlPath<String>, PathRejection>) -> Result<(String, &dyn WebhookGate), Problem> {
    let gate = connector.ok().and_then(|UrlPath(name)| {
        let gate = api.gates.get(&name)?.as_ref();
        Some((name, gate))
    });
    gate.ok_or_else(|| Problem::new(Kind::ConnectorNotFound, "no connector of this name is configured"))
}

/// A provider asks whether this endpoint is ours.
pub(crate) async fn handshake(
    State(api): State<Arc<Api>>,
    connector: Result<UrlPath<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<String, Problem> {
    let (connector, gate) = gate(&api, connector)?;
    match gate.handshake(query.as_deref().unwrap_or_default()) {
        Handshake::Challenge(challenge) => Ok(challenge),
        Handshake::Refused(why) => {
            tracing::warn!(connector, why, "refused a webhook handshake");
            Err(Problem::new(Kind::HandshakeRefused, why))
        }
    }
}

/// A provider tells something. 200 means that Kafka has it.
pub(crate) async fn take(
    State(api): State<Arc<Api>>,
    connector: Result<UrlPath<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let (connector, gate) = gate(&api, connector)?;
    let (body, _turn) = body::read_large(&headers, body, LARGEST_BODY, &api.large_bodies).await?;
    if let Err(forged) = gate.check(&headers, &body) {
        api.metrics.webhook_forged(&connector);
        tracing::warn!(connector, %forged, "refused a webhook");
        return Err(Problem::new(Kind::ForgedWebhook, forged.to_string()));
    }
    // Statuses commute, so they need no order among each other: spread them over the partitions,
    // but let a repeated webhook meet its first copy.
    let key = hex::encode(Sha256::digest(&body));
    let record = WebhookRecord { received_at: Timestamp::now(), headers: kept(&headers), body };
    let value = serde_json::to_vec(&record).expect("a webhook record has only strings");
    match api.journal.append(&api.topics.inbound(&connector), key.as_bytes(), &value).await {
        Ok(at) => {
            tracing::debug!(connector, partition = at.partition, offset = at.offset, "took a webhook");
            Ok(StatusCode::OK)
        }
        Err(error) => {
            api.metrics.produce_failed("inbound");
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(connector, %error, cause, bytes = value.len(), "could not take a webhook");
            Err(Problem::unavailable(RETRY_AFTER, "Kafka is not reachable; send the webhook again"))
        }
    }
}

fn kept(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |name: &str| Some((name.to_owned(), headers.get(name)?.to_str().ok()?.to_owned()));
    KEPT_HEADERS.into_iter().filter_map(text).collect()
}
