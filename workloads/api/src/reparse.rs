//! `POST /v1/journal/{connector}/replay`: has a connector's webhooks parsed again. They are put at the end
//! of its journal once more, marked as repeated: so its connector parses them as it does new ones, in its
//! turn and with its credentials, and the offsets of its group stay as they are.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use chat4all_kafka::{ProduceError, Record};
use chat4all_ledger::Replayed;
use chat4all_message::dead_letter::REPLAYS;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::Operator;
use crate::fields::Fields;
use crate::ledger::{kafka_problem, range};
use crate::problem::{Document, Kind, Problem};
use crate::{Api, body};

const LARGEST_BODY: usize = 4 << 10;
/// Records at once on their way to Kafka. A webhook may hold 3 MiB and the producer's queue 32 MiB.
const AT_ONCE: usize = 8;

/// Which webhooks are parsed again.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field so that errors name the field")]
#[schema(as = JournalReplay)]
pub(crate) struct Replay {
    /// Those that came at this instant or later.
    #[schema(example = "2026-11-25T10:00:00Z")]
    from: String,
    /// Those that came before this instant; now when left out.
    to: Option<String>,
}

/// Have a connector's webhooks parsed again. For operators.
///
/// What they tell takes effect once: a status that is known and a message that is stored stay as they
/// are. After an error the same request may be sent again.
#[utoipa::path(
    post, path = "/v1/journal/{connector}/replay", tag = "operations", request_body = Replay, security(("bearer" = [])),
    params(("connector" = String, Path, description = "The connector's name")),
    responses(
        (status = 202, body = Replayed, description = "They are before the connector"),
        (status = 400, body = Document, description = "A field is wrong; `field` names it", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not an operator", content_type = "application/problem+json"),
        (status = 404, body = Document, description = "No such connector", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "Kafka is away; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn webhooks(
    State(api): State<Arc<Api>>,
    Operator(user): Operator,
    connector: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(axum::http::StatusCode, Json<Replayed>), Problem> {
    let connector = connector.map(|Path(name)| name).unwrap_or_default();
    if !api.connectors.iter().any(|known| known.name == connector) {
        return Err(Problem::new(Kind::ConnectorNotFound, format!("there is no connector {connector}")));
    }
    let bytes = body::read(&headers, body, LARGEST_BODY).await?;
    let mut fields = Fields::of(&bytes)?;
    let (from, to) = (fields.optional_text("from")?, fields.optional_text("to")?);
    let (from, to) = range(|name| if name == "from" { from.clone() } else { to.clone() })?;
    fields.nothing_else("from", "from and to")?;
    let webhooks = replay(&api, &connector, from, to).await?;
    tracing::info!(by = %user.address, connector, %from, %to, webhooks, "webhooks are parsed again");
    Ok((axum::http::StatusCode::ACCEPTED, Json(Replayed { webhooks })))
}

async fn replay(api: &Api, connector: &str, from: Timestamp, to: Timestamp) -> Result<u64, Problem> {
    let mut found = api.journals.between(connector, from, to).await.map_err(|error| kafka_problem(&error))?;
    let topic = api.topics.inbound(connector);
    let mut webhooks = 0;
    while let Some(records) = found.next().await {
        let records = records.map_err(|error| kafka_problem(&error))?;
        webhooks += records.len() as u64;
        let appended = stream::iter(records).map(|record| append(api, &topic, record));
        let appended = appended.buffered(AT_ONCE).try_for_each(|()| std::future::ready(Ok(())));
        appended.await.map_err(|error| {
            tracing::warn!(%error, "Kafka did not take a webhook that shall be parsed again");
            Problem::unavailable(5, "Kafka did not take all of them; send the request again")
        })?;
    }
    Ok(webhooks)
}

async fn append(api: &Api, topic: &str, record: Record) -> Result<(), ProduceError> {
    let key = record.key.as_deref().unwrap_or_default();
    api.journal.append_with(topic, key, &record.value, &[(REPLAYS, b"1")]).await.map(drop)
}
