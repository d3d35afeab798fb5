//! The report as one page: no script, no style, picture or letter from elsewhere.

mod fault;
mod head;
mod legend;
mod table;

use maud::{DOCTYPE, PreEscaped, html};

use super::columns::COLUMNS;
use super::facts::again;
use super::number::day;
use super::plot::latency::Accept;
use super::plot::pauses::Pauses;
use crate::proof::record::{Fault, Proof};

/// The whole page.
pub fn page(proof: &Proof) -> String {
    let accept = Accept::of(proof);
    let title = format!("Proof of {}", day(proof.began));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // The browser holds the page to it.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                main {
                    (head::head(proof, &title))
                    h2 { "What became of the messages" }
                    (table::figures(proof))
                    h2 { "How long it stood still" }
                    p { "Each dot is one round. The axis is logarithmic." }
                    (legend::pauses())
                    (pauses(proof))
                    h2 { "How fast the API accepts" }
                    p {
                        "Counted from when a message was meant to be sent. From 90 upwards, each line leaves a tenth of \
                         the messages that the one below leaves; a curve that reaches the top has all."
                    }
                    (legend::all_latencies())
                    div.wide { (accept.all(proof, "accept")) }
                    h2 { "Fault by fault" }
                    @for (fault, number) in proof.faults.iter().zip(1..) { (fault::section(fault, number, &accept)) }
                    h2 { "What the columns mean" }
                    dl.meaning { @for column in &COLUMNS { dt { (column.heading) } dd { (column.meaning) } } }
                    h2 { "How to do it again" }
                    pre { code { (again(proof)) } }
                    p { "The same as text: " a href="proof.md" { "proof.md" } ". The data: " a href="proof.json" { "proof.json" } "." }
                }
            }
        }
    };
    page.into_string() + "\n"
}

fn pauses(proof: &Proof) -> maud::Markup {
    let pauses = Pauses::of(proof);
    html! {
        div.pauses {
            (pauses.axis())
            @for (fault, number) in proof.faults.iter().zip(1..) {
                a href=(format!("#{}", anchor(number))) { (fault.name) }
                (pauses.row(fault, &format!("pauses-{number}")))
                (fault::times(fault))
            }
            (pauses.axis())
        }
    }
}

/// What a fault is called in links.
fn anchor(number: usize) -> String {
    format!("fault-{number}")
}

/// Whether a fault has anything to plot over time.
fn has_time(fault: &Fault) -> bool {
    !fault.timeline.is_empty() || !fault.rounds.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn a_loss_is_told_at_the_top() {
        let mut proof = example::proof();
        proof.faults[1].messages.lost = 1;
        proof.faults[1].violations = vec!["lost: message 7 is in the store without a delivery".to_owned()];
        let page = page(&proof);
        let place = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what} is not in {page}"));
        assert!(place("Not proved") < place("accepted under"));
        assert!(place("lost: message 7") < place("<h2>"));
        assert!(place("1 message lost") < place("<h2>"));
    }

    #[test]
    fn violations_are_all_on_the_page_and_the_first_are_open() {
        let mut proof = example::proof();
        proof.faults[0].violations = (0..35).map(|n| format!("violation {n}.")).collect();
        let page = page(&proof);
        assert!((0..35).all(|n| page.contains(&format!("violation {n}."))));
        assert!(page.find("violation 9.") < page.find("25 more") && page.find("25 more") < page.find("violation 10."));
    }

    #[test]
    fn what_is_named_elsewhere_is_text_and_no_markup() {
        let mut proof = example::proof();
        let evil = "<script>alert('&\"')</script>";
        proof.commit = evil.to_owned();
        proof.machine.processor = evil.to_owned();
        proof.faults[0].name = evil.to_owned();
        proof.faults[0].violations = vec![evil.to_owned()];
        proof.faults[0].rounds[0].victim = evil.to_owned();
        let page = page(&proof);
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;alert('&amp;&quot;')&lt;/script&gt;"));
    }

    #[test]
    fn the_page_needs_nothing_beside_itself() {
        let page = page(&example::proof());
        for outside in ["http:", "https:", "//", "src=", "url(", "@import", "<script", "<link", "<iframe", "<object"] {
            assert!(!page.contains(outside), "{outside}");
        }
        let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(
            links.iter().all(|link| link.starts_with('#') || ["proof.md", "proof.json"].contains(link)),
            "{links:?}"
        );
    }

    #[test]
    fn every_link_within_the_page_has_its_end_and_no_two_ends_are_alike() {
        let page = page(&example::proof());
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let links = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
        links.for_each(|link| assert!(ids.contains(&link), "{link}"));
        let before = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), before);
    }

    #[test]
    fn every_plot_can_be_heard() {
        let page = page(&example::proof());
        let images = page.matches("role=\"img\"").count();
        assert!(images > 0);
        assert_eq!((page.matches("-title\">").count(), page.matches("-desc\">").count()), (images, images));
    }
}
