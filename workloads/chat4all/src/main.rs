//! The binary of every workload: `api`, `router`, `connector`, `migrate`, for development `simulator`
//! and `dev`, and commands that ask a running hub. Here settings become types; what is done with them is in the crates.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admin;
mod args;
mod client;
mod complaint;
mod run;
mod signals;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

/// glibc's keeps what it once had, a heap for each thread: sixty logins, each of which needs 19 MiB for a
/// moment, left 240 MiB behind. This one gives such blocks back at once.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let for_people = args::is_for_people(std::env::args().skip(1));
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            match complaint::of(&error) {
                // The library's text names options, which is what people type.
                Some(text) if !for_people => eprintln!("{text}"),
                _ => error.exit(),
            }
            return ExitCode::from(2);
        }
    };
    telemetry::start(args.log_format);
    // Several TLS libraries are compiled in by dependencies; this one is ours.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::error!("a TLS provider was installed before ours");
        return ExitCode::FAILURE;
    }
    match run::run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match telemetry::with_causes(&*error) {
                text if for_people => eprintln!("{text}"),
                text => tracing::error!("{text}"),
            }
            ExitCode::FAILURE
        }
    }
}
