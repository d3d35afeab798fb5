//! The operator's process.

use std::process::ExitCode;

use chat4all_operator::cli::Args;
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nothing was installed before");
    args.run().await
}
