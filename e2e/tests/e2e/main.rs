//! The end-to-end tests on the kind cluster of `make cluster`: installs the sample, kills things
//! under load, counts, and ends with one table. The cases run one after another, in this order.

mod api_server;
mod credentials;
mod dead_letters;
mod faults;
mod handover;
mod hold;
mod idle;
mod inbound;
mod install;
mod leader;
mod message;
mod outage;
mod pods;
mod refusals;
mod removal;
mod routers;
mod scale_in;
mod scaling;
mod tenant;
mod upgrade;
mod world;

use std::process::ExitCode;
use std::sync::Arc;

use chat4all_e2e::context::{Context, Outcome, told};
use chat4all_e2e::proof;
use chat4all_e2e::report;
use chat4all_e2e::settings::Settings;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

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
    let mut trials = vec![
        trial("the_sample_becomes_ready_and_its_first_message_is_read", |c| Box::pin(install::case(c))),
        trial("routers_deleted_under_load_lose_nothing", |c| Box::pin(pods::routers_deleted(c))),
        trial("routers_killed_under_load_lose_nothing", |c| Box::pin(pods::routers_killed(c))),
        // Here, because the connector has been busy for more than a minute: its breaker knows a long row of successes.
        trial("a_provider_that_is_down_for_half_a_minute_costs_no_message", |c| Box::pin(outage::case(c))),
        trial("connectors_deleted_under_load_lose_nothing", |c| Box::pin(pods::connectors_deleted(c))),
        trial("connectors_killed_under_load_lose_nothing", |c| Box::pin(pods::connectors_killed(c))),
        trial("routers_scaled_to_the_maximum_and_back_lose_nothing_and_pause_no_untouched_partition", |c| {
            Box::pin(scale_in::case(c))
        }),
        trial("a_backlog_scales_the_routers_once_to_the_right_number_and_they_come_down_after_it", |c| {
            Box::pin(scaling::by_the_backlog(c))
        }),
        trial("a_broker_that_restarts_while_a_backlog_drains_costs_no_message_and_no_needless_change", |c| {
            Box::pin(scaling::by_the_backlog_while_the_broker_restarts(c))
        }),
    ];
    trials.extend(proof::short().into_iter().map(|deed| {
        let (runtime, context) = (runtime.clone(), context.clone());
        Trial::test(faults::name(&deed), move || runtime.block_on(run(|c| Box::pin(faults::case(c, deed)), context)))
    }));
    trials.extend([
        trial("scaling_switched_on_and_off_keeps_the_count_and_names_a_foreign_writer", |c| {
            Box::pin(handover::case(c))
        }),
        trial("an_idle_cluster_causes_no_writes_and_a_restart_of_the_routers_is_not_undone", |c| {
            Box::pin(idle::case(c))
        }),
        trial("a_leader_that_is_killed_is_followed_by_another_and_nothing_is_done_twice", |c| {
            Box::pin(leader::killed(c))
        }),
        trial("an_api_server_that_is_away_stops_no_message_and_the_operator_comes_back", |c| {
            Box::pin(api_server::away(c))
        }),
        trial("a_namespace_with_a_cluster_in_it_can_be_deleted_at_once", |c| Box::pin(tenant::case(c))),
        trial("an_upgrade_of_the_chart_brings_the_new_fields", |c| Box::pin(upgrade::case(c))),
        trial("a_resource_without_its_secret_says_so_and_heals_when_it_comes", |c| {
            Box::pin(refusals::missing_secret(c))
        }),
        trial("what_the_schema_forbids_is_refused_with_the_remedy", |c| Box::pin(refusals::schema(c))),
        // Late, because dead letters keep ConnectorsHealthy from being True, and then write that they do no more.
        trial("what_a_customer_writes_is_there_once_and_the_answer_goes_to_the_address_they_wrote_from", |c| {
            Box::pin(inbound::case(c))
        }),
        trial("a_refused_message_is_a_dead_letter_that_an_operator_mends_and_replays_or_leaves", |c| {
            Box::pin(dead_letters::case(c))
        }),
        trial("a_call_without_an_answer_is_held_until_the_provider_tells_and_never_made_twice", |c| {
            Box::pin(hold::case(c))
        }),
        trial("an_expired_token_stops_its_account_and_a_replaced_secret_sets_it_going_with_nothing_lost", |c| {
            Box::pin(credentials::case(c))
        }),
        trial("a_deleted_resource_takes_all_it_owned_and_leaves_the_data", |c| Box::pin(removal::case(c))),
    ]);
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
async fn run(case: impl FnOnce(Arc<Context>) -> Case, context: Arc<Context>) -> Result<(), Failed> {
    eprintln!();
    let outcome = case(context.clone()).await;
    let behaved = context.sample.simulator.behave().await;
    outcome.and_then(|()| Ok(behaved?)).map_err(|error| Failed::from(told(&*error)))
}
