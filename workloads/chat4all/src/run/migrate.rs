//! `chat4all migrate`.

use std::error::Error;

use chat4all_store::cassandra::migrate;

use crate::args::Migrate;

pub async fn run(args: Migrate) -> Result<(), Box<dyn Error>> {
    let config = args.store.config();
    let migrated = migrate(&config, &args.store_replication).await?;
    tracing::info!(keyspace = %config.keyspace, from = ?migrated.from, to = migrated.to, "the schema is up to date");
    Ok(())
}
