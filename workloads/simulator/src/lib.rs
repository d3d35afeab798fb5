//! Stand-ins for providers: strict about their request contracts, signed webhooks back, faults on
//! demand, and a log of everything that arrived. Keeps all of it in memory. Shares no code with the
//! connectors, so that neither is right only by the other's reading of the contract.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admin;
mod config;
mod connection;
mod dialog;
mod exchange;
mod fault;
mod hooks;
mod limits;
mod log;
mod outbox;
mod server;
mod telegram;
mod webhook;
mod whatsapp;

pub use config::{Config, Error, Secret, StandIns};
pub use server::Simulator;

use tokio_util::sync::CancellationToken;

/// Serves until `shutdown`, then finishes the answers it has begun; webhooks that are not sent by
/// then are lost, as everything else that the simulator holds.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    Simulator::bind(config).await?.serve(shutdown).await
}
