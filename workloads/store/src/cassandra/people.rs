//! People as rows, one for each address; an alias leads on to the row of another. Places of inbound
//! messages are claimed conditionally.

use async_trait::async_trait;
use chat4all_message::{Address, ConversationId};
use jiff::Timestamp;
use scylla::serialize::row::SerializeRow;
use scylla::value::{CqlValue, Row};

use super::Cassandra;
use super::columns::{Unexpected, address, applied, conversation_id, message_id, written};
use crate::people::{Known, Trail};
use crate::{Error, People, Person, Place, Result};

type PersonRow = (Option<String>, Option<String>, Option<i64>, Option<String>, Option<i64>);

#[async_trait]
impl People for Cassandra {
    async fn person(&self, address: &Address) -> Result<Person> {
        let mut trail = Trail::from(address);
        while let Some(at) = trail.next() {
            trail.learn(self.known(&at).await?);
        }
        Ok(trail.person())
    }

    async fn same_person(&self, alias: &Address, of: &Address) -> Result<()> {
        let (alias, person) = (alias.canonical(), self.person(of).await?.address);
        if alias == person {
            return Ok(());
        }
        let values = (person.to_string(), alias.to_string());
        self.execute(|| format!("write an alias of {person}"), &self.statements.same_person, values).await.map(drop)
    }

    async fn met(&self, address: &Address, conversation: &ConversationId, at: Timestamp) -> Result<()> {
        let action = || format!("write where {address} was met");
        self.execute(action, &self.statements.met, met(address, conversation, at)).await.map(drop)
    }

    async fn wrote_from(&self, address: &Address, at: Timestamp) -> Result<()> {
        let person = self.person(address).await?.address;
        let values = (written(at), address.to_string(), person.to_string());
        let action = || format!("write where {person} is answered");
        self.execute(action, &self.statements.wrote_from, values).await.map(drop)
    }

    async fn place(&self, connector: &str, event_id: &str, place: &Place) -> Result<Place> {
        let action = || format!("give event {event_id} its place");
        let values = (connector, event_id, place.conversation_id.as_str(), place.message_id.as_uuid());
        let rows = self.rows(action, &self.statements.place, values).await?;
        let row = rows.first_row::<Row>().map_err(|error| Error::new(action(), error))?;
        if applied(&row) {
            return Ok(place.clone());
        }
        let column = |name| {
            let (index, _) = rows.column_specs().get_by_name(name)?;
            row.columns.get(index)?.as_ref()
        };
        standing(column).map_err(|error| Error::new(action(), error))
    }
}

/// That somebody was met in a conversation, as it is written.
pub(super) fn met(
    address: &Address,
    conversation: &ConversationId,
    at: Timestamp,
) -> impl SerializeRow + Send + Sync + use<> {
    (written(at), conversation.to_string(), address.canonical().to_string())
}

impl Cassandra {
    async fn known(&self, at: &Address) -> Result<Known> {
        let action = || format!("read who {at} is");
        let row: Option<PersonRow> = self.first_row(action, &self.statements.person, (at.to_string(),)).await?;
        row.map_or_else(|| Ok(Known::default()), known).map_err(|error| Error::new(action(), error))
    }
}

fn known((same_as, conversation, met, answers_to, wrote): PersonRow) -> std::result::Result<Known, Unexpected> {
    Ok(Known {
        same_as: same_as.map(|text| address("same_as", &text)).transpose()?,
        conversation: met.zip(conversation.map(conversation_id).transpose()?),
        answers_to: wrote.zip(answers_to.map(|text| address("answers_to", &text)).transpose()?),
    })
}

/// The place that stands, as a refused conditional write tells it.
fn standing<'a>(column: impl Fn(&'static str) -> Option<&'a CqlValue>) -> std::result::Result<Place, Unexpected> {
    let wrong = |name| Unexpected::new(name, "something else");
    let conversation = column("conversation_id").and_then(CqlValue::as_text).ok_or_else(|| wrong("conversation_id"))?;
    let message = column("message_id").and_then(CqlValue::as_uuid).ok_or_else(|| wrong("message_id"))?;
    Ok(Place { conversation_id: conversation_id(conversation.clone())?, message_id: message_id(message)? })
}
