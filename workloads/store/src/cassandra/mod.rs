//! The store in Cassandra or ScyllaDB. Writes are prepared, idempotent and read back by
//! `LOCAL_QUORUM`; nobody takes a lock but who claims an idempotency key. Retrying beyond the
//! driver's own attempts is the caller's business.

mod clock;
mod columns;
mod connect;
mod conversations;
mod days;
mod dead_letters;
mod idempotency;
mod inbox;
mod ledger;
mod migrate;
mod people;
mod recent;
mod schema;
mod settings;
mod statements;
mod statuses;
mod together;
mod unread;
mod waiting;

use async_trait::async_trait;
use scylla::client::session::Session;
use scylla::deserialize::row::DeserializeRow;
use scylla::response::query_result::{QueryResult, QueryRowsResult};
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;

pub use connect::ConnectError;
pub use migrate::{MigrateError, Migrated, migrate};
pub use settings::{CassandraConfig, Keyspace, NotAKeyspace, NotAReplication, Replication};

use clock::Clock;
use recent::Recent;
use statements::Statements;

use crate::{Error, Result, Store};

/// How many (conversation, day) pairs are remembered as written: at some 100 bytes each that is
/// about 2 MB, and enough for a day's active conversations of one router.
const REMEMBERED_BUCKETS: usize = 20_000;

/// How many statements one call has in flight at most; beyond it the driver gains little.
const CONCURRENCY: usize = 32;

/// A connected store whose schema fits this program.
#[derive(Debug)]
pub struct Cassandra {
    session: Session,
    statements: Statements,
    written_buckets: Recent,
    /// Of the ledger.
    clock: Clock,
}

impl Cassandra {
    /// Connects, checks the schema and prepares the statements; within about 30 seconds or not at all.
    pub async fn connect(config: &CassandraConfig) -> std::result::Result<Self, ConnectError> {
        let session = connect::session(config).await?;
        connect::check_schema(&session, &config.keyspace).await?;
        let statements = Statements::prepare(&session)
            .await
            .map_err(|source| ConnectError::Prepare { keyspace: config.keyspace.to_string(), source })?;
        let written_buckets = Recent::holding(REMEMBERED_BUCKETS);
        Ok(Self { session, statements, written_buckets, clock: Clock::default() })
    }

    async fn execute(
        &self,
        action: impl FnOnce() -> String,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<QueryResult> {
        self.session.execute_unpaged(statement, values).await.map_err(|source| Error::new(action(), source))
    }

    async fn rows(
        &self,
        action: impl Fn() -> String,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<QueryRowsResult> {
        let result = self.execute(&action, statement, values).await?;
        result.into_rows_result().map_err(|source| Error::new(action(), source))
    }

    /// The rows of an answer that is not so long that it would have to come in parts.
    async fn few<R>(
        &self,
        action: impl Fn() -> String,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Vec<R>>
    where
        R: for<'f> DeserializeRow<'f, 'f>,
    {
        let rows = self.rows(&action, statement, values).await?;
        let rows = rows.rows::<R>().map_err(|source| Error::new(action(), source))?;
        rows.collect::<std::result::Result<_, _>>().map_err(|source| Error::new(action(), source))
    }

    async fn first_row<R>(
        &self,
        action: impl Fn() -> String,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Option<R>>
    where
        R: for<'f> DeserializeRow<'f, 'f>,
    {
        let rows = self.rows(&action, statement, values).await?;
        rows.maybe_first_row::<R>().map_err(|source| Error::new(action(), source))
    }
}

#[async_trait]
impl Store for Cassandra {
    async fn ping(&self) -> Result<()> {
        // A read of the keyspace and not of the node's own table: it fails when the replicas are away.
        self.execute(|| "ping the store".to_owned(), &self.statements.ping, (schema::PART,)).await.map(drop)
    }
}
