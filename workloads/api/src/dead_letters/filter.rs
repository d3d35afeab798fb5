//! Which letters a request wants, from its parameters or from its body.

use std::collections::BTreeMap;

use chat4all_store::{LetterFilter, LetterState};

use crate::fields::Fields;
use crate::problem::Problem;

/// The names of what one can filter by.
const NAMES: &str = "reason, connector, recipient_id, from and to";

/// From the parameters of a query.
pub(super) fn of_query(query: &BTreeMap<String, String>) -> Result<LetterFilter, Problem> {
    let filter = read(|name| Ok(query.get(name).cloned()))?;
    let state = query.get("state").map(|name| {
        let wrong = || Problem::field("state", "state must be open, replayed or discarded");
        LetterState::named(name).ok_or_else(wrong)
    });
    Ok(LetterFilter { state: state.transpose()?, ..filter })
}

/// Open letters, from the filter in a body: it must name something, and nothing that is not known here.
pub(super) fn of_fields(fields: Option<Fields>) -> Result<LetterFilter, Problem> {
    let wrong = || {
        let detail = format!("filter must be an object with some of {NAMES}; for all letters give from alone");
        Problem::field("filter", detail)
    };
    let mut fields = fields.ok_or_else(wrong)?;
    let filter = read(|name| fields.optional_text(name))?;
    fields.nothing_else("filter", NAMES)?;
    if filter == LetterFilter::default() {
        return Err(wrong());
    }
    Ok(LetterFilter { state: Some(LetterState::Open), ..filter })
}

fn read(mut text: impl FnMut(&'static str) -> Result<Option<String>, Problem>) -> Result<LetterFilter, Problem> {
    let mut instant = |name: &'static str| {
        let wrong = |_| Problem::field(name, format!("{name} must be an instant, for example 2026-11-25T10:00:00Z"));
        text(name)?.map(|text| text.parse().map_err(wrong)).transpose()
    };
    let (from, to) = (instant("from")?, instant("to")?);
    let recipient = text("recipient_id")?;
    let recipient = recipient.map(|text| text.parse().map_err(|why| Problem::field("recipient_id", format!("{why}"))));
    Ok(LetterFilter {
        reason: text("reason")?,
        connector: text("connector")?,
        recipient: recipient.transpose()?,
        from,
        to,
        state: None,
    })
}
