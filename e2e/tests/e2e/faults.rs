//! Faults of the proof that no other case makes, once each.

use std::sync::Arc;

use chat4all_e2e::context::{Context, Outcome};
use chat4all_e2e::proof::{Deed, prove};
use chat4all_e2e::report;

/// The name of the case.
pub fn name(deed: &Deed) -> String {
    let words = report::slug(&deed.to_string()).replace('-', "_").to_lowercase();
    format!("{words}_loses_nothing")
}

pub async fn case(context: Arc<Context>, deed: Deed) -> Outcome {
    let fault = prove(&context, &deed, 1, context.settings.rate).await?;
    if fault.violations.is_empty() { Ok(()) } else { Err(fault.violations.join("\n").into()) }
}
