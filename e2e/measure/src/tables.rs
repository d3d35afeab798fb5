//! The tables of a command: each is printed when it is known, and all are kept in one file.

use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::file::{Error, folder, write};
use crate::table::table;

/// The tables of a command.
#[derive(Debug)]
pub struct Tables {
    file: PathBuf,
    rows: Vec<Box<RawValue>>,
}

impl Tables {
    /// Those of this command, which are kept in `<command>.json` in [`folder`].
    pub fn of(command: &str) -> Self {
        Self::kept_in(folder().join(format!("{command}.json")))
    }

    fn kept_in(file: PathBuf) -> Self {
        Self { file, rows: Vec::new() }
    }

    /// Prints these rows as a table, and adds them to the file: one object per row with the headings as keys.
    pub fn add<R: Serialize>(&mut self, rows: &[R]) -> Result<(), Error> {
        // Whoever closed standard output does not want to read it.
        let _ = std::io::stdout().write_all(format!("\n{}", table(rows)).as_bytes());
        self.keep(rows)
    }

    /// Writes the whole file anew, so that a command that is interrupted leaves what it had.
    fn keep<R: Serialize>(&mut self, rows: &[R]) -> Result<(), Error> {
        for row in rows {
            self.rows.push(to_raw_value(row).map_err(|error| Error::of(&self.file, error))?);
        }
        write(&self.file, &self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Speed {
        replicas: u32,
        messages_per_s: u32,
    }

    #[derive(Serialize)]
    struct Memory {
        replicas: u32,
        mib: Option<f64>,
    }

    #[test]
    fn the_rows_of_all_tables_are_objects_of_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reports/bench.json");
        let mut tables = Tables::kept_in(file.clone());
        tables
            .keep(&[Speed { replicas: 1, messages_per_s: 9000 }, Speed { replicas: 2, messages_per_s: 9500 }])
            .unwrap();
        tables.keep(&[Memory { replicas: 1, mib: None }]).unwrap();
        let rows = "[\n  {\"replicas\":1,\"messages_per_s\":9000},\n  {\"replicas\":2,\"messages_per_s\":9500},\n  \
                    {\"replicas\":1,\"mib\":null}\n]\n";
        assert_eq!(std::fs::read_to_string(file).unwrap(), rows);
    }
}
