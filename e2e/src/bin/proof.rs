//! The proof: every fault, again and again, and a reckoning after each. What is proved already for this
//! commit is not done again, so an interrupted run goes on where it was.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chat4all_e2e::context::{Context, Outcome, exit_code, told};
use chat4all_e2e::proof::record::Proof;
use chat4all_e2e::proof::{self, Deed, Run};
use chat4all_e2e::report;
use chat4all_e2e::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(run().await)
}

/// Whether everything that was to be proved was reckoned and nothing was violated.
async fn run() -> Outcome<bool> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let (rounds, rate, only) = (settings.rounds, settings.proof_rate, settings.faults.clone());
    let context = Context::new(settings).await?;
    proof::clear(&context).await?;
    context.sample.install().await?;
    let run = Run::of(&repository(), report::folder().join("proof"), rounds, rate).await?;
    let chosen = |deed: &Deed| only.is_empty() || only.iter().any(|part| deed.to_string().contains(part.as_str()));
    let mut all_reckoned = true;
    for deed in proof::all().iter().filter(|deed| chosen(deed)) {
        if run.has(deed) {
            context.say(format!("{deed}: proved before"));
            continue;
        }
        context.say(format!("{deed}, {rounds} times"));
        // One that could not even be reckoned must not keep the others from being proved.
        match proof::prove(&context, deed, rounds, rate).await {
            Ok(fault) => {
                fault.violations.iter().for_each(|violation| context.say(violation));
                run.keep(deed, &fault)?;
                // Whoever interrupts it has a report of what was proved until then.
                publish(&run)?;
            }
            Err(error) => {
                all_reckoned = false;
                context.say(format!("{deed}: {}", told(&*error)));
            }
        }
        context.sample.simulator.behave().await?;
    }
    context.report().publish(&report::folder())?;
    let proof = publish(&run)?;
    context.say(format!("the report: {}", run.folder().join("index.html").display()));
    let clean = proof.faults.iter().all(|fault| fault.violations.is_empty());
    Ok(clean && all_reckoned && !proof.faults.is_empty())
}

/// Makes the report of what was found so far, also of a run that was made before.
fn publish(run: &Run) -> Outcome<Proof> {
    let proof = run.collected(&proof::all())?;
    proof::report::publish(&proof, run.folder())?;
    Ok(proof)
}

fn repository() -> PathBuf {
    let e2e = Path::new(env!("CARGO_MANIFEST_DIR"));
    e2e.parent().unwrap_or(e2e).to_owned()
}
