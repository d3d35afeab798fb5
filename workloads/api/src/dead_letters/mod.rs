//! Work with records that were given up, for operators: look, replay, discard. Everything that is done is
//! written down first, with who did it.

pub(crate) mod discard;
mod filter;
pub(crate) mod list;
pub(crate) mod replay;
pub(crate) mod show;
pub(crate) mod sweep;
mod view;

use chat4all_message::LetterId;
use chat4all_store::{LetterBody, LetterState, StoredLetter};

use crate::Api;
use crate::conversation::shown;
use crate::problem::{Kind, Problem};

/// The letter of this id.
async fn find(api: &Api, id: &str) -> Result<(StoredLetter, LetterBody), Problem> {
    let id: LetterId = id.parse().map_err(|why| Problem::field("id", format!("{why}")))?;
    let found = api.store.letter(id).await?;
    found.ok_or_else(|| Problem::new(Kind::LetterNotFound, format!("there is no dead letter {id}")))
}

/// Refuses what is closed.
fn is_open(stored: &StoredLetter) -> Result<(), Problem> {
    let Some(closing) = &stored.closed else { return Ok(()) };
    let then = match closing.state {
        LetterState::Replayed => "; if it failed again, that is a letter of its own",
        _ => "",
    };
    let (state, by, at) = (closing.state, &closing.by, shown(closing.at));
    Err(Problem::new(Kind::LetterClosed, format!("the letter was {state} by {by} at {at}{then}")))
}
