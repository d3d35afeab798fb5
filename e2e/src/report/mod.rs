//! The tables that a run ends with: printed as text, and written as JSON, one object per row with
//! the headings as keys.

mod row;

use std::io::Write as _;
use std::path::Path;

pub use chat4all_measure::{Error, folder, table, write, write_text};
pub use row::{Figure, PauseRow, Row};

/// The rows of a run.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    pauses: Vec<PauseRow>,
    figures: Vec<Figure>,
}

impl Report {
    /// Adds a case.
    pub fn add(&mut self, row: Row, pauses: Vec<PauseRow>) {
        self.rows.push(row);
        self.pauses.extend(pauses);
    }

    /// Adds something that was measured.
    pub fn measured(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Prints the tables and writes them into this folder, as `e2e-pauses.json`, `e2e-figures.json` and
    /// `e2e.json`.
    pub fn publish(&self, folder: &Path) -> Result<(), Error> {
        let mut text = String::new();
        let tables = [table(&self.pauses), table(&self.figures), table(&self.rows)];
        for table in tables.into_iter().filter(|table| !table.is_empty()) {
            text.push('\n');
            text.push_str(&table);
        }
        print(&text);
        write(&folder.join("e2e-pauses.json"), &self.pauses)?;
        write(&folder.join("e2e-figures.json"), &self.figures)?;
        write(&folder.join("e2e.json"), &self.rows)
    }
}

/// Prints a text on standard output.
pub fn print(text: &str) {
    // Whoever closed it does not want to read it.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// A name without anything but letters, digits and dashes, for files and for what a run creates.
pub fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
