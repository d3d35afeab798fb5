//! Each subcommand: opens what it needs and hands over to its crate.

mod api;
mod connector;
mod dev;
mod migrate;
mod password;
mod router;
mod simulator;
mod store;

use std::error::Error;

use prometheus_client::registry::Registry;

use crate::args::Command;
use crate::client;

/// What stands before the names of our own metrics.
const PREFIX: &str = "chat4all";

/// A registry with the metrics of the process, as every tool calls them.
fn registry() -> Registry {
    let mut registry = Registry::default();
    chat4all_process::register(&mut registry);
    registry
}

/// Runs a subcommand to its end.
pub fn run(command: Command) -> Result<(), Box<dyn Error>> {
    if let Command::HashPassword = command {
        return password::hash();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Api(args) => api::run(args).await,
            Command::Router(args) => router::run(args).await,
            Command::Connector(args) => connector::run(*args).await,
            Command::Migrate(args) => migrate::run(args).await,
            Command::Simulator(args) => simulator::run(args).await,
            Command::Dev(args) => dev::run(args).await,
            Command::Dlq(args) => client::dlq::run(args).await,
            Command::Ledger(args) => client::ledger::run(args).await,
            Command::Journal(args) => client::journal::run(args).await,
            Command::HashPassword => password::hash(),
        }
    });
    // Not waiting for a client library's thread that waits for a broker that is away.
    runtime.shutdown_background();
    outcome
}
