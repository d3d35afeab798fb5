//! Rows of two figures side by side, how one relates to the other, and what is aimed at.

use chat4all_measure::{Rounded, rounded};
use serde::Serialize;

use crate::cores::Cores;
use crate::parts::Part;

/// What the floor does, and what ours does.
#[derive(Serialize)]
pub struct Beside {
    floor: Rounded,
    ours: Rounded,
}

impl From<[Rounded; 2]> for Beside {
    fn from([floor, ours]: [Rounded; 2]) -> Self {
        Self { floor, ours }
    }
}

/// What it is where there is little, and where there is much.
#[derive(Serialize)]
pub struct Grown {
    few: Rounded,
    many: Rounded,
}

impl From<[Rounded; 2]> for Grown {
    fn from([few, many]: [Rounded; 2]) -> Self {
        Self { few, many }
    }
}

/// The names of the fields are the headings.
#[derive(Serialize)]
pub struct Row<P> {
    part: Part,
    case: String,
    figure: &'static str,
    #[serde(flatten)]
    pair: P,
    share_percent: Option<Rounded>,
    aim: &'static str,
}

/// The rows of a part.
pub struct Rows<P> {
    part: Part,
    rows: Vec<Row<P>>,
}

impl<P: From<[Rounded; 2]>> Rows<P> {
    pub fn of(part: Part) -> Self {
        Self { part, rows: Vec::new() }
    }

    /// A figure where more is better.
    pub fn rate(&mut self, case: &str, figure: &'static str, pair: [f64; 2], aim: &'static str) {
        let share = 100.0 * pair[1] / pair[0];
        self.add(case, figure, pair.map(|rate| rounded(rate, 0)), Some(rounded(share, 0)), aim);
    }

    /// Figures whose relation says nothing.
    pub fn note(&mut self, case: &str, figure: &'static str, pair: [f64; 2], decimals: i32, aim: &'static str) {
        self.add(case, figure, pair.map(|figure| rounded(figure, decimals)), None, aim);
    }

    fn add(
        &mut self,
        case: &str,
        figure: &'static str,
        pair: [Rounded; 2],
        share_percent: Option<Rounded>,
        aim: &'static str,
    ) {
        let (part, case, pair) = (self.part, case.to_owned(), pair.into());
        self.rows.push(Row { part, case, figure, pair, share_percent, aim });
    }

    /// All of them.
    pub fn all(self) -> Vec<Row<P>> {
        self.rows
    }
}

impl Rows<Beside> {
    /// The least and the most of the rounds.
    pub fn spread(&mut self, case: &str, [floor, ours]: [[f64; 2]; 2]) {
        self.note(case, "least of the rounds", [floor[0], ours[0]], 0, "");
        self.note(case, "most of the rounds", [floor[1], ours[1]], 0, "");
    }

    /// Who used the cores at so many messages a second.
    pub fn usage(&mut self, case: &str, cores: [&Cores; 2], rates: [f64; 2]) {
        let cost = [0, 1].map(|side| cores[side].process * 1e6 / rates[side]);
        self.note(case, "its own CPU, µs a message", cost, 0, "");
        self.note(case, "cores of its own", cores.map(|used| used.process), 2, "");
        self.note(case, "cores of the load", cores.map(|used| used.load), 2, "");
        self.note(case, "cores of all the rest", cores.map(|used| used.rest), 2, "");
    }
}

/// A number as people read it.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_its_two_columns_after_what_is_compared() {
        let (mut beside, mut grown) = (Rows::<Beside>::of(Part::Router), Rows::<Grown>::of(Part::Read));
        beside.rate("10,000 records", "messages/s", [40_000.4, 20_000.0], "60 %");
        grown.note("1,000 and 100,000 messages", "p99, ms", [2.04, 2.5], 1, "flat");
        assert_eq!(
            serde_json::to_string(&beside.all()).unwrap(),
            r#"[{"part":"router","case":"10,000 records","figure":"messages/s","floor":40000,"ours":20000,"share_percent":50,"aim":"60 %"}]"#
        );
        assert_eq!(
            serde_json::to_string(&grown.all()).unwrap(),
            r#"[{"part":"read","case":"1,000 and 100,000 messages","figure":"p99, ms","few":2.0,"many":2.5,"share_percent":null,"aim":"flat"}]"#
        );
    }
}
