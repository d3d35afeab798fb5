//! Fills in the book: reads the topic of messages and looks for each message in the store and in the
//! queues, in the order of a message's way. What has left one place before it was looked at is found
//! at a later one, and what is found nowhere is looked for in the store once more. An outcome that is
//! just written down counts as on its way, so a status that was never told shows two minutes later.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat4all_kafka::{Extent, KafkaConfig, LookError, Onlooker, Record, Span};
use chat4all_message::dead_letter::{ORIGINAL_OFFSET, ORIGINAL_PARTITION, ORIGINAL_TOPIC};
use chat4all_message::{AcceptedMessage, ConversationId, Delivery, LetterId, MessageId, StatusUpdate, Subject, Topics};
use chat4all_store::Store;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use crate::book::{Accepted, Book, Full, Place};
use crate::report::Report;

/// Messages that one check holds. The book of so many that are all under way takes some 100 MB, of
/// delivered ones a tenth.
const LARGEST: usize = 250_000;
/// Messages that the store is asked for at once.
const AT_ONCE: usize = 64;
/// Messages listed by id that do not add up.
const LISTED: usize = 1_000;
/// A letter is written after its message, by another clock.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too much for one check.
    #[error("more than {LARGEST} messages were accepted in the range; check a shorter one")]
    TooMany,
    /// One at a time.
    #[error("another check is under way; try again when it is done")]
    Busy,
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] LookError),
    /// The store.
    #[error(transparent)]
    Store(#[from] chat4all_store::Error),
}

impl From<Full> for Error {
    fn from(Full: Full) -> Self {
        Self::TooMany
    }
}

/// Checks what became of accepted messages.
pub struct LedgerCheck {
    onlooker: Onlooker,
    topics: Topics,
    store: Arc<dyn Store>,
    turn: Semaphore,
}

impl LedgerCheck {
    /// A check; it connects to Kafka when it is asked.
    pub fn new(kafka: KafkaConfig, topics: Topics, store: Arc<dyn Store>) -> Self {
        Self { onlooker: Onlooker::of(kafka), topics, store, turn: Semaphore::new(1) }
    }

    /// What became of every message whose record was written from `from` on and before `to`. Ranges that
    /// touch each other have no record in common and leave none out.
    pub async fn of(&self, from: Timestamp, to: Timestamp) -> Result<Report, Error> {
        let _turn = self.turn.try_acquire().map_err(|_taken| Error::Busy)?;
        let mut book = Book::of_at_most(LARGEST);
        let kept_from = self.accepted(&mut book, from, to).await?;
        self.letters(&mut book).await?;
        self.letters_without_a_row(&mut book, from).await?;
        self.outbound(&mut book).await?;
        self.statuses(&mut book).await?;
        let missing = book.missing();
        self.look_up(&mut book, missing).await?;
        self.outcomes(&mut book).await?;
        let (messages, deliveries, waiting, unaccounted) = book.close(LISTED);
        if messages.unaccounted > 0 {
            let first = unaccounted.first().map(|lost| format!("{:?}: {}", lost.message_id, lost.why));
            tracing::error!(unaccounted = messages.unaccounted, first, "accepted messages do not add up");
        }
        Ok(Report { from, to, kept_from, messages, deliveries, waiting, unaccounted })
    }

    /// Reads the accepted messages of the range and what is stored of them. Tells from when on Kafka has
    /// them all, where that is later than `from`.
    async fn accepted(&self, book: &mut Book, from: Timestamp, to: Timestamp) -> Result<Option<Timestamp>, Error> {
        let topic = self.topics.messages();
        // Before all else: what is committed by now must be found.
        let routed = self.onlooker.committed(&self.topics.router_group(), &topic).await?;
        let (begin, end) = (self.onlooker.at(&topic, from).await?, self.onlooker.at(&topic, to).await?);
        let extents = self.onlooker.extents(&topic).await?;
        let spans = begin.iter().map(|(&partition, &from)| {
            let to = end.get(&partition).copied().unwrap_or(from);
            Span { partition, from, to }
        });
        let mut reading = self.onlooker.read(&topic, spans.collect());
        while let Some(records) = reading.next().await {
            let mut found = Vec::new();
            for record in records? {
                let place = Place { partition: record.partition, offset: record.offset };
                let routed = routed.get(&record.partition).is_some_and(|next| record.offset < *next);
                match serde_json::from_slice::<AcceptedMessage>(&record.value) {
                    Ok(AcceptedMessage { message_id, conversation_id, .. }) => {
                        found.push((conversation_id.clone(), message_id));
                        book.accept(&Accepted { message_id, conversation_id, place, routed })?;
                    }
                    Err(_) => book.accept_unreadable(place, routed)?,
                }
            }
            self.look_up(book, found).await?;
        }
        self.kept_from(&topic, from, &begin, &extents).await
    }

    /// A partition whose beginning was deleted, and which begins within the range, may have held more.
    async fn kept_from(
        &self,
        topic: &str,
        from: Timestamp,
        begin: &BTreeMap<i32, i64>,
        extents: &BTreeMap<i32, Extent>,
    ) -> Result<Option<Timestamp>, Error> {
        let cut = |(&partition, extent): (&i32, &Extent)| {
            let within = begin.get(&partition).is_some_and(|first| *first <= extent.begin);
            let first = Span { partition, from: extent.begin, to: extent.begin + 1 };
            (within && extent.begin > 0 && extent.begin < extent.end).then_some(first)
        };
        let mut firsts = self.onlooker.read(topic, extents.iter().filter_map(cut).collect());
        let mut kept = None;
        while let Some(records) = firsts.next().await {
            let times = records?.into_iter().filter_map(|record| written_at(&record));
            kept = kept.max(times.max());
        }
        Ok(kept.filter(|kept| *kept > from))
    }

    async fn look_up(&self, book: &mut Book, wanted: Vec<(ConversationId, MessageId)>) -> Result<(), Error> {
        let lookups = stream::iter(wanted).map(|(conversation, message)| async move {
            Ok::<_, Error>((message, self.store.deliveries(&conversation, message).await?))
        });
        let mut lookups = lookups.buffer_unordered(AT_ONCE);
        while let Some((message, deliveries)) = lookups.try_next().await? {
            book.stored(message, deliveries);
        }
        Ok(())
    }

    /// Looks for messages that the routers gave up. Deliveries that were given up say so themselves.
    async fn letters(&self, book: &mut Book) -> Result<(), Error> {
        let topic = &self.topics.messages();
        let lookups = stream::iter(book.given_up_or_lost()).map(|(place, message)| async move {
            let id = LetterId::of(topic, place.partition, place.offset);
            Ok::<_, Error>((place, message, self.store.given_up_at(id).await?))
        });
        let mut lookups = lookups.buffer_unordered(AT_ONCE);
        while let Some((place, message, letter)) = lookups.try_next().await? {
            match (letter, message) {
                (Some(_), Some(message)) => book.dead_lettered(message),
                (Some(_), None) => book.dead_lettered_unreadable(place),
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// Looks into the queue itself for what routers of an earlier version gave up, who wrote no rows.
    async fn letters_without_a_row(&self, book: &mut Book, from: Timestamp) -> Result<(), Error> {
        if book.given_up_or_lost().is_empty() {
            return Ok(());
        }
        let (topic, messages) = (self.topics.dead_letters(), self.topics.messages());
        let begin = self.onlooker.at(&topic, from.saturating_sub(SKEW).unwrap_or(from)).await?;
        self.each(&topic, begin, |letter| {
            if letter.header(ORIGINAL_TOPIC) != Some(messages.as_bytes()) {
                return;
            }
            match serde_json::from_slice::<AcceptedMessage>(&letter.value) {
                Ok(message) => book.dead_lettered(message.message_id),
                Err(_) => {
                    let number = |name| std::str::from_utf8(letter.header(name)?).ok();
                    let partition = number(ORIGINAL_PARTITION).and_then(|text| text.parse().ok());
                    let offset = number(ORIGINAL_OFFSET).and_then(|text| text.parse().ok());
                    if let (Some(partition), Some(offset)) = (partition, offset) {
                        book.dead_lettered_unreadable(Place { partition, offset });
                    }
                }
            }
        })
        .await
    }

    /// Looks for deliveries before their connectors.
    async fn outbound(&self, book: &mut Book) -> Result<(), Error> {
        for connector in book.connectors() {
            let topic = self.topics.outbound(&connector);
            let begin = self.onlooker.committed(&self.topics.connector_group(&connector), &topic).await?;
            self.each(&topic, begin, |record| {
                if let Ok(delivery) = serde_json::from_slice::<Delivery>(&record.value) {
                    book.at_connector(&delivery.reference, written_at(&record).unwrap_or(Timestamp::MIN));
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Looks for deliveries of which their connectors will tell: those that wait for their outcome, and
    /// those whose outcome is just written down.
    async fn outcomes(&self, book: &mut Book) -> Result<(), Error> {
        let entries = stream::iter(book.missing_deliveries())
            .map(|delivery| async move { Ok::<_, Error>((self.store.entry(delivery.delivery_id).await?, delivery)) });
        let mut entries = entries.buffer_unordered(AT_ONCE);
        while let Some((entry, delivery)) = entries.try_next().await? {
            if let Some(entry) = entry {
                book.noted(&delivery, &entry, Timestamp::now());
            }
        }
        Ok(())
    }

    /// Looks for statuses before the routers.
    async fn statuses(&self, book: &mut Book) -> Result<(), Error> {
        if book.missing().is_empty() {
            return Ok(());
        }
        let topic = self.topics.status_updates();
        let begin = self.onlooker.committed(&self.topics.status_group(), &topic).await?;
        self.each(&topic, begin, |record| {
            if let Ok(StatusUpdate { subject: Subject::Delivery { delivery, .. }, .. }) =
                serde_json::from_slice(&record.value)
            {
                book.at_status(&delivery);
            }
        })
        .await
    }

    /// Shows every record of a topic from these offsets on, up to where it ends now.
    async fn each(
        &self,
        topic: &str,
        begin: BTreeMap<i32, i64>,
        mut show: impl FnMut(Record) + Send,
    ) -> Result<(), Error> {
        let extents = self.onlooker.extents(topic).await?;
        let spans = begin.into_iter().map(|(partition, from)| {
            let to = extents.get(&partition).map_or(from, |extent| extent.end);
            Span { partition, from, to }
        });
        let mut reading = self.onlooker.read(topic, spans.collect());
        while let Some(records) = reading.next().await {
            records?.into_iter().for_each(&mut show);
        }
        Ok(())
    }
}

fn written_at(record: &Record) -> Option<Timestamp> {
    Timestamp::from_millisecond(record.timestamp?).ok()
}
