//! The tables that a run ends with: printed as text, and written as JSON, one object per row with
//! the headings as keys.

mod row;
mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use row::{Figure, PauseRow, Row};
pub use table::table;

/// The rows of a run.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    pauses: Vec<PauseRow>,
    figures: Vec<Figure>,
}

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {}", path.display())]
pub struct Error {
    path: PathBuf,
    #[source]
    source: std::io::Error,
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
        // Whoever closed standard output does not want to read it.
        let _ = std::io::stdout().write_all(text.as_bytes());
        write(&folder.join("e2e-pauses.json"), &self.pauses)?;
        write(&folder.join("e2e-figures.json"), &self.figures)?;
        write(&folder.join("e2e.json"), &self.rows)
    }
}

/// Writes something as JSON, making its folder where it is not there.
pub fn write(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(content);
    let mut json = json.map_err(|error| Error { path: path.to_owned(), source: error.into() })?;
    json.push('\n');
    write_text(path, &json)
}

/// Writes a text, making its folder where it is not there.
pub fn write_text(path: &Path, content: &str) -> Result<(), Error> {
    let fail = |source| Error { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    std::fs::write(path, content).map_err(fail)
}

/// A name without anything but letters, digits and dashes, for files and for what a run creates.
pub fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// `target/reports` at the top of the repository.
pub fn folder() -> PathBuf {
    let e2e = Path::new(env!("CARGO_MANIFEST_DIR"));
    e2e.parent().unwrap_or(e2e).join("target/reports")
}
