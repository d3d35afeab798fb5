//! The files of a report.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {}", path.display())]
pub struct Error {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl Error {
    pub(crate) fn of(path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self { path: path.to_owned(), source: source.into() }
    }
}

/// Writes something as JSON, making its folder where it is not there.
pub fn write(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    let mut json = serde_json::to_string_pretty(content).map_err(|error| Error::of(path, error))?;
    json.push('\n');
    write_text(path, &json)
}

/// Writes a text, making its folder where it is not there.
pub fn write_text(path: &Path, content: &str) -> Result<(), Error> {
    let fail = |source: std::io::Error| Error::of(path, source);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    std::fs::write(path, content).map_err(fail)
}

/// `target/reports` at the top of the repository.
pub fn folder() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join("target/reports")
}
