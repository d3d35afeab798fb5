//! Reaching the store: bounded in time, and when it fails, telling which contact point failed
//! how and what to look at.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, ExecutionError, NewSessionError, PrepareError, RequestAttemptError};
use scylla::policies::timestamp_generator::MonotonicTimestampGenerator;
use scylla::statement::{Consistency, SerialConsistency};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::schema;
use super::settings::{CassandraConfig, Keyspace};

/// For one TCP connection or one look-up of a name.
const REACH: Duration = Duration::from_secs(5);
/// For the whole of connecting, over all contact points.
const CONNECT: Duration = Duration::from_secs(30);
/// For one statement. Longer than a server's own 5 s for a read, so that its more telling error wins.
const REQUEST: Duration = Duration::from_secs(8);
/// For one change of the schema, which waits until every node knows it.
pub(super) const SCHEMA_REQUEST: Duration = Duration::from_secs(60);

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No contact point was given.
    #[error("no contact point for the store; set STORE_CONTACT_POINTS to host:port,host:port")]
    NoContactPoints,
    /// No contact point answered.
    #[error(
        "could not connect to the store: {tried}; check STORE_CONTACT_POINTS, that Cassandra is up, and that its CQL port can be reached from here"
    )]
    Unreachable {
        /// Each contact point with what came of it.
        tried: String,
        /// What the driver said, unless it took too long.
        #[source]
        source: Option<NewSessionError>,
    },
    /// The keyspace or its tables are not there.
    #[error("keyspace {keyspace} has no Chat4All schema; run `chat4all migrate` (the operator's migrate Job does it)")]
    NoSchema {
        /// The keyspace.
        keyspace: String,
    },
    /// The tables are those of an earlier version.
    #[error(
        "the schema of keyspace {keyspace} has version {found}, this program needs {needed}; run `chat4all migrate` of this version"
    )]
    OldSchema {
        /// The keyspace.
        keyspace: String,
        /// Its version.
        found: i32,
        /// The version that this program needs.
        needed: i32,
    },
    /// The version could not be read.
    #[error("could not read the schema version of keyspace {keyspace}")]
    ReadVersion {
        /// The keyspace.
        keyspace: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement does not fit the tables, or the store went away meanwhile.
    #[error("could not prepare the statements for keyspace {keyspace}; were its tables changed by hand?")]
    Prepare {
        /// The keyspace.
        keyspace: String,
        /// Why.
        #[source]
        source: PrepareError,
    },
}

pub(super) async fn session(config: &CassandraConfig) -> Result<Session, ConnectError> {
    if config.contact_points.is_empty() {
        return Err(ConnectError::NoContactPoints);
    }
    let profile = ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .serial_consistency(Some(SerialConsistency::LocalSerial))
        .request_timeout(Some(REQUEST))
        .build();
    let builder = SessionBuilder::new()
        .known_nodes(&config.contact_points)
        .default_execution_profile_handle(profile.into_handle())
        // Of two writes of one process the later one wins, whatever node takes it.
        .timestamp_generator(Arc::new(MonotonicTimestampGenerator::new()))
        .connection_timeout(REACH)
        .hostname_resolution_timeout(Some(REACH))
        .metadata_request_clientside_timeout(REACH)
        // A node that was killed says nothing: notice it after ten seconds, not after a minute.
        .keepalive_interval(Duration::from_secs(5))
        .keepalive_timeout(Duration::from_secs(5))
        // A pod that replaced a node has another address; the next look at the cluster finds it.
        .cluster_metadata_refresh_interval(Duration::from_secs(10))
        // Replicas are looked up for our keyspace only: hundreds of tenants share one Cassandra.
        .keyspaces_to_fetch([config.keyspace.as_str()])
        .fetch_full_schema_metadata(false)
        .schema_agreement_timeout(SCHEMA_REQUEST);
    let source = match timeout(CONNECT, builder.build()).await {
        Ok(Ok(session)) => return Ok(session),
        Ok(Err(error)) => Some(error),
        Err(_elapsed) => None,
    };
    Err(ConnectError::Unreachable { tried: diagnose(&config.contact_points).await, source })
}

/// What a plain TCP connection to each contact point comes to. The driver's error names only the last one.
async fn diagnose(contact_points: &[String]) -> String {
    let looks = contact_points.iter().map(async |point| {
        let address = if point.contains(':') { point.clone() } else { format!("{point}:9042") };
        match timeout(REACH, TcpStream::connect(&address)).await {
            Ok(Ok(_)) => format!("{address} accepts connections but did not answer as a CQL server"),
            Ok(Err(error)) => format!("{address}: {error}"),
            Err(_elapsed) => format!("{address}: no answer within {} s", REACH.as_secs()),
        }
    });
    futures::future::join_all(looks).await.join("; ")
}

/// Refuses a schema that is missing or too old. A newer one is fine: migrations only add, and
/// pods of the version before go on while a new one rolls out.
pub(super) async fn check_schema(session: &Session, keyspace: &Keyspace) -> Result<(), ConnectError> {
    let found = match version(session, keyspace).await {
        Ok(found) => found,
        Err(error) if is_missing(error.as_ref()) => None,
        Err(source) => return Err(ConnectError::ReadVersion { keyspace: keyspace.to_string(), source }),
    };
    match found {
        None => Err(ConnectError::NoSchema { keyspace: keyspace.to_string() }),
        Some(found) if found < schema::LATEST => {
            Err(ConnectError::OldSchema { keyspace: keyspace.to_string(), found, needed: schema::LATEST })
        }
        Some(_) => {
            let read = |source: scylla::errors::UseKeyspaceError| ConnectError::ReadVersion {
                keyspace: keyspace.to_string(),
                source: source.into(),
            };
            session.use_keyspace(keyspace.as_str(), true).await.map_err(read)
        }
    }
}

/// The greatest version that was applied.
pub(super) async fn version(
    session: &Session,
    keyspace: &Keyspace,
) -> Result<Option<i32>, Box<dyn std::error::Error + Send + Sync>> {
    let text = format!("SELECT version FROM \"{keyspace}\".schema_version WHERE part = '{}'", schema::PART);
    let rows = session.query_unpaged(text, ()).await?.into_rows_result()?;
    let mut greatest = None;
    for row in rows.rows::<(i32,)>()? {
        greatest = greatest.max(Some(row?.0));
    }
    Ok(greatest)
}

/// Whether the server said that there is no such keyspace or table, and not that it cannot tell.
fn is_missing(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(
        error.downcast_ref::<ExecutionError>(),
        Some(ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, _)))
    )
}
