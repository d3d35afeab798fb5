//! `GET /v1/ledger`: what became of every message that was accepted in a range of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chat4all_ledger::{Error, Report};
use jiff::Timestamp;

use crate::Api;
use crate::caller::Operator;
use crate::problem::{Document, Kind, Problem};

/// Seconds until another check is done, roughly.
const BUSY_RETRY_AFTER: u64 = 10;
/// Seconds until a broker that was restarted answers again, roughly.
const KAFKA_RETRY_AFTER: u64 = 5;

/// Check that every accepted message is accounted for. For operators.
///
/// Each message that was written to Kafka in the range is in exactly one place: on the way, delivered,
/// failed, or in the dead-letter queue. Those that are nowhere are listed by id; there must be none.
/// Messages move on while they are counted, so two checks of the same range may differ in where they are.
#[utoipa::path(
    get, path = "/v1/ledger", tag = "operations", security(("bearer" = [])),
    params(
        ("from" = String, Query, description = "Since when, for example 2026-11-25T10:00:00Z"),
        ("to" = Option<String>, Query, description = "Until when, not included; now when left out"),
    ),
    responses(
        (status = 200, body = Report, description = "The counts, which add up, and the ids that do not"),
        (status = 400, body = Document, description = "A parameter is wrong; `field` names it", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not an operator", content_type = "application/problem+json"),
        (status = 422, body = Document, description = "Too many messages in the range", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "Kafka or the store is away, or a check is under way; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn check(
    State(api): State<Arc<Api>>,
    _operator: Operator,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Result<Json<Report>, Problem> {
    let Query(query) = query.map_err(|error| Problem::new(Kind::InvalidRequest, error.body_text()))?;
    let (from, to) = range(|name| query.get(name).cloned())?;
    api.ledger.of(from, to).await.map(Json).map_err(problem)
}

/// From when until when. `to` is now where it is left out.
pub(crate) fn range(text: impl Fn(&'static str) -> Option<String>) -> Result<(Timestamp, Timestamp), Problem> {
    let instant = |name: &'static str| {
        let wrong = |_| Problem::field(name, format!("{name} must be an instant, for example 2026-11-25T10:00:00Z"));
        text(name).map(|text| text.parse::<Timestamp>().map_err(wrong)).transpose()
    };
    let missing = || Problem::field("from", "from is missing; give an instant, for example 2026-11-25T10:00:00Z");
    let from = instant("from")?.ok_or_else(missing)?;
    let to = instant("to")?.unwrap_or_else(Timestamp::now);
    if from < to { Ok((from, to)) } else { Err(Problem::field("from", "from must be earlier than to")) }
}

fn problem(error: Error) -> Problem {
    match error {
        Error::TooMany => Problem::new(Kind::RangeTooLarge, error.to_string()),
        Error::Busy => Problem::unavailable(BUSY_RETRY_AFTER, error.to_string()),
        Error::Kafka(error) => kafka_problem(&error),
        Error::Store(error) => error.into(),
    }
}

/// Kafka did not show what was asked for.
pub(crate) fn kafka_problem(error: &chat4all_kafka::LookError) -> Problem {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, cause, "Kafka did not show what was asked for");
    Problem::unavailable(KAFKA_RETRY_AFTER, "Kafka is not reachable; send the request again")
}
