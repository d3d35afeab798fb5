//! The time line of a fault: what came in and what went out, what waited, how many routers there were, and the rounds.

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::facts::told;
use super::super::number::{count, counted, second};
use super::axis::{Mark, Rows, horizontal, marks, percent, short, vertical};
use super::curve::{Point, Shape, curve};
use super::frame::Frame;
use super::scale::Scale;
use crate::proof::record::{Fault, Round, Second};

const RATES: Rows = Rows { top: 50, height: 96 };
const WAITING: Rows = Rows { top: 176, height: 60 };
const ROUTERS: Rows = Rows { top: 266, height: 44 };
const HEIGHT: u32 = 348;

/// Where it is shown when everything was normal again.
const STRIP: Rows = Rows { top: 18, height: 5 };

/// Seconds further apart than this have something missing between them.
const GAP_S: f64 = 2.5;

/// With more rounds than this, only each fifth has its number, so that the numbers stand apart on a narrow screen.
const NUMBERED: usize = 15;

/// The time line of a fault. `id` is unlike that of every other plot.
pub fn timeline(fault: &Fault, id: &str) -> Markup {
    let time = Time::of(fault);
    let highest = |of: fn(&Second) -> u64| fault.timeline.iter().map(of).max().unwrap_or_default();
    let (accepted, delivered) = (highest(|s| s.accepted.into()), highest(|s| s.delivered.into()));
    let (waiting, routers) = (highest(|s| s.waiting), highest(|s| s.routers.unwrap_or_default().into()));
    let rates = Scale::of_counts(accepted.max(delivered), 3);
    let backlog = Scale::of_counts(waiting, 2);
    let replicas = Scale::of_counts(routers, 2);
    let description = format!(
        "{}; at most {} accepted and {} delivered in a second, at most {} waiting, at most {}. {}.",
        time.told(),
        count(accepted),
        count(delivered),
        count(waiting),
        counted(routers, "ready router"),
        counted(fault.rounds.len() as u64, "round"),
    );
    let frame = Frame { id, title: &format!("Time line: {}", fault.name), description: &description, height: HEIGHT };
    let panel = |rows: Rows, scale: &Scale, caption: &str| {
        html! {
            (vertical(rows, &marks(scale, short)))
            text.caption x="0" y=(rows.top - 8) { (caption) }
        }
    };
    let line = |class: &str, rows, shape, scale: &Scale, of: fn(&Second) -> Option<f64>| {
        curve(class, rows, shape, &time.runs(&fault.timeline, scale, of))
    };
    frame.around(&html! {
        @for (n, round) in fault.rounds.iter().enumerate() { (mark(&time, n + 1, fault.rounds.len(), round)) }
        (panel(RATES, &rates, "messages a second"))
        (line("accepted", RATES, Shape::Line, &rates, |s| Some(s.accepted.into())))
        (line("delivered", RATES, Shape::Line, &rates, |s| Some(s.delivered.into())))
        (panel(WAITING, &backlog, "messages waiting"))
        (line("waiting", WAITING, Shape::Area, &backlog, |s| Some(s.waiting as f64)))
        (panel(ROUTERS, &replicas, "ready routers"))
        (line("routers", ROUTERS, Shape::Steps, &replicas, |s| s.routers.map(f64::from)))
        (horizontal(ROUTERS, &time.marks(), &format!("{} since the load began", time.unit)))
    })
}

/// A round: a line where it was made, shaded for as long as it was kept up, and above it a bar until everything was
/// normal again.
fn mark(time: &Time, number: usize, of: usize, round: &Round) -> Markup {
    let from = time.since(round.at);
    let end = |after: f64| time.at(from + after) - time.at(from);
    let at = percent(time.at(from));
    html! {
        g.round {
            title { "Round " (number) ", " (second(round.at)) ": " (told(round)) }
            rect.kept x=(at) y=(STRIP.top) width=(percent(end(round.kept_s))) height=(ROUTERS.bottom() - STRIP.top) {}
            rect.until-normal x=(at) y=(STRIP.top) width=(percent(end(round.normal_after_s))) height=(STRIP.height) {}
            line.at x1=(at) x2=(at) y1=(STRIP.top) y2=(ROUTERS.bottom()) {}
            @if of <= NUMBERED || number.is_multiple_of(5) {
                text.tick x=(at) y="12" text-anchor="middle" { (number) }
            }
        }
    }
}

/// The horizontal axis.
struct Time {
    began: Timestamp,
    scale: Scale,
    /// Seconds in one unit.
    unit_s: f64,
    unit: &'static str,
}

impl Time {
    /// From the beginning of the load to the last that happened in it.
    fn of(fault: &Fault) -> Self {
        let since = |at: Timestamp| at.duration_since(fault.began).as_secs_f64();
        let seconds = fault.timeline.iter().map(|second| since(second.at));
        let rounds = fault.rounds.iter().map(|round| since(round.at) + round.kept_s.max(round.normal_after_s));
        let last = seconds.chain(rounds).filter(|end| end.is_finite()).reduce(f64::max);
        let span = last.unwrap_or_else(|| since(fault.ended)).max(1.0);
        let (unit_s, unit) = if span > 180.0 { (60.0, "minutes") } else { (1.0, "seconds") };
        Self { began: fault.began, scale: Scale::up_to(span / unit_s, 8), unit_s, unit }
    }

    /// In seconds.
    fn since(&self, at: Timestamp) -> f64 {
        at.duration_since(self.began).as_secs_f64()
    }

    /// Where these seconds after the beginning lie.
    fn at(&self, seconds: f64) -> f64 {
        self.scale.at(seconds / self.unit_s)
    }

    fn marks(&self) -> Vec<Mark> {
        marks(&self.scale, short)
    }

    fn told(&self) -> String {
        match self.scale {
            Scale::Linear { high, .. } => format!("{high:.1} {} of load", self.unit),
            Scale::Decades { .. } => String::new(),
        }
    }

    /// The seconds that have this value, without a line over those that are missing.
    fn runs(&self, timeline: &[Second], scale: &Scale, of: fn(&Second) -> Option<f64>) -> Vec<Vec<Point>> {
        let mut runs: Vec<Vec<Point>> = Vec::new();
        let mut before = None;
        for second in timeline {
            let Some(value) = of(second) else {
                before = None;
                continue;
            };
            let seconds = self.since(second.at);
            let point = (self.at(seconds), scale.at(value));
            match runs.last_mut() {
                Some(run) if before.is_some_and(|before| seconds - before <= GAP_S) => run.push(point),
                _ => runs.push(vec![point]),
            }
            before = Some(seconds);
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::example;
    use super::*;

    fn fault() -> Fault {
        example::proof().faults.remove(0)
    }

    #[test]
    fn the_time_line_reaches_to_the_end_of_the_last_round() {
        let mut fault = fault();
        let last = fault.rounds.last_mut().unwrap();
        last.normal_after_s = 3600.0;
        let at = last.at;
        let time = Time::of(&fault);
        assert_eq!((time.unit, time.at(time.since(at) + 3600.0)), ("minutes", 1.0));
    }

    #[test]
    fn a_second_that_is_missing_leaves_a_gap() {
        let mut fault = fault();
        fault.timeline.truncate(12);
        fault.timeline.drain(4..7);
        fault.timeline[7].routers = None;
        let time = Time::of(&fault);
        let runs = |of: fn(&Second) -> Option<f64>| {
            let runs = time.runs(&fault.timeline, &Scale::up_to(1.0, 1), of);
            runs.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(runs(|s| Some(s.accepted.into())), [4, 5]);
        assert_eq!(runs(|s| s.routers.map(f64::from)), [4, 3, 1]);
    }

    #[test]
    fn a_round_is_shaded_for_as_long_as_it_was_kept_up() {
        let mut fault = fault();
        fault.rounds.truncate(1);
        fault.timeline.truncate(100);
        fault.rounds[0].at = fault.began + std::time::Duration::from_secs(20);
        fault.rounds[0].kept_s = 10.0;
        fault.rounds[0].normal_after_s = 25.0;
        let drawn = timeline(&fault, "id").into_string();
        assert!(drawn.contains(r#"<rect class="kept" x="20.00%" y="18" width="10.00%""#), "{drawn}");
        assert!(drawn.contains(r#"<rect class="until-normal" x="20.00%" y="18" width="25.00%""#), "{drawn}");
        assert!(drawn.contains("kept up 10.0 s, longest pause"), "{drawn}");
    }
}
