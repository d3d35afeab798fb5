//! What every case has at hand.

use std::error::Error;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::report::Report;
use crate::sample::Sample;
use crate::settings::Settings;
use uuid::Uuid;

/// How a case ends. Any error fails it; what went wrong stands in the error's words.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The sample, the settings and the report of a run.
pub struct Context {
    /// The sample.
    pub sample: Sample,
    /// The settings of the run.
    pub settings: Settings,
    /// Makes what this run creates different from what others created.
    pub run: Uuid,
    report: Mutex<Report>,
    started: Instant,
}

impl Context {
    /// Begins a run.
    pub async fn new(settings: Settings) -> Outcome<Self> {
        let sample = Sample::of(&settings).await?;
        Ok(Self { sample, settings, run: Uuid::new_v4(), report: Mutex::default(), started: Instant::now() })
    }

    /// The report that the run ends with.
    pub fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever watches what goes on.
    pub fn say(&self, what: impl std::fmt::Display) {
        eprintln!("    [{:>3} s] {what}", self.started.elapsed().as_secs());
    }
}

/// How a program ends whose run tells whether nothing was violated. An error is told with its causes.
pub fn exit_code(run: Outcome<bool>) -> ExitCode {
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", told(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error with all its causes.
pub fn told(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}
