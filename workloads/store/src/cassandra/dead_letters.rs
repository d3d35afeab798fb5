//! Dead letters in tables: by UTC day for looking through them, and by id with the record's bytes. Whoever
//! gives a record up first says when that was, by the one conditional write of an insert; the state is
//! written conditionally as well, and by nothing else.

use async_trait::async_trait;
use chat4all_message::LetterId;
use jiff::Timestamp;
use scylla::DeserializeRow;
use scylla::value::{CqlDate, CqlTimestamp, CqlValue, Row};
use uuid::Uuid;

use super::columns::{
    self, Bucket, Position, Unexpected, address, applied, conversation_id, count, from_count, instant, maybe_instant,
    message_id, millis,
};
use super::{Cassandra, schema};
use crate::dead_letters::SCAN;
use crate::{
    About, Closing, DeadLetter, DeadLetters, Deed, Error, LetterBody, LetterCursor, LetterFilter, LetterPage,
    LetterState, Origin, Result, StoredLetter,
};

/// Rows read at once: of a page, of some 500 bytes each.
const CHUNK: usize = 500;

impl From<LetterCursor> for Position {
    fn from(cursor: LetterCursor) -> Self {
        Self { created_at: millis(cursor.given_up_at), message_id: cursor.id.as_uuid() }
    }
}

#[async_trait]
impl DeadLetters for Cassandra {
    async fn given_up_at(&self, letter: LetterId) -> Result<Option<Timestamp>> {
        let action = || format!("look for dead letter {letter}");
        let row: Option<(CqlTimestamp,)> =
            self.first_row(action, &self.statements.letter_place, (letter.as_uuid(),)).await?;
        row.map(|(at,)| instant("given_up_at", at)).transpose().map_err(|error| Error::new(action(), error))
    }

    async fn put_letter(&self, letter: &DeadLetter, body: &LetterBody) -> Result<()> {
        let action = || format!("write dead letter {}", letter.id);
        let place = self.first_place(letter).await?;
        let (bucket, id) = (place.bucket().date(), place.message_id);
        let record = self.execute(action, &self.statements.put_letter_body, (&body.key, &body.value, id));
        let day = self.execute(action, &self.statements.put_letter_day, (schema::PART, bucket));
        futures::try_join!(record, day)?;
        let (origin, about) = (&letter.origin, &letter.about);
        let counts = (from_count(letter.attempts), from_count(letter.replays));
        let recipient = about.recipient.as_ref().map(ToString::to_string);
        let ids = (
            about.conversation_id.as_ref().map(|id| id.as_str()),
            about.message_id.map(|id| id.as_uuid()),
            about.delivery_id.map(|id| id.as_uuid()),
        );
        let row = LetterColumns {
            bucket,
            given_up_at: place.created_at,
            id,
            reason: &letter.reason,
            message: &letter.message,
            attempts: counts.0,
            replays: counts.1,
            consumer_group: &letter.group,
            topic: &origin.topic,
            partition: origin.partition,
            record_offset: origin.offset,
            record_at: origin.at.map(millis),
            connector: about.connector.as_deref(),
            recipient: recipient.as_deref(),
            conversation_id: ids.0,
            message_id: ids.1,
            delivery_id: ids.2,
        };
        // Last: a letter that can be seen has its bytes.
        self.execute(action, &self.statements.put_letter, row).await.map(drop)
    }

    async fn letter(&self, letter: LetterId) -> Result<Option<(StoredLetter, LetterBody)>> {
        let action = || format!("read dead letter {letter}");
        type Body = (CqlTimestamp, Option<Vec<u8>>, Option<Vec<u8>>);
        let found: Option<Body> = self.first_row(action, &self.statements.letter_body, (letter.as_uuid(),)).await?;
        let Some((given_up_at, key, value)) = found else { return Ok(None) };
        let bucket = Position { created_at: given_up_at, message_id: letter.as_uuid() }.bucket();
        let values = (bucket.date(), given_up_at, letter.as_uuid());
        let row: Option<LetterRow> = self.first_row(action, &self.statements.letter, values).await?;
        let stored = row.map(LetterRow::stored).transpose().map_err(|error| Error::new(action(), error))?;
        let body = LetterBody { key: key.unwrap_or_default(), value: value.unwrap_or_default() };
        Ok(stored.map(|stored| (stored, body)))
    }

    async fn letters(&self, filter: &LetterFilter, before: Option<LetterCursor>, limit: usize) -> Result<LetterPage> {
        let action = || "read dead letters".to_owned();
        let end = filter.to.map(|to| Position { created_at: millis(to), message_id: Uuid::nil() });
        let start = [before.map(Position::from), end].into_iter().flatten().min_by_key(Position::order);
        let newest = start.map_or(Bucket::LAST, Position::bucket);
        let days: Vec<(CqlDate,)> =
            self.all(action, &self.statements.letter_days, (schema::PART, newest.date())).await?;
        let mut page = LetterPage { letters: Vec::new(), next: None };
        let mut looked = 0;
        for (day,) in days {
            let bucket = Bucket(day.0);
            if filter.from.is_some_and(|from| bucket.end().created_at <= millis(from)) {
                break;
            }
            let mut at = start.filter(|start| start.bucket() == bucket).unwrap_or_else(|| bucket.end());
            loop {
                let values = (bucket.date(), at.created_at, at.message_id, CHUNK as i32);
                let rows: Vec<LetterRow> = self.all(action, &self.statements.letters, values).await?;
                let last = rows.len() < CHUNK;
                for row in rows {
                    let stored = row.stored().map_err(|error| Error::new(action(), error))?;
                    if filter.from.is_some_and(|from| stored.letter.given_up_at < from) {
                        return Ok(LetterPage { next: None, ..page });
                    }
                    if looked == SCAN || page.letters.len() == limit {
                        return Ok(page);
                    }
                    looked += 1;
                    at = stored.letter.cursor().into();
                    page.next = Some(stored.letter.cursor());
                    if filter.fits(&stored) {
                        page.letters.push(stored);
                    }
                }
                if last {
                    break;
                }
            }
        }
        Ok(LetterPage { next: None, ..page })
    }

    async fn close_letter(&self, letter: LetterCursor, closing: &Closing) -> Result<bool> {
        let action = || format!("close dead letter {}", letter.id);
        let place = Position::from(letter);
        let key = (place.bucket().date(), place.created_at, place.message_id);
        let at = millis(closing.at);
        let values = (closing.state.name(), at, &closing.by, key.0, key.1, key.2);
        let rows = self.rows(action, &self.statements.close_letter, values).await?;
        let row = rows.first_row::<Row>().map_err(|error| Error::new(action(), error))?;
        if applied(&row) {
            return Ok(true);
        }
        // The driver repeats a write whose answer was lost; then it finds its own.
        let stands: Option<LetterRow> = self.first_row(action, &self.statements.letter, key).await?;
        let stands = stands.map(LetterRow::stored).transpose().map_err(|error| Error::new(action(), error))?;
        let ours = |c: &Closing| c.state == closing.state && millis(c.at) == at && c.by == closing.by;
        Ok(stands.is_some_and(|stands| stands.closed.is_some_and(|closed| ours(&closed))))
    }

    async fn note_deed(&self, letter: LetterId, deed: &Deed) -> Result<()> {
        let action = || format!("note what is done with dead letter {letter}");
        // Made once for all tries of the driver.
        let entry = Uuid::now_v7();
        let values = (letter.as_uuid(), millis(deed.at), entry, &deed.by, &deed.what, &deed.detail);
        self.execute(action, &self.statements.note_deed, values).await.map(drop)
    }

    async fn deeds(&self, letter: LetterId) -> Result<Vec<Deed>> {
        let action = || format!("read what was done with dead letter {letter}");
        let rows: Vec<(CqlTimestamp, String, String, String)> =
            self.all(action, &self.statements.deeds, (letter.as_uuid(),)).await?;
        let deed = |(at, by, what, detail)| Ok(Deed { at: instant("at", at)?, by, what, detail });
        rows.into_iter().map(deed).collect::<std::result::Result<_, Unexpected>>().map_err(|e| Error::new(action(), e))
    }
}

impl Cassandra {
    /// The place of the letter: that of the first time it was given up.
    async fn first_place(&self, letter: &DeadLetter) -> Result<Position> {
        let action = || format!("place dead letter {}", letter.id);
        let proposed = Position::from(letter.cursor());
        let values = (proposed.message_id, proposed.created_at);
        let rows = self.rows(action, &self.statements.place_letter, values).await?;
        let row = rows.first_row::<Row>().map_err(|error| Error::new(action(), error))?;
        if applied(&row) {
            return Ok(proposed);
        }
        let (index, _) = rows
            .column_specs()
            .get_by_name("given_up_at")
            .ok_or_else(|| Error::new(action(), Unexpected::new("given_up_at", "nothing")))?;
        let standing = row.columns.get(index).and_then(Option::as_ref).and_then(CqlValue::as_cql_timestamp);
        let created_at = standing.ok_or_else(|| Error::new(action(), Unexpected::new("given_up_at", "nothing")))?;
        Ok(Position { created_at, ..proposed })
    }
}

#[derive(scylla::SerializeRow)]
struct LetterColumns<'a> {
    bucket: CqlDate,
    given_up_at: CqlTimestamp,
    id: Uuid,
    reason: &'a str,
    message: &'a str,
    attempts: i32,
    replays: i32,
    consumer_group: &'a str,
    topic: &'a str,
    partition: i32,
    record_offset: i64,
    record_at: Option<CqlTimestamp>,
    connector: Option<&'a str>,
    recipient: Option<&'a str>,
    conversation_id: Option<&'a str>,
    message_id: Option<Uuid>,
    delivery_id: Option<Uuid>,
}

#[derive(DeserializeRow)]
struct LetterRow {
    given_up_at: CqlTimestamp,
    id: Uuid,
    reason: Option<String>,
    message: Option<String>,
    attempts: Option<i32>,
    replays: Option<i32>,
    consumer_group: Option<String>,
    topic: Option<String>,
    partition: Option<i32>,
    record_offset: Option<i64>,
    record_at: Option<CqlTimestamp>,
    connector: Option<String>,
    recipient: Option<String>,
    conversation_id: Option<String>,
    message_id: Option<Uuid>,
    delivery_id: Option<Uuid>,
    state: Option<String>,
    state_at: Option<CqlTimestamp>,
    state_by: Option<String>,
}

impl LetterRow {
    fn stored(self) -> std::result::Result<StoredLetter, Unexpected> {
        let about = About {
            connector: self.connector,
            recipient: self.recipient.map(|text| address("recipient", &text)).transpose()?,
            conversation_id: self.conversation_id.map(conversation_id).transpose()?,
            message_id: self.message_id.map(message_id).transpose()?,
            delivery_id: self.delivery_id.map(Into::into),
        };
        let origin = Origin {
            topic: self.topic.unwrap_or_default(),
            partition: self.partition.unwrap_or_default(),
            offset: self.record_offset.unwrap_or_default(),
            at: maybe_instant("record_at", self.record_at)?,
        };
        let letter = DeadLetter {
            id: self.id.into(),
            given_up_at: instant("given_up_at", self.given_up_at)?,
            reason: self.reason.unwrap_or_default(),
            message: self.message.unwrap_or_default(),
            attempts: count(self.attempts),
            replays: count(self.replays),
            group: self.consumer_group.unwrap_or_default(),
            origin,
            about,
        };
        let closed = match self.state {
            None => None,
            Some(name) => Some(Closing {
                state: LetterState::named(&name).ok_or_else(|| Unexpected::new("state", name))?,
                at: columns::instant("state_at", self.state_at.unwrap_or(CqlTimestamp(0)))?,
                by: self.state_by.unwrap_or_default(),
            }),
        };
        Ok(StoredLetter { letter, closed })
    }
}
