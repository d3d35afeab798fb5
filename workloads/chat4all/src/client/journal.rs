//! `chat4all journal replay`: has a connector's webhooks parsed again.

use std::error::Error;

use chat4all_ledger::Replayed;
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::{Client, Target, instant, print};

/// `chat4all journal`.
#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Have the webhooks that came in since then parsed again; what was done before is not done twice.
    Replay(Replay),
}

/// `chat4all journal replay`.
#[derive(Debug, clap::Args)]
pub struct Replay {
    #[command(flatten)]
    target: Target,
    /// The connector's name in the resource.
    connector: String,
    /// Since when, for example 2026-11-25T10:00:00Z.
    #[arg(long, value_parser = instant)]
    from: Timestamp,
    /// Until when; now when left out.
    #[arg(long, value_parser = instant)]
    to: Option<Timestamp>,
}

pub async fn run(args: Journal) -> Result<(), Box<dyn Error>> {
    let Journal::Replay(Replay { target, connector, from, to }) = args;
    let client = Client::of(target).await?;
    let path = format!("/v1/journal/{connector}/replay");
    let replayed: Replayed = client.post(&path, &json!({"from": from, "to": to})).await?;
    print(&format!("{} webhooks of connector {connector} are parsed again\n", replayed.webhooks))?;
    Ok(())
}
