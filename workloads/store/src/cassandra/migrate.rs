//! Brings the schema of a keyspace to the version of this program. May be run again, and by
//! several at once: one works, the others wait for it.

use std::time::Duration;

use jiff::Timestamp;
use scylla::client::session::Session;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError, WriteType};
use scylla::serialize::row::SerializeRow;
use scylla::statement::unprepared::Statement;
use scylla::value::{CqlTimestamp, Row};
use tokio::time::{Instant, sleep};
use tracing::info;
use uuid::Uuid;

use super::connect::{self, ConnectError, SCHEMA_REQUEST};
use super::schema::{self, LATEST, MIGRATIONS, PART};
use super::settings::{CassandraConfig, Keyspace, Replication};

/// How long a lock stands when its owner died; renewed before each statement, which takes at most 60 s.
const LOCK_SECONDS: i32 = 90;
/// How long to wait for another migration: more than a dead one's lock stands.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The version before; `None` where there was no schema.
    pub from: Option<i32>,
    /// The version now.
    pub to: i32,
}

/// The schema was not brought up to date. What was done stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The store cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Another migration did not end.
    #[error("another migration of keyspace {keyspace} has not ended within {} s; look at its logs, then run this one again", PATIENCE.as_secs())]
    Locked {
        /// The keyspace.
        keyspace: String,
    },
    /// A step failed.
    #[error("could not {action} in keyspace {keyspace}; mend the cause and run `chat4all migrate` again")]
    Step {
        /// The keyspace.
        keyspace: String,
        /// What was tried.
        action: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Creates what is missing: the keyspace with this replication (an existing keyspace keeps its
/// own), then each table. Waits until all nodes agree on each change.
pub async fn migrate(config: &CassandraConfig, replication: &Replication) -> Result<Migrated, MigrateError> {
    let session = connect::session(config).await?;
    let migration = Run { session, keyspace: &config.keyspace };
    let create =
        format!("CREATE KEYSPACE IF NOT EXISTS \"{}\" WITH replication = {}", config.keyspace, replication.cql());
    migration.change("create the keyspace", &create).await?;
    let used = migration.session.use_keyspace(config.keyspace.as_str(), true).await;
    used.map_err(|source| migration.failed("use the keyspace", source))?;
    migration.change("create the table schema_lock", &schema::lock_table(lock_id(&config.keyspace))).await?;

    let owner = Uuid::now_v7();
    migration.lock(owner).await?;
    let outcome = migration.bring_up_to_date(owner).await;
    let unlocked = migration.unlock(owner).await;
    let migrated = outcome?;
    unlocked?;
    info!(keyspace = %config.keyspace, from = migrated.from, to = migrated.to, "the schema is up to date");
    Ok(migrated)
}

/// What became of a conditional write.
struct Conditional {
    /// Its condition held.
    won: bool,
    /// It was tried before, and that try may have been done.
    unsure: bool,
}

/// The nodes did not say in time whether a conditional write was done. Busy ones do that when several migrate
/// at once.
fn is_unsure(error: &ExecutionError) -> bool {
    let ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _)) = error else { return false };
    matches!(error, DbError::WriteTimeout { write_type: WriteType::Cas, .. })
}

struct Run<'a> {
    session: Session,
    keyspace: &'a Keyspace,
}

impl Run<'_> {
    async fn bring_up_to_date(&self, owner: Uuid) -> Result<Migrated, MigrateError> {
        self.change("create the table schema_version", schema::VERSIONS_TABLE).await?;
        let from = connect::version(&self.session, self.keyspace)
            .await
            .map_err(|source| self.failed("read the schema version", source))?;
        // A newer program was here, and somebody goes back to this one: what it added is in nobody's way.
        if let Some(to) = from.filter(|found| *found > LATEST) {
            return Ok(Migrated { from, to });
        }
        for migration in MIGRATIONS.iter().filter(|m| Some(m.version) > from) {
            for statement in migration.statements {
                self.renew(owner).await?;
                self.change(&format!("apply migration {}", migration.version), statement).await?;
            }
            let applied_at = CqlTimestamp(Timestamp::now().as_millisecond());
            let insert = "INSERT INTO schema_version (part, version, applied_at) VALUES (?, ?, ?)";
            self.write("write the schema version", insert, (PART, migration.version, applied_at)).await?;
        }
        Ok(Migrated { from, to: LATEST })
    }

    async fn lock(&self, owner: Uuid) -> Result<(), MigrateError> {
        let deadline = Instant::now() + PATIENCE;
        let claim = "INSERT INTO schema_lock (part, owner) VALUES (?, ?) IF NOT EXISTS USING TTL ?";
        let mut unsure = false;
        loop {
            let claimed = self.conditional("take the lock", claim, (PART, owner, LOCK_SECONDS)).await?;
            unsure |= claimed.unsure;
            // A claim of which nobody knows what became of it may be what stands in the way of this one.
            if claimed.won || unsure && self.renewed(owner).await? {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(MigrateError::Locked { keyspace: self.keyspace.to_string() });
            }
            sleep(Duration::from_millis(250)).await;
        }
    }

    async fn renew(&self, owner: Uuid) -> Result<(), MigrateError> {
        if self.renewed(owner).await? {
            Ok(())
        } else {
            Err(MigrateError::Locked { keyspace: self.keyspace.to_string() })
        }
    }

    /// Whether the lock is this owner's; then it stands for longer.
    async fn renewed(&self, owner: Uuid) -> Result<bool, MigrateError> {
        let renew = "UPDATE schema_lock USING TTL ? SET owner = ? WHERE part = ? IF owner = ?";
        Ok(self.conditional("renew the lock", renew, (LOCK_SECONDS, owner, PART, owner)).await?.won)
    }

    async fn unlock(&self, owner: Uuid) -> Result<(), MigrateError> {
        let release = "DELETE FROM schema_lock WHERE part = ? IF owner = ?";
        self.conditional("release the lock", release, (PART, owner)).await.map(drop)
    }

    /// Runs a conditional write, again while nobody knows what became of it.
    async fn conditional(
        &self,
        action: &str,
        text: &str,
        values: impl SerializeRow,
    ) -> Result<Conditional, MigrateError> {
        let deadline = Instant::now() + PATIENCE;
        let mut unsure = false;
        let result = loop {
            match self.session.query_unpaged(text, &values).await {
                Err(error) if is_unsure(&error) && Instant::now() < deadline => unsure = true,
                result => break result.map_err(|source| self.failed(action, source))?,
            }
        };
        let rows = result.into_rows_result().map_err(|source| self.failed(action, source))?;
        let row = rows.first_row::<Row>().map_err(|source| self.failed(action, source))?;
        Ok(Conditional { won: super::columns::applied(&row), unsure })
    }

    async fn write(&self, action: &str, text: &str, values: impl SerializeRow) -> Result<(), MigrateError> {
        self.session.query_unpaged(text, values).await.map(drop).map_err(|source| self.failed(action, source))
    }

    /// Changes the schema; the driver waits until all nodes agree.
    async fn change(&self, action: &str, text: &str) -> Result<(), MigrateError> {
        let mut statement = Statement::new(text);
        statement.set_request_timeout(Some(SCHEMA_REQUEST));
        statement.set_is_idempotent(true);
        self.session.query_unpaged(statement, ()).await.map(drop).map_err(|source| self.failed(action, source))
    }

    fn failed(&self, action: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> MigrateError {
        MigrateError::Step { keyspace: self.keyspace.to_string(), action: action.to_owned(), source: source.into() }
    }
}

/// The same for everybody who migrates this keyspace, and another for each keyspace.
fn lock_id(keyspace: &Keyspace) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("chat4all:{keyspace}:schema_lock").as_bytes())
}
