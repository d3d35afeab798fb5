//! The soak: a load for an hour while a pod ends each minute. Nothing is lost, and no process grows.

mod chance;
mod deletions;
mod flat;
mod process;
mod row;
mod watch;

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use chance::Chance;
use watch::Watch;

pub use row::MemoryRow;

use crate::context::{Context, Outcome, told};
use crate::kube::{ready, rolled_out_with};
use crate::report::{self, Row, print, table, write};
use crate::settings::Settings;
use crate::story::{Duplicates, Reckoning, Story, Watched};

const CASE: &str = "soak";

/// With one, it would be deleted every few minutes, and none would live long enough to be judged.
const CONNECTORS: u32 = 2;
const ROLLED_WITHIN: Duration = Duration::from_secs(180);

/// What a soak found.
pub struct Found {
    /// The memory of each process.
    pub memory: Vec<MemoryRow>,
    /// What became of the messages.
    pub messages: Row,
    /// What is not as it must be, a line each.
    pub violations: Vec<String>,
}

impl Found {
    /// Prints both tables and writes them into this folder, as `soak.json` and `soak-messages.json`.
    pub fn publish(&self, folder: &Path) -> Result<(), report::Error> {
        let messages = std::slice::from_ref(&self.messages);
        print(&format!("\n{}\n{}", table(&self.memory), table(messages)));
        write(&folder.join("soak.json"), &self.memory)?;
        write(&folder.join("soak-messages.json"), &messages)
    }
}

/// Does it, on the sample as it is installed, with a second connector for this time.
pub async fn soak(context: &Context) -> Outcome<Found> {
    let resource = context.sample.resource.find().await?.ok_or("the sample is not installed")?;
    let before = resource.spec.connectors.first().ok_or("the sample has no connector")?.replicas;
    let found = match connectors(context, CONNECTORS).await {
        Ok(()) => under_load(context).await,
        Err(error) => Err(error),
    };
    let restored = connectors(context, u32::try_from(before)?).await;
    let mut found = found?;
    found.violations.extend(restored.err().map(|error| format!("not as before afterwards: {}", told(&*error))));
    Ok(found)
}

async fn under_load(context: &Context) -> Outcome<Found> {
    let Settings { soak_minutes: minutes, soak_rate: rate, soak_seed, conversations, .. } = context.settings;
    // The id of a run is made of chance.
    let seed = soak_seed.unwrap_or(context.run.as_u64_pair().0);
    context.say(format!("{minutes} min at {rate} messages a second"));
    context.say(format!("C4A_SOAK_SEED={seed} repeats the order of deletions"));
    let watch = Watch::start(context.sample.clone());
    let mut story = Story::begin_with(context, CASE, Watched::Routers, rate, conversations, 1).await?;
    let done = deletions::each_minute(context, &mut story, minutes, Chance::of(seed)).await;
    let seen = watch.seen();
    drop(watch);
    let lasted = Duration::from_secs(60 * u64::from(minutes));
    let Reckoning { history, findings, pauses, ledger, mut violations, .. } =
        story.reckon(done, Duplicates::Named).await?;
    if let Some(ledger) = ledger {
        context.say(format!("the ledger says {ledger:?}"));
    }

    let memory = row::rows(&seen, rate);
    // One whose pod is there in the end as well has been told of.
    let more: Vec<String> = seen.restarted.into_iter().filter(|line| !violations.contains(line)).collect();
    violations.extend(more);
    violations.extend(row::violations(&memory, lasted));
    Ok(Found { memory, messages: Row::of(CASE, &history, &findings, &pauses), violations })
}

/// Sets the number of the connector's pods, and waits until they are there.
async fn connectors(context: &Context, replicas: u32) -> Outcome {
    let sample = &context.sample;
    sample.resource.edit(|object| object["spec"]["connectors"][0]["replicas"] = json!(replicas)).await?;
    sample.connectors.deployment.until(rolled_out_with(replicas), ROLLED_WITHIN).await?;
    sample.resource.until(ready(), ROLLED_WITHIN).await?;
    Ok(())
}
