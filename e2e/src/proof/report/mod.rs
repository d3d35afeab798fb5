//! The report of a run: its data, one Markdown file and one page that needs nothing beside itself.
//! Pure functions of what was found; only `publish` writes.

mod against;
mod claim;
mod columns;
#[cfg(test)]
mod example;
mod extent;
mod facts;
mod figures;
mod markdown;
mod number;
mod page;
mod plot;

use std::path::Path;

pub use markdown::markdown;
pub use page::page;

use crate::proof::record::Proof;
use crate::report::{Error, write, write_text};

/// Writes `proof.json`, `proof.md` and `index.html` into this folder, making it where it is not there.
pub fn publish(proof: &Proof, folder: &Path) -> Result<(), Error> {
    write(&folder.join("proof.json"), proof)?;
    write_text(&folder.join("proof.md"), &markdown(proof))?;
    write_text(&folder.join("index.html"), &page(proof))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::folder;

    /// The example stays in `target/reports/proof-example`, to be looked at in a browser.
    #[test]
    fn what_is_published_can_be_read_again() {
        let folder = folder().join("proof-example");
        let proof = example::proof();
        publish(&proof, &folder).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(serde_json::from_str::<Proof>(&read("proof.json")).unwrap(), proof);
        assert_eq!(read("proof.md"), markdown(&proof));
        assert_eq!(read("index.html"), page(&proof));
    }
}
