//! `chat4all dlq`: looks through what was given up, replays it and discards it, over the API.

use std::error::Error;
use std::fmt::Write as _;

use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Client, Target, instant, print};

/// `chat4all dlq`.
#[derive(Debug, Subcommand)]
pub enum Dlq {
    /// List what was given up, newest first.
    List(List),
    /// Show a letter with its record and what was done with it.
    Show(Show),
    /// Put a letter's record back, as it was or mended; or all open letters that fit a filter.
    Replay(Replay),
    /// Leave a letter for good.
    Discard(Discard),
}

/// Which letters; those that fit all that is given.
#[derive(Debug, Default, clap::Args)]
struct Filter {
    /// With this reason code, for example 131026 or chat4all:unknown-outcome.
    #[arg(long)]
    reason: Option<String>,
    /// Of this connector.
    #[arg(long)]
    connector: Option<String>,
    /// For this recipient, for example whatsapp:+5562998765432.
    #[arg(long)]
    recipient: Option<String>,
    /// Given up at this instant or later, for example 2026-11-25T10:00:00Z.
    #[arg(long, value_parser = instant)]
    from: Option<Timestamp>,
    /// Given up before this instant.
    #[arg(long, value_parser = instant)]
    to: Option<Timestamp>,
}

impl Filter {
    /// What is given, by the API's names.
    fn given(&self) -> Vec<(&'static str, String)> {
        let shown = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let all = [
            ("reason", self.reason.clone()),
            ("connector", self.connector.clone()),
            ("recipient_id", self.recipient.clone()),
            ("from", shown(self.from)),
            ("to", shown(self.to)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// `chat4all dlq list`.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    filter: Filter,
    /// open, replayed or discarded; all when left out.
    #[arg(long)]
    state: Option<String>,
    /// At most so many letters.
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print each letter as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// `chat4all dlq show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    target: Target,
    /// The letter's id.
    id: Uuid,
}

/// What goes with a replay of several letters only.
const SEVERAL: [&str; 7] = ["reason", "connector", "recipient", "from", "to", "dry_run", "rate"];

/// `chat4all dlq replay`.
#[derive(Debug, clap::Args)]
pub struct Replay {
    #[command(flatten)]
    target: Target,
    /// The letter's id; left out with a filter.
    #[arg(conflicts_with_all = SEVERAL)]
    id: Option<Uuid>,
    /// Another text for this letter.
    #[arg(long, requires = "id", conflicts_with_all = SEVERAL)]
    set_content: Option<String>,
    /// Another recipient for this letter.
    #[arg(long, requires = "id", conflicts_with_all = SEVERAL)]
    set_recipient: Option<String>,
    #[command(flatten)]
    filter: Filter,
    /// Letters each second, 1 to 1000; 20 when left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: Option<u32>,
    /// Only count.
    #[arg(long)]
    dry_run: bool,
}

/// `chat4all dlq discard`.
#[derive(Debug, clap::Args)]
pub struct Discard {
    #[command(flatten)]
    target: Target,
    /// The letter's id.
    id: Uuid,
    /// Why, for those who look later.
    #[arg(long)]
    because: String,
}

/// Neither a letter nor a filter was named.
#[derive(Debug, thiserror::Error)]
#[error("name a letter's id, or at least one of --reason, --connector, --recipient, --from and --to")]
struct NothingNamed;

/// Some letters were left.
#[derive(Debug, thiserror::Error)]
#[error("{0}; what was not replayed is still open, and the same command goes on with it")]
struct NotAll(String);

pub async fn run(args: Dlq) -> Result<(), Box<dyn Error>> {
    match args {
        Dlq::List(args) => list(args).await,
        Dlq::Show(Show { target, id }) => {
            let letter: Value = Client::of(target).await?.get(&format!("/v1/dead-letters/{id}"), &[]).await?;
            Ok(print(&(serde_json::to_string_pretty(&letter)? + "\n"))?)
        }
        Dlq::Replay(args) => match args.id {
            Some(id) => replay_one(args, id).await,
            None => replay_all(args).await,
        },
        Dlq::Discard(Discard { target, id, because }) => {
            let path = format!("/v1/dead-letters/{id}/discard");
            let _: Value = Client::of(target).await?.post(&path, &json!({"reason": because})).await?;
            Ok(print(&format!("{id} is discarded\n"))?)
        }
    }
}

/// The largest page of the API.
const PAGE: u32 = 200;

async fn list(args: List) -> Result<(), Box<dyn Error>> {
    #[derive(Deserialize)]
    struct Page {
        letters: Vec<Value>,
        next_cursor: Option<String>,
    }
    let client = Client::of(args.target).await?;
    let mut query = args.filter.given();
    query.extend(args.state.map(|state| ("state", state)));
    let (mut left, mut cursor) = (args.limit, None);
    loop {
        let mut page = query.clone();
        page.push(("limit", left.min(PAGE).to_string()));
        let first = cursor.is_none();
        page.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page: Page = client.get("/v1/dead-letters", &page).await?;
        if first && !args.json {
            print(&row(&["GIVEN UP", "ID", "STATE", "REASON", "CONNECTOR", "RECIPIENT", "MESSAGE"]))?;
        }
        for letter in &page.letters {
            print(&if args.json { format!("{letter}\n") } else { shown(letter) })?;
        }
        left = left.saturating_sub(u32::try_from(page.letters.len())?);
        match page.next_cursor {
            Some(next) if left > 0 => cursor = Some(next),
            _ => return Ok(()),
        }
    }
}

fn shown(letter: &Value) -> String {
    let fields = ["given_up_at", "id", "state", "reason", "connector", "recipient_id", "message"];
    // What a provider writes must not speak to the terminal.
    let cells = fields.map(|name| letter[name].as_str().unwrap_or("-").replace(char::is_control, " "));
    row(&cells.each_ref().map(String::as_str))
}

fn row(cells: &[&str; 7]) -> String {
    let [at, id, state, reason, connector, recipient, message] = cells;
    format!("{at:<24}  {id:<36}  {state:<9}  {reason:<24}  {connector:<12}  {recipient:<24}  {message}\n")
}

async fn replay_one(args: Replay, id: Uuid) -> Result<(), Box<dyn Error>> {
    let changes = [("content", args.set_content), ("recipient_id", args.set_recipient)];
    let given = changes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
    let body: Map<String, Value> = given.collect();
    let _: Value = Client::of(args.target).await?.post(&format!("/v1/dead-letters/{id}/replay"), &body).await?;
    Ok(print(&format!("{id} is replayed; if it fails again, that is another letter\n"))?)
}

/// A line of the API's answer.
#[derive(Debug, Default, Deserialize)]
struct Progress {
    matched: u64,
    replayed: u64,
    skipped: u64,
    done: bool,
    letter: Option<Uuid>,
    problem: Option<String>,
}

async fn replay_all(args: Replay) -> Result<(), Box<dyn Error>> {
    let body = sweep(&args).ok_or(NothingNamed)?;
    let client = Client::of(args.target).await?;
    let mut last = Progress::default();
    client
        .lines("/v1/dead-letters/replay", &body, |progress: Progress| {
            last = progress;
            print(&told(&last, args.dry_run))
        })
        .await?;
    match last {
        Progress { done: true, skipped: 0, .. } => Ok(()),
        Progress { done: true, skipped, .. } => Err(NotAll(format!("{skipped} letters could not be replayed")).into()),
        Progress { problem, .. } => Err(NotAll(problem.unwrap_or_else(|| "the API went away".into())).into()),
    }
}

/// The request; `None` where nothing is named.
fn sweep(args: &Replay) -> Option<Value> {
    let filter: Map<String, Value> =
        args.filter.given().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let body = json!({"filter": filter, "rate_per_second": args.rate, "dry_run": args.dry_run});
    (!filter.is_empty()).then_some(body)
}

fn told(progress: &Progress, dry_run: bool) -> String {
    let Progress { matched, replayed, skipped, letter, problem, .. } = progress;
    if dry_run {
        return format!("{matched} open letters fit\n");
    }
    let mut text = String::new();
    if let (Some(letter), Some(problem)) = (letter, problem) {
        let _ = writeln!(text, "{letter}: {problem}");
    } else {
        let _ = writeln!(text, "{replayed} of {matched} replayed, {skipped} skipped");
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn replay(line: &str) -> Result<Replay, clap::Error> {
        match Args::try_parse_from(format!("chat4all dlq replay {line}").split_whitespace())?.command {
            Command::Dlq(Dlq::Replay(replay)) => Ok(replay),
            other => panic!("{other:?}"),
        }
    }

    const ID: &str = "0198b8a0-0000-5000-8000-000000000001";

    #[test]
    fn a_replay_by_filter_asks_for_what_is_named_and_never_for_everything() {
        assert!(sweep(&replay("--dry-run").unwrap()).is_none());
        let asked = sweep(&replay("--recipient whatsapp:+5562998765432 --rate 5 --dry-run").unwrap()).unwrap();
        let expected =
            json!({"filter": {"recipient_id": "whatsapp:+5562998765432"}, "rate_per_second": 5, "dry_run": true});
        assert_eq!(asked, expected);
    }

    #[test]
    fn a_letter_and_a_filter_exclude_each_other() {
        assert!(replay(ID).is_ok());
        assert!(replay(&format!("{ID} --set-content hi")).is_ok());
        assert!(replay(&format!("{ID} --connector main")).is_err());
        assert!(replay("--connector main --set-content hi").is_err());
    }

    #[test]
    fn a_row_shows_what_is_missing_as_a_dash() {
        let line = shown(&json!({"id": ID, "state": "open", "reason": "131026", "message": "undeliverable"}));
        assert!(line.contains(ID) && line.contains(" -  ") && line.ends_with("undeliverable\n"), "{line}");
    }

    #[test]
    fn progress_names_the_letter_that_was_skipped() {
        let skipped =
            Progress { letter: Some(Uuid::nil()), problem: Some("no connector".into()), ..Progress::default() };
        assert!(told(&skipped, false).ends_with(": no connector\n"));
        assert_eq!(told(&Progress { matched: 7, ..Progress::default() }, true), "7 open letters fit\n");
    }
}
