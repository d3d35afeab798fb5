//! The end-to-end tests on the kind cluster of `make cluster`: installs the sample, kills things
//! under load, counts, and ends with one table. The cases run one after another, in this order.

mod context;
mod install;
mod outage;
mod pods;
mod refusals;
mod removal;
mod story;

use std::process::ExitCode;
use std::sync::Arc;

use chat4all_e2e::report;
use chat4all_e2e::settings::Settings;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use crate::context::{Context, Outcome};

fn main() -> ExitCode {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let (runtime, context) = match prepared() {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let trial = |name: &str, case: fn(Arc<Context>) -> Case| {
        let (runtime, context) = (runtime.clone(), context.clone());
        Trial::test(name, move || runtime.block_on(run(case, context)))
    };
    let trials = vec![
        trial("the_sample_becomes_ready_and_its_first_message_is_read", |c| Box::pin(install::case(c))),
        trial("routers_deleted_under_load_lose_nothing", |c| Box::pin(pods::routers_deleted(c))),
        trial("routers_killed_under_load_lose_nothing", |c| Box::pin(pods::routers_killed(c))),
        // Here, because the connector has been busy for more than a minute: its breaker knows a long row of successes.
        trial("a_provider_that_is_down_for_half_a_minute_costs_no_message", |c| Box::pin(outage::case(c))),
        trial("connectors_deleted_under_load_lose_nothing", |c| Box::pin(pods::connectors_deleted(c))),
        trial("connectors_killed_under_load_lose_nothing", |c| Box::pin(pods::connectors_killed(c))),
        trial("a_resource_without_its_secret_says_so_and_heals_when_it_comes", |c| {
            Box::pin(refusals::missing_secret(c))
        }),
        trial("what_the_schema_forbids_is_refused_with_the_remedy", |c| Box::pin(refusals::schema(c))),
        trial("a_deleted_resource_takes_all_it_owned_and_leaves_the_data", |c| Box::pin(removal::case(c))),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Err(error) = context.report().publish(&report::folder()) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// A case that runs.
type Case = std::pin::Pin<Box<dyn Future<Output = Outcome>>>;

fn prepared() -> Outcome<(Arc<Runtime>, Arc<Context>)> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let runtime = Runtime::new()?;
    let context = runtime.block_on(Context::new(settings))?;
    Ok((Arc::new(runtime), Arc::new(context)))
}

/// Runs a case, and afterwards takes back what it may have left in the provider.
async fn run(case: fn(Arc<Context>) -> Case, context: Arc<Context>) -> Result<(), Failed> {
    eprintln!();
    let outcome = case(context.clone()).await;
    let behaved = context.sample.simulator.behave().await;
    outcome.and_then(|()| Ok(behaved?)).map_err(|error| Failed::from(context::told(&*error)))
}
