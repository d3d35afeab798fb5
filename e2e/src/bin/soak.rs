//! The soak: an hour of load with a pod that ends each minute, after which no process has grown and no message is
//! missing.

use std::process::ExitCode;

use chat4all_e2e::context::{Context, Outcome, exit_code};
use chat4all_e2e::report;
use chat4all_e2e::settings::Settings;
use chat4all_e2e::soak::soak;

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(run().await)
}

/// Whether nothing was violated.
async fn run() -> Outcome<bool> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let context = Context::new(settings).await?;
    context.sample.install().await?;
    context.sample.simulator.behave().await?;
    let found = soak(&context).await?;
    found.publish(&report::folder())?;
    found.violations.iter().for_each(|violation| eprintln!("{violation}"));
    Ok(found.violations.is_empty())
}
