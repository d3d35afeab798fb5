//! Waiting deliveries as rows of their connector, ordered by the end of their time.

use async_trait::async_trait;
use jiff::Timestamp;
use scylla::value::{CqlTimestamp, Row};
use uuid::Uuid;

use super::Cassandra;
use super::columns::{applied, instant, millis};
use crate::waiting::TAKEN_SECONDS;
use crate::{Error, Result, Waiting, WaitingDelivery};

#[async_trait]
impl Waiting for Cassandra {
    async fn wait(&self, connector: &str, delivery: &WaitingDelivery) -> Result<()> {
        let action = || format!("let delivery {} wait", delivery.delivery_id);
        let values = (connector, millis(delivery.due), delivery.delivery_id.as_uuid(), &delivery.record);
        self.execute(action, &self.statements.wait, values).await.map(drop)
    }

    async fn overdue(&self, connector: &str, now: Timestamp, most: u32) -> Result<Vec<WaitingDelivery>> {
        let action = || format!("read the overdue deliveries of connector {connector}");
        let values = (connector, millis(now), i32::try_from(most).unwrap_or(i32::MAX));
        let rows: Vec<(CqlTimestamp, Uuid, Option<String>)> =
            self.all(action, &self.statements.overdue, values).await?;
        rows.into_iter()
            // Taken in the moment of its end, a row is an owner without a record for a minute.
            .filter_map(|(due, id, record)| Some((due, id, record?)))
            .map(|(due, id, record)| {
                let due = instant("due", due).map_err(|error| Error::new(action(), error))?;
                Ok(WaitingDelivery { due, delivery_id: id.into(), record })
            })
            .collect()
    }

    async fn take(&self, connector: &str, delivery: &WaitingDelivery) -> Result<bool> {
        let action = || format!("take the waiting delivery {}", delivery.delivery_id);
        let ttl = i32::try_from(TAKEN_SECONDS).unwrap_or(i32::MAX);
        let values = (ttl, Uuid::new_v4(), connector, millis(delivery.due), delivery.delivery_id.as_uuid());
        let rows = self.rows(action, &self.statements.take, values).await?;
        let row = rows.first_row::<Row>().map_err(|error| Error::new(action(), error))?;
        Ok(applied(&row))
    }

    async fn ended(&self, connector: &str, delivery: &WaitingDelivery) -> Result<()> {
        let action = || format!("forget the waiting delivery {}", delivery.delivery_id);
        let values = (connector, millis(delivery.due), delivery.delivery_id.as_uuid());
        self.execute(action, &self.statements.wait_ended, values).await.map(drop)
    }
}
