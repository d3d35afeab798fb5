//! Messages, deliveries and members in tables. A page walks the days of a conversation from the
//! newest; within a day it reads one range of messages and the same range of deliveries.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chat4all_message::{AcceptedMessage, Address, ConversationId, Delivery, DeliveryTimes, Effort, Inbound, MessageId};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use scylla::serialize::row::SerializeRow as Values;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlDate, CqlTimestamp, MaybeUnset};
use scylla::{DeserializeRow, SerializeRow};
use uuid::Uuid;

use super::columns::{Bucket, Position, Unexpected, address, count, from_json, json, key, maybe_instant, message_id};
use super::days::Days;
use super::inbox::note_inbound;
use super::people::met;
use super::together::Rows;
use super::{CONCURRENCY, Cassandra};
use crate::people::writer;
use crate::{Conversations, Cursor, Error, InboundPlace, Page, PageRequest, Result, StoredDelivery, StoredMessage};

#[async_trait]
impl Conversations for Cassandra {
    async fn members(&self, conversation: &ConversationId) -> Result<BTreeSet<Address>> {
        let action = || format!("read the members of conversation {conversation}");
        let rows: Vec<(String,)> = self.few(action, &self.statements.members, (conversation.as_str(),)).await?;
        rows.into_iter().map(|(member,)| member.parse().map_err(|error| Error::new(action(), error))).collect()
    }

    async fn add_members(&self, conversation: &ConversationId, members: &[Address]) -> Result<()> {
        let action = || format!("add members to conversation {conversation}");
        // Who sees one of the first two members and not the other takes the sender for a stranger.
        let mut rows = Rows::of_one_partition();
        for member in members {
            rows.add(&self.statements.add_member, (conversation.as_str(), member.to_string()));
        }
        self.write_together(action, rows).await
    }

    async fn put_message(&self, message: &AcceptedMessage, deliveries: &[Delivery]) -> Result<()> {
        let action = || format!("write message {}", message.message_id);
        let (conversation, bucket, created_at, id) = key(&message.conversation_id, message.message_id);
        let mut rows = Rows::default();
        let row = NewMessage::of(message);
        rows.add_with(row.texts(), &self.statements.put_message, row);
        for delivery in deliveries {
            let (recipient, connector) = (delivery.recipient.to_string(), delivery.connector.as_str());
            let delivery = delivery.reference.delivery_id.as_uuid();
            let values = (conversation, bucket, created_at, id, delivery, recipient, connector);
            rows.add(&self.statements.put_delivery, values);
        }
        if let Some(address) = writer(message) {
            rows.add(&self.statements.met, met(address, &message.conversation_id, message.accepted_at()));
        }
        if let Some(place) = InboundPlace::of(message) {
            rows.add(&self.statements.note_inbound, note_inbound(message.message_id, place));
        }
        let listed = self.written_buckets.holds(&message.conversation_id, bucket.0);
        if !listed {
            rows.add(&self.statements.put_bucket, (conversation, bucket));
        }
        self.write_together(action, rows).await?;
        if !listed {
            self.written_buckets.add(&message.conversation_id, bucket.0);
        }
        Ok(())
    }

    async fn deliveries(
        &self,
        conversation: &ConversationId,
        message: MessageId,
    ) -> Result<Option<Vec<StoredDelivery>>> {
        let action = || format!("read the deliveries of message {message}");
        let (name, bucket, created_at, id) = key(conversation, message);
        let values = (name, bucket, created_at, id, created_at, id);
        let rows: Vec<DeliveryRow> = self.all(action, &self.statements.deliveries, values).await?;
        let stored: std::result::Result<Vec<_>, _> =
            rows.into_iter().filter_map(|row| row.stored().transpose()).collect();
        let stored = stored.map_err(|source| Error::new(action(), source))?;
        if stored.is_empty() {
            let values = (name, bucket, created_at, id);
            let row: Option<(Uuid,)> = self.first_row(action, &self.statements.has_message, values).await?;
            return Ok(row.map(|_| stored));
        }
        Ok(Some(stored))
    }

    async fn page(&self, conversation: &ConversationId, request: &PageRequest) -> Result<Page> {
        let nothing = Page { messages: Vec::new(), next: None };
        let mut before = request.before.map(|cursor| Position::from(cursor.message_id));
        if request.offset > 0 {
            match self.skip(conversation, before, request.offset as usize).await? {
                Some(last) => before = Some(last),
                None => return Ok(nothing),
            }
        }
        let limit = request.limit as usize;
        let mut messages = self.newest(conversation, before, limit.saturating_add(1)).await?;
        let more = messages.len() > limit;
        messages.truncate(limit);
        let next = messages.last().filter(|_| more).map(|last| Cursor { message_id: last.message_id });
        Ok(Page { messages: self.with_deliveries(conversation, messages).await?, next })
    }
}

impl Cassandra {
    /// All rows, page by page of the driver.
    pub(super) async fn all<R>(
        &self,
        action: impl Fn() -> String,
        statement: &PreparedStatement,
        values: impl Values,
    ) -> Result<Vec<R>>
    where
        R: for<'f, 'm> scylla::deserialize::row::DeserializeRow<'f, 'm> + Send,
    {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::new(action(), source);
        let pager = self.session.execute_iter(statement.clone(), values).await.map_err(|e| failed(e.into()))?;
        let rows = pager.rows_stream::<R>().map_err(|e| failed(e.into()))?;
        rows.try_collect().await.map_err(|e| failed(e.into()))
    }

    /// The position of the `count`th message before this one; `None` when there are fewer.
    async fn skip(
        &self,
        conversation: &ConversationId,
        before: Option<Position>,
        count: usize,
    ) -> Result<Option<Position>> {
        let action = || format!("skip messages of conversation {conversation}");
        let mut left = count;
        let mut days = Days::before(self, conversation, before);
        while let Some((bucket, end)) = days.next().await? {
            let values = (
                conversation.as_str(),
                bucket.date(),
                end.created_at,
                end.message_id,
                i32::try_from(left).unwrap_or(i32::MAX),
            );
            let ids: Vec<(Uuid,)> = self.all(action, &self.statements.message_ids, values).await?;
            if let Some((id,)) = ids.get(left - 1) {
                let id = message_id(*id).map_err(|error| Error::new(action(), error))?;
                return Ok(Some(id.into()));
            }
            left -= ids.len();
        }
        Ok(None)
    }

    async fn newest(
        &self,
        conversation: &ConversationId,
        before: Option<Position>,
        most: usize,
    ) -> Result<Vec<AcceptedMessage>> {
        let action = || format!("read messages of conversation {conversation}");
        let mut messages = Vec::new();
        let mut days = Days::before(self, conversation, before);
        while let Some((bucket, end)) = days.next().await? {
            let wanted = i32::try_from(most - messages.len()).unwrap_or(i32::MAX);
            let values = (conversation.as_str(), bucket.date(), end.created_at, end.message_id, wanted);
            let rows: Vec<MessageRow> = self.few(action, &self.statements.messages, values).await?;
            for row in rows {
                messages.push(row.message(conversation).map_err(|source| Error::new(action(), source))?);
            }
            if messages.len() >= most {
                break;
            }
        }
        Ok(messages)
    }

    /// Reads the deliveries of messages that are in order, newest first, and without gaps.
    async fn with_deliveries(
        &self,
        conversation: &ConversationId,
        messages: Vec<AcceptedMessage>,
    ) -> Result<Vec<StoredMessage>> {
        let action = || format!("read deliveries of conversation {conversation}");
        let mut ranges: BTreeMap<Bucket, (Position, Position)> = BTreeMap::new();
        for message in &messages {
            let position = Position::from(message.message_id);
            ranges
                .entry(position.bucket())
                .and_modify(|(oldest, _)| *oldest = position)
                .or_insert((position, position));
        }
        let ranges: Vec<Vec<DeliveryRow>> = stream::iter(ranges)
            .map(|(bucket, (oldest, newest))| {
                let (from, to) = ((oldest.created_at, oldest.message_id), (newest.created_at, newest.message_id));
                let values = (conversation.as_str(), bucket.date(), from.0, from.1, to.0, to.1);
                self.all(action, &self.statements.deliveries, values)
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        let mut by_message: BTreeMap<Uuid, Vec<StoredDelivery>> = BTreeMap::new();
        for row in ranges.into_iter().flatten() {
            let message = row.message_id;
            if let Some(delivery) = row.stored().map_err(|source| Error::new(action(), source))? {
                by_message.entry(message).or_default().push(delivery);
            }
        }
        let with = |message: AcceptedMessage| {
            let deliveries = by_message.remove(&MessageId::as_uuid(message.message_id)).unwrap_or_default();
            StoredMessage { message, deliveries }
        };
        Ok(messages.into_iter().map(with).collect())
    }
}

/// A message as it is written; columns are found by their names. What it has not is left out: a null would be a
/// tombstone, and a page of messages would be read past one for each.
#[derive(SerializeRow)]
struct NewMessage<'m> {
    conversation_id: &'m str,
    bucket: CqlDate,
    created_at: CqlTimestamp,
    message_id: Uuid,
    sender: String,
    recipient: MaybeUnset<String>,
    content: &'m str,
    file_id: MaybeUnset<&'m str>,
    media: MaybeUnset<String>,
    template: MaybeUnset<String>,
    reply_to: MaybeUnset<&'m str>,
    direction: MaybeUnset<&'static str>,
    connector: MaybeUnset<&'m str>,
    provider_id: MaybeUnset<&'m str>,
    sender_name: MaybeUnset<&'m str>,
    files: MaybeUnset<String>,
}

impl<'m> NewMessage<'m> {
    fn of(message: &'m AcceptedMessage) -> Self {
        let (conversation_id, bucket, created_at, message_id) = key(&message.conversation_id, message.message_id);
        let inbound = message.inbound.as_ref();
        let files = inbound.map(|inbound| &inbound.files).filter(|files| !files.is_empty());
        Self {
            conversation_id,
            bucket,
            created_at,
            message_id,
            sender: message.sender.to_string(),
            recipient: MaybeUnset::from_option(message.recipient.as_ref().map(Address::to_string)),
            content: &message.content,
            file_id: MaybeUnset::from_option(message.file_id.as_deref()),
            media: MaybeUnset::from_option(from_json(message.media.as_ref())),
            template: MaybeUnset::from_option(from_json(message.template.as_ref())),
            reply_to: MaybeUnset::from_option(message.reply_to.as_deref()),
            direction: MaybeUnset::from_option(inbound.map(|_| INBOUND)),
            connector: MaybeUnset::from_option(inbound.map(|inbound| inbound.connector.as_str())),
            provider_id: MaybeUnset::from_option(inbound.map(|inbound| inbound.provider_id.as_str())),
            sender_name: MaybeUnset::from_option(inbound.and_then(|inbound| inbound.name.as_deref())),
            files: MaybeUnset::from_option(from_json(files)),
        }
    }
}

impl NewMessage<'_> {
    /// The bytes of what may be long.
    fn texts(&self) -> usize {
        let maybe = |text: &MaybeUnset<String>| if let MaybeUnset::Set(text) = text { text.len() } else { 0 };
        self.content.len() + maybe(&self.media) + maybe(&self.template) + maybe(&self.files)
    }
}

/// The direction of what came in; what went out has none.
const INBOUND: &str = "inbound";

#[derive(DeserializeRow)]
struct MessageRow {
    message_id: Uuid,
    sender: String,
    recipient: Option<String>,
    content: String,
    file_id: Option<String>,
    media: Option<String>,
    template: Option<String>,
    reply_to: Option<String>,
    connector: Option<String>,
    provider_id: Option<String>,
    sender_name: Option<String>,
    files: Option<String>,
}

impl MessageRow {
    fn message(self, conversation: &ConversationId) -> std::result::Result<AcceptedMessage, Unexpected> {
        let inbound = match (self.connector, self.provider_id) {
            (Some(connector), Some(provider_id)) => Some(Inbound {
                connector,
                provider_id,
                name: self.sender_name,
                files: json("files", self.files)?.unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(AcceptedMessage {
            message_id: message_id(self.message_id)?,
            conversation_id: conversation.clone(),
            sender: address("sender", &self.sender)?,
            recipient: self.recipient.map(|recipient| address("recipient", &recipient)).transpose()?,
            content: self.content,
            file_id: self.file_id,
            media: json("media", self.media)?,
            template: json("template", self.template)?,
            reply_to: self.reply_to,
            inbound,
        })
    }
}

#[derive(DeserializeRow)]
struct DeliveryRow {
    message_id: Uuid,
    delivery_id: Uuid,
    recipient: Option<String>,
    connector: Option<String>,
    sent_at: Option<CqlTimestamp>,
    delivered_at: Option<CqlTimestamp>,
    read_at: Option<CqlTimestamp>,
    failed_at: Option<CqlTimestamp>,
    reopened_at: Option<CqlTimestamp>,
    code: Option<String>,
    reason: Option<String>,
    dead_lettered_at: Option<CqlTimestamp>,
    provider_id: Option<String>,
    attempts: Option<i32>,
    unknown_outcomes: Option<i32>,
}

impl DeliveryRow {
    /// `None` where a state came before the router wrote the delivery; it will.
    fn stored(self) -> std::result::Result<Option<StoredDelivery>, Unexpected> {
        let (Some(recipient), Some(connector)) = (self.recipient, self.connector) else { return Ok(None) };
        Ok(Some(StoredDelivery {
            delivery_id: self.delivery_id.into(),
            recipient: address("recipient", &recipient)?,
            connector,
            times: DeliveryTimes {
                sent_at: maybe_instant("sent_at", self.sent_at)?,
                delivered_at: maybe_instant("delivered_at", self.delivered_at)?,
                read_at: maybe_instant("read_at", self.read_at)?,
                failed_at: maybe_instant("failed_at", self.failed_at)?,
                reopened_at: maybe_instant("reopened_at", self.reopened_at)?,
            },
            code: self.code,
            reason: self.reason,
            dead_lettered_at: maybe_instant("dead_lettered_at", self.dead_lettered_at)?,
            provider_id: self.provider_id,
            effort: Effort { attempts: count(self.attempts), unknown_outcomes: count(self.unknown_outcomes) },
        }))
    }
}
