//! `POST /v1/dead-letters/{id}/replay`: puts a record back, as it was or mended.
//!
//! In this order: the deed is noted, the record is produced, the delivery's failure is answered, the letter is
//! closed. Interrupted anywhere the letter is still open, and replaying it again is the same replay: the
//! connector sends what it carries once.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use chat4all_dead_letters::{Edit, NotReplayable};
use chat4all_message::{Holds, dead_letter as header};
use chat4all_store::{Closing, Deed, LetterBody, LetterState, StoredLetter};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::Letter;
use super::{find, is_open};
use crate::caller::Operator;
use crate::fields::Fields;
use crate::problem::{Document, Kind, Problem};
use crate::{Api, body};

const LARGEST_BODY: usize = 64 << 10;
/// Seconds until a broker that was restarted answers again, roughly.
const KAFKA_RETRY_AFTER: u64 = 5;

/// What to change; nothing when left out.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field so that errors name the field")]
pub(crate) struct Mend {
    /// Another text, within the limits of the recipient's channel.
    content: Option<String>,
    /// Another recipient; a delivery's must be of the same channel.
    #[schema(example = "whatsapp:+5562998765432")]
    recipient_id: Option<String>,
}

/// Put a record that was given up back into its topic, with the same ids. For operators.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/replay", tag = "dead letters", request_body = Option<Mend>, security(("bearer" = [])),
    params(("id" = String, Path, description = "The letter")),
    responses(
        (status = 200, body = Letter, description = "It is replayed; failing again, it is another letter"),
        (status = 400, body = Document, description = "It cannot be replayed so; `field` names what is wrong", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not an operator", content_type = "application/problem+json"),
        (status = 404, body = Document, description = "No such letter", content_type = "application/problem+json"),
        (status = 409, body = Document, description = "It was replayed or discarded already", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "Kafka or the store is away: send the request again, which does no harm", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn replay(
    State(api): State<Arc<Api>>,
    Operator(user): Operator,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Letter>, Problem> {
    let bytes = body::read(&headers, body, LARGEST_BODY).await?;
    let edit = edit(&bytes)?;
    let (stored, record) = find(&api, &id).await?;
    let replayed = send_back(&api, &user.address.to_string(), stored, &record, &edit).await?;
    Ok(Json(Letter::of(replayed)))
}

fn edit(body: &[u8]) -> Result<Edit, Problem> {
    if body.is_empty() {
        return Ok(Edit::default());
    }
    let mut fields = Fields::of(body)?;
    let recipient = fields.optional_text("recipient_id")?;
    let recipient = recipient.map(|text| text.parse().map_err(|why| Problem::field("recipient_id", format!("{why}"))));
    let edit = Edit { content: fields.optional_text("content")?, recipient: recipient.transpose()? };
    fields.nothing_else("content", "content and recipient_id")?;
    Ok(edit)
}

impl From<NotReplayable> for Problem {
    fn from(why: NotReplayable) -> Self {
        match why.field() {
            Some(field) => Problem::field(field, why.to_string()),
            None => Problem::new(Kind::InvalidRequest, why.to_string()),
        }
    }
}

/// Replays an open letter.
pub(super) async fn send_back(
    api: &Api,
    by: &str,
    stored: StoredLetter,
    record: &LetterBody,
    edit: &Edit,
) -> Result<StoredLetter, Problem> {
    is_open(&stored)?;
    let letter = stored.letter;
    let replay = chat4all_dead_letters::replay(&letter, record, edit, &api.topics, &api.connectors)?;
    let (at, by) = (Timestamp::now(), by.to_owned());
    tracing::info!(letter = %letter.id, by, ?edit.recipient, content_changed = edit.content.is_some(), "replaying a dead letter");
    let deed = Deed { at, by: by.clone(), what: "replay".into(), detail: describe(edit) };
    api.store.note_deed(letter.id, &deed).await?;

    let count = replay.replays.to_string();
    let headers = [(header::REPLAYS, count.as_bytes())];
    let placed = api.journal.append_with(&replay.topic, &replay.key, &replay.value, &headers).await;
    placed.map_err(|error| {
        api.metrics.produce_failed("replays");
        tracing::warn!(letter = %letter.id, %error, "could not replay a dead letter");
        Problem::unavailable(
            KAFKA_RETRY_AFTER,
            "Kafka did not take the record; the letter is still open, replay it again",
        )
    })?;
    if let (Some(Holds::Deliveries(_)), Some(delivery)) = (api.topics.holds(&replay.topic), letter.about.delivery()) {
        api.store.reopen(&delivery, letter.given_up_at).await?;
    }
    let closing = Closing { state: LetterState::Replayed, at, by };
    if !api.store.close_letter(letter.cursor(), &closing).await? {
        is_open(&find(api, &letter.id.to_string()).await?.0)?;
    }
    Ok(StoredLetter { letter, closed: Some(closing) })
}

fn describe(edit: &Edit) -> String {
    let recipient = edit.recipient.as_ref().map(|recipient| format!("recipient_id: {recipient}"));
    let content = edit.content.as_ref().map(|content| format!("content: {content}"));
    let changes: Vec<String> = recipient.into_iter().chain(content).collect();
    if changes.is_empty() { "as it was".into() } else { changes.join("; ") }
}
