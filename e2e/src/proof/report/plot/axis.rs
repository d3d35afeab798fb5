//! Axes: lines across the plot with what they stand for.

use maud::{Markup, html};

use super::scale::Scale;

/// Where in a plot something is drawn, in pixels from its top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Where it begins.
    pub top: u32,
    /// How high it is.
    pub height: u32,
}

impl Rows {
    /// Where it ends.
    pub fn bottom(self) -> u32 {
        self.top + self.height
    }

    /// The pixel of a part of the height; up is up.
    fn at(self, part: f64) -> String {
        format!("{:.1}", f64::from(self.top) + (1.0 - part) * f64::from(self.height))
    }
}

/// A part of the width.
pub fn percent(part: f64) -> String {
    format!("{:.2}%", part * 100.0)
}

/// A mark on an axis: where, and what it says.
pub type Mark = (f64, String);

/// The marks of a scale.
pub fn marks(scale: &Scale, text: impl Fn(f64) -> String) -> Vec<Mark> {
    scale.marks().into_iter().map(|value| (scale.at(value), text(value))).collect()
}

/// A level line for each mark, which stands to the left of it.
pub fn vertical(rows: Rows, marks: &[Mark]) -> Markup {
    html! {
        @for (part, text) in marks {
            @let y = rows.at(*part);
            line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
            text.tick x="-6" y=(y) dy="4" text-anchor="end" { (text) }
        }
    }
}

/// A short line for each mark, which stands below it, and what is counted.
pub fn horizontal(rows: Rows, marks: &[Mark], unit: &str) -> Markup {
    html! {
        @for (part, text) in marks {
            @let x = percent(*part);
            line.mark x1=(x) x2=(x) y1=(rows.bottom()) y2=(rows.bottom() + 4) {}
            text.tick x=(x) y=(rows.bottom() + 16) text-anchor="middle" { (text) }
        }
        text.unit x="100%" y=(rows.bottom() + 32) text-anchor="end" { (unit) }
    }
}

/// A number short enough to stand beside an axis.
pub fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{}M", value / 1e6),
        _ if value >= 1e4 => format!("{}k", value / 1e3),
        _ => format!("{}", (value * 1e6).round() / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beside_an_axis_are_short() {
        let texts = [0.0, 0.1, 0.300_000_000_000_4, 5000.0, 15_000.0, 2e6].map(short);
        assert_eq!(texts, ["0", "0.1", "0.3", "5000", "15k", "2M"]);
    }
}
