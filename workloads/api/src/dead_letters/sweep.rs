//! `POST /v1/dead-letters/replay`: replays all open letters that fit a filter, in their original order, so
//! many a second. The work lasts as long as the request: what it did comes as lines, and closing the
//! connection ends it. What was not replayed is still open, so the same request again does the rest.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use chat4all_dead_letters::{Edit, original_order};
use chat4all_message::LetterId;
use chat4all_store::LetterFilter;
use futures::stream;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use utoipa::ToSchema;
use uuid::Uuid;

use super::replay::send_back;
use super::{filter, find};
use crate::caller::Operator;
use crate::fields::Fields;
use crate::problem::{Document, Kind, Problem};
use crate::{Api, body};

const LARGEST_BODY: usize = 4 << 10;
/// Letters each second: gentle to a provider beside the traffic of every day.
const DEFAULT_RATE: u64 = 20;
const LARGEST_RATE: u64 = 1000;
/// They are put in order in memory, at some 80 bytes each.
const MOST: usize = 100_000;
const PAGE: usize = 500;
/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

/// Which letters to replay, and how fast.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field so that errors name the field")]
pub(crate) struct Sweep {
    /// At least one of its fields; only open letters are replayed.
    filter: Filter,
    /// Letters each second, 1 to 1,000; 20 when left out.
    rate_per_second: Option<u64>,
    /// Only count.
    dry_run: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a part of the body, as above")]
#[schema(as = DeadLetterFilter)]
struct Filter {
    #[schema(example = "131026")]
    reason: Option<String>,
    connector: Option<String>,
    recipient_id: Option<String>,
    /// Given up at this instant or later.
    from: Option<String>,
    /// Given up before this instant.
    to: Option<String>,
}

/// A line of the answer.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = ReplayProgress)]
pub(crate) struct Line {
    /// Letters that fit.
    matched: usize,
    /// Those replayed so far.
    replayed: usize,
    /// Those that could not be, so far; each has a line that says why.
    skipped: usize,
    /// Whether all of them were tried; the last line says so.
    done: bool,
    /// The letter that this line is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    letter: Option<Uuid>,
    /// Why that letter was skipped, or why the replay stopped before it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Replay all open letters that fit, oldest message first. For operators.
///
/// The answer comes as one JSON object a line while the work goes on. Closing the connection ends the work;
/// the same request again goes on with what is still open.
#[utoipa::path(
    post, path = "/v1/dead-letters/replay", tag = "dead letters", request_body = Sweep, security(("bearer" = [])),
    responses(
        (status = 200, body = Line, description = "Lines of progress; with `dry_run` one line that counts", content_type = "application/x-ndjson"),
        (status = 400, body = Document, description = "A field is wrong; `field` names it", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not an operator", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "The store is away; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn sweep(
    State(api): State<Arc<Api>>,
    Operator(user): Operator,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = body::read(&headers, body, LARGEST_BODY).await?;
    let mut fields = Fields::of(&bytes)?;
    let filter = filter::of_fields(fields.optional_fields("filter")?)?;
    let rate = fields.optional_number("rate_per_second")?.unwrap_or(DEFAULT_RATE);
    if !(1..=LARGEST_RATE).contains(&rate) {
        let detail = format!("rate_per_second must be a number from 1 to {LARGEST_RATE}");
        return Err(Problem::field("rate_per_second", detail));
    }
    let dry_run = fields.flag("dry_run")?;
    fields.nothing_else("filter", "filter, rate_per_second and dry_run")?;

    let letters = gather(&api, &filter).await?;
    let matched = letters.len();
    let by = user.address.to_string();
    tracing::info!(by, ?filter, rate, matched, dry_run, "replaying dead letters by a filter");
    let letters = if dry_run { VecDeque::new() } else { letters };
    let mut pace = interval(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let progress = Line { matched, ..Line::default() };
    let work = Work { api, by, letters, pace, progress, told: Instant::now() };
    let lines = stream::unfold(work, async |mut work| {
        let mut line = serde_json::to_vec(&work.next_line().await?).expect("numbers and texts");
        line.push(b'\n');
        Some((Ok::<_, Infallible>(line), work))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(Box::pin(lines))).into_response())
}

/// The letters that fit, in their original order.
async fn gather(api: &Api, filter: &LetterFilter) -> Result<VecDeque<LetterId>, Problem> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = api.store.letters(filter, before, PAGE).await?;
        found.extend(page.letters.iter().map(|stored| (original_order(&stored.letter), stored.letter.id)));
        if found.len() > MOST {
            let detail = format!("more than {MOST} letters fit; narrow the filter, for example by from and to");
            return Err(Problem::field("filter", detail));
        }
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

struct Work {
    api: Arc<Api>,
    by: String,
    letters: VecDeque<LetterId>,
    pace: Interval,
    progress: Line,
    told: Instant,
}

impl Work {
    /// Works until there is something to tell; `None` when it is over.
    async fn next_line(&mut self) -> Option<Line> {
        if self.progress.done || self.progress.problem.is_some() {
            return None;
        }
        while let Some(id) = self.letters.pop_front() {
            if self.api.readiness.is_stopping() {
                return Some(self.stopped("this process is stopping; send the same request again".into()));
            }
            self.pace.tick().await;
            let replayed = async {
                let (stored, record) = find(&self.api, &id.to_string()).await?;
                send_back(&self.api, &self.by, stored, &record, &Edit::default()).await
            };
            match replayed.await {
                Ok(_) => self.progress.replayed += 1,
                Err(problem) if problem.kind == Kind::Unavailable => {
                    return Some(self.stopped(problem.detail().to_owned()));
                }
                Err(problem) => {
                    self.progress.skipped += 1;
                    let problem = Some(problem.detail().to_owned());
                    return Some(Line { letter: Some(id.as_uuid()), problem, ..self.progress.clone() });
                }
            }
            if self.told.elapsed() >= TELL {
                self.told = Instant::now();
                return Some(self.progress.clone());
            }
        }
        self.progress.done = true;
        Some(self.progress.clone())
    }

    fn stopped(&mut self, problem: String) -> Line {
        self.progress.problem = Some(problem);
        self.progress.clone()
    }
}
