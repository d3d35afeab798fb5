//! The columns of the table: what each says, and what it means.

use super::figures::Figures;
use super::number::{NONE, count, millis, seconds};

/// A column of figures.
pub struct Column {
    /// What it belongs to; columns of one group stand side by side.
    pub group: &'static str,
    /// Its heading.
    pub heading: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What it says of these figures.
    pub cell: fn(&Figures) -> Cell,
}

/// What a column says.
#[derive(Debug, PartialEq, Eq)]
pub struct Cell {
    /// As text.
    pub text: String,
    /// Whether it speaks against the proof.
    pub bad: bool,
}

impl Cell {
    fn number(n: u64) -> Self {
        Self { text: count(n), bad: false }
    }

    /// A number that must be zero.
    fn none_allowed(n: u64) -> Self {
        Self { text: count(n), bad: n > 0 }
    }

    fn optional(value: Option<f64>, text: fn(f64) -> String) -> Self {
        Self { text: value.map_or_else(|| NONE.to_owned(), text), bad: false }
    }
}

/// All of them, from left to right.
pub const COLUMNS: [Column; 14] = [
    Column {
        group: "",
        heading: "Rounds",
        meaning: "How often the fault was made, one after another under one load.",
        cell: |f| Cell::number(f.rounds),
    },
    Column {
        group: "Messages",
        heading: "Accepted",
        meaning: "Messages that the API answered with 202. The identifier of each is written down and looked for in the \
                  end.",
        cell: |f| Cell::number(f.messages.accepted),
    },
    Column {
        group: "Messages",
        heading: "Lost",
        meaning: "Accepted and not delivered. Must be 0.",
        cell: |f| Cell::none_allowed(f.messages.lost),
    },
    Column {
        group: "Messages",
        heading: "Stored twice",
        meaning: "Held twice by the store, so that the same message would be read twice. Must be 0.",
        cell: |f| Cell::none_allowed(f.messages.stored_twice),
    },
    Column {
        group: "Messages",
        heading: "Received again",
        meaning: "Received by the provider once more. It happens when the provider's answer does not come back: nobody \
                  can know then whether the message arrived, and it is sent again rather than lost.",
        cell: |f| Cell { text: count(f.messages.duplicated), bad: f.unnamed() > 0 },
    },
    Column {
        group: "Messages",
        heading: "Of them named",
        meaning: "Those that the ledger had named beforehand as unknown outcomes. Must be as many as were received again.",
        cell: |f| Cell { text: count(f.messages.of_them_named), bad: f.unnamed() > 0 },
    },
    Column {
        group: "Messages",
        heading: "Out of order",
        meaning: "Reached the provider before an earlier message of the same conversation. Must be 0.",
        cell: |f| Cell::none_allowed(f.messages.out_of_order),
    },
    Column {
        group: "Time, s",
        heading: "Longest pause",
        meaning: "The longest time for which a partition with work had nothing delivered, over all rounds.",
        cell: |f| Cell::optional(f.pause.map(|pause| pause.worst), seconds),
    },
    Column {
        group: "Time, s",
        heading: "Normal after, median",
        meaning: "Time until messages of every partition went all the way again, all that were refused meanwhile had \
                  been accepted, and all pods were ready; half of the rounds took no longer.",
        cell: |f| Cell::optional(f.normal_after.map(|normal| normal.median), seconds),
    },
    Column {
        group: "Time, s",
        heading: "Normal after, worst",
        meaning: "The same of the round that took longest.",
        cell: |f| Cell::optional(f.normal_after.map(|normal| normal.worst), seconds),
    },
    Column {
        group: "API",
        heading: "Repeated requests",
        meaning: "Requests that were answered otherwise than with 202, or not at all, and were sent again as the same \
                  message.",
        cell: |f| Cell::number(f.repeated),
    },
    Column {
        group: "API",
        heading: "Accept p50, ms",
        meaning: "Time from when a message was meant to be sent until it was accepted; half of the messages took no \
                  longer. A message that had to wait because the API stood still counts with its waiting.",
        cell: |f| Cell::optional(f.p50_ms, millis),
    },
    Column {
        group: "API",
        heading: "Accept p99, ms",
        meaning: "The same of 99 of 100 messages.",
        cell: |f| Cell::optional(f.p99_ms, millis),
    },
    Column {
        group: "Ledger",
        heading: "Unaccounted",
        meaning: "Messages that the hub's own check of its ledger finds neither delivered, nor on the way, nor in the \
                  dead-letter queue. Must be 0.",
        cell: |f| Cell::none_allowed(f.unaccounted),
    },
];

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn bad(figures: &Figures) -> Vec<&'static str> {
        COLUMNS.iter().filter(|column| (column.cell)(figures).bad).map(|column| column.heading).collect()
    }

    #[test]
    fn only_what_must_be_zero_and_is_not_is_bad() {
        let mut figures = Figures::of(&example::proof().faults[0]);
        (figures.messages.duplicated, figures.messages.of_them_named) = (2, 2);
        assert!(bad(&figures).is_empty());
        figures.messages.lost = 1;
        figures.messages.of_them_named = 1;
        figures.unaccounted = 1;
        assert_eq!(bad(&figures), ["Lost", "Received again", "Of them named", "Unaccounted"]);
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let mut figures = Figures::of(&example::proof().faults[0]);
        (figures.pause, figures.p99_ms) = (None, None);
        let dashes = COLUMNS.iter().filter(|column| (column.cell)(&figures).text == NONE).map(|column| column.heading);
        assert_eq!(dashes.collect::<Vec<_>>(), ["Longest pause", "Accept p99, ms"]);
    }
}
