//! What is read first: whether it is proved, what was found, and when, where and on what.

use maud::{Markup, html};

use super::super::against::{Against, against};
use super::super::claim::{claim, verdict};
use super::super::facts::facts;
use super::anchor;
use crate::proof::record::Proof;

/// How many violations of a fault are read without opening them.
const SHOWN: usize = 10;

/// The head of the page.
pub fn head(proof: &Proof, title: &str) -> Markup {
    let against = against(proof);
    html! {
        header {
            h1 { (title) }
            div.verdict.bad[!against.is_empty()] {
                p { strong { (verdict(proof, &against)) } }
                @for against in &against { (violations(against)) }
            }
            p.claim { (claim(proof)) }
            dl.facts { @for (name, fact) in facts(proof) { div { dt { (name) } dd { (fact) } } } }
        }
    }
}

fn violations(against: &Against<'_>) -> Markup {
    let (shown, more) = against.violations.split_at(against.violations.len().min(SHOWN));
    let list = |lines: &[String]| html! { @if !lines.is_empty() { ul { @for line in lines { li { (line) } } } } };
    html! {
        p { a href=(format!("#{}", anchor(against.number))) { (against.fault) } ": " (against.what) }
        (list(shown))
        @if !more.is_empty() { details { summary { (more.len()) " more" } (list(more)) } }
    }
}
