//! Dead letters in memory, by their place among all.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use async_trait::async_trait;
use chat4all_message::LetterId;
use jiff::Timestamp;

use super::{Memory, to_millis};
use crate::dead_letters::SCAN;
use crate::{
    Closing, DeadLetter, DeadLetters, Deed, LetterBody, LetterCursor, LetterFilter, LetterPage, Result, StoredLetter,
};

#[derive(Debug, Default)]
pub(super) struct Letters {
    letters: BTreeMap<LetterCursor, (StoredLetter, LetterBody)>,
    places: HashMap<LetterId, LetterCursor>,
    deeds: HashMap<LetterId, Vec<Deed>>,
}

#[async_trait]
impl DeadLetters for Memory {
    async fn given_up_at(&self, letter: LetterId) -> Result<Option<Timestamp>> {
        Ok(self.state().letters.places.get(&letter).map(|place| place.given_up_at))
    }

    async fn put_letter(&self, letter: &DeadLetter, body: &LetterBody) -> Result<()> {
        let letters = &mut self.state().letters;
        if !letters.places.contains_key(&letter.id) {
            let at = letter.origin.at.map(to_millis);
            let origin = crate::Origin { at, ..letter.origin.clone() };
            let letter = DeadLetter { given_up_at: to_millis(letter.given_up_at), origin, ..letter.clone() };
            letters.places.insert(letter.id, letter.cursor());
            letters.letters.insert(letter.cursor(), (StoredLetter { letter, closed: None }, body.clone()));
        }
        Ok(())
    }

    async fn letter(&self, letter: LetterId) -> Result<Option<(StoredLetter, LetterBody)>> {
        let letters = &self.state().letters;
        Ok(letters.places.get(&letter).and_then(|place| letters.letters.get(place)).cloned())
    }

    async fn letters(&self, filter: &LetterFilter, before: Option<LetterCursor>, limit: usize) -> Result<LetterPage> {
        let letters = &self.state().letters.letters;
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = LetterPage { letters: Vec::new(), next: None };
        for (looked, (place, (letter, _))) in letters.range((Bound::Unbounded, end)).rev().enumerate() {
            if looked == SCAN || page.letters.len() == limit {
                return Ok(page);
            }
            page.next = Some(*place);
            if filter.fits(letter) {
                page.letters.push(letter.clone());
            }
        }
        Ok(LetterPage { next: None, ..page })
    }

    async fn close_letter(&self, letter: LetterCursor, closing: &Closing) -> Result<bool> {
        let closing = Closing { at: to_millis(closing.at), ..closing.clone() };
        let letters = &mut self.state().letters;
        let Some((stored, _)) = letters.letters.get_mut(&letter) else { return Ok(false) };
        Ok(*stored.closed.get_or_insert_with(|| closing.clone()) == closing)
    }

    async fn note_deed(&self, letter: LetterId, deed: &Deed) -> Result<()> {
        let deed = Deed { at: to_millis(deed.at), ..deed.clone() };
        self.state().letters.deeds.entry(letter).or_default().push(deed);
        Ok(())
    }

    async fn deeds(&self, letter: LetterId) -> Result<Vec<Deed>> {
        Ok(self.state().letters.deeds.get(&letter).cloned().unwrap_or_default())
    }
}
