//! One fault: its time line, how fast was accepted meanwhile, and its rounds.

use maud::{Markup, html};

use super::super::figures::{Figures, Spread};
use super::super::number::{NONE, count, counted, millis, second, seconds};
use super::super::plot::latency::Accept;
use super::super::plot::timeline::timeline;
use super::{anchor, has_time, legend};
use crate::proof::record::Fault;

/// All of one fault.
pub fn section(fault: &Fault, number: usize, accept: &Accept) -> Markup {
    html! {
        section id=(anchor(number)) {
            h3 { (fault.name) }
            p { (summary(fault)) }
            div.fault {
                @if has_time(fault) {
                    figure { figcaption { (legend::time()) } (timeline(fault, &format!("time-{number}"))) }
                }
                figure { figcaption { (legend::one_latency()) } (accept.one(fault, &format!("accept-{number}"))) }
            }
            @if !fault.rounds.is_empty() {
                details { summary { (counted(fault.rounds.len() as u64, "round")) } (rounds(fault)) }
            }
        }
    }
}

fn summary(fault: &Fault) -> String {
    let Fault { api, ledger, messages, .. } = fault;
    format!(
        "{} accepted, half within {} ms, 95 of 100 within {} ms, 99 of 100 within {} ms; {} repeated. The ledger counts {}: \
         {} on the way, {} in the dead-letter queue, {} unaccounted for.",
        counted(messages.accepted, "message"),
        millis(api.p50_ms),
        millis(api.p95_ms),
        millis(api.p99_ms),
        counted(api.repeated, "request"),
        counted(ledger.accepted, "message"),
        count(ledger.in_flight),
        count(ledger.dead_lettered),
        count(ledger.unaccounted),
    )
}

fn rounds(fault: &Fault) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(format!("Rounds: {}", fault.name)) {
            table {
                thead {
                    tr {
                        @for heading in ["Round", "At, UTC", "What it was done to", "Kept up, s", "Longest pause, s", "Normal after, s"] {
                            th scope="col" { (heading) }
                        }
                    }
                }
                tbody {
                    @for (n, round) in fault.rounds.iter().enumerate() {
                        tr {
                            th scope="row" { (n + 1) }
                            td { (second(round.at)) }
                            td.words { (round.victim) }
                            @for value in [round.kept_s, round.longest_pause_s, round.normal_after_s] { td { (seconds(value)) } }
                        }
                    }
                }
            }
        }
    }
}

/// The pauses and the times back to normal in words, to stand beside their dots.
pub fn times(fault: &Fault) -> Markup {
    let Figures { pause, normal_after, .. } = Figures::of(fault);
    let told = |spread: Option<Spread>| match spread {
        Some(Spread { median, worst }) => format!("median {} s, worst {} s", seconds(median), seconds(worst)),
        None => NONE.to_owned(),
    };
    html! {
        ul.legend.times {
            li { span.dot.pause {} (told(pause)) }
            li { span.dot.normal {} (told(normal_after)) }
        }
    }
}
