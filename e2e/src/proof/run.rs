//! A run of the proof in its folder: a file for each fault, so that it can be interrupted.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::process::Command;

use super::deed::Deed;
use super::machine;
use super::record::{Fault, Proof, Wanted};
use crate::report;

/// A run of a commit.
pub struct Run {
    folder: PathBuf,
    commit: String,
    rounds: u32,
    rate: u32,
}

/// The run cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Which commit it is, is not known.
    #[error("git does not tell the commit: {0}")]
    Git(String),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] report::Error),
    /// A file cannot be read.
    #[error("could not read {}; remove it to prove that fault again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Run {
    /// The run of what is checked out in this repository, kept under `folder`, with so many rounds of each
    /// fault.
    pub async fn of(repository: &Path, folder: PathBuf, rounds: u32, rate: u32) -> Result<Self, Error> {
        let git = async |arguments: &[&str]| {
            let output = Command::new("git").arg("-C").arg(repository).args(arguments).output().await;
            match output {
                Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
                Ok(output) => Err(Error::Git(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
                Err(error) => Err(Error::Git(error.to_string())),
            }
        };
        let mut commit = git(&["rev-parse", "--short=12", "HEAD"]).await?;
        if !git(&["status", "--porcelain", "--untracked-files=no"]).await?.is_empty() {
            commit.push_str(" with changes");
        }
        let folder = folder.join(format!("{}-{rounds}x-{rate}", report::slug(&commit)));
        Ok(Self { folder, commit, rounds, rate })
    }

    /// Where it is kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether this fault is proved already.
    pub fn has(&self, deed: &Deed) -> bool {
        self.file(deed).exists()
    }

    /// Keeps what was found.
    pub fn keep(&self, deed: &Deed, fault: &Fault) -> Result<(), Error> {
        Ok(report::write(&self.file(deed), fault)?)
    }

    /// All that was found of these, which are all that there are, in this order.
    pub fn collected(&self, deeds: &[Deed]) -> Result<Proof, Error> {
        let mut faults = Vec::new();
        for path in deeds.iter().map(|deed| self.file(deed)).filter(|path| path.exists()) {
            let fail = |source: std::io::Error| Error::Read { path: path.clone(), source };
            let text = std::fs::read(&path).map_err(fail)?;
            let fault: Fault = serde_json::from_slice(&text).map_err(|error| fail(error.into()))?;
            faults.push(fault);
        }
        let began = faults.iter().map(|fault| fault.began).min().unwrap_or_else(Timestamp::now);
        let ended = faults.iter().map(|fault| fault.ended).max().unwrap_or(began);
        let (commit, rate) = (self.commit.clone(), self.rate);
        let wanted = Wanted { faults: u32::try_from(deeds.len()).unwrap_or(u32::MAX), rounds: self.rounds };
        Ok(Proof { began, ended, machine: machine::this(), commit, rate, wanted, faults })
    }

    fn file(&self, deed: &Deed) -> PathBuf {
        self.folder.join(format!("{}.json", report::slug(&deed.to_string())))
    }
}
