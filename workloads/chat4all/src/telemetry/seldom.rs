//! Warnings that come for every message. When Kafka or Cassandra is away each message that waits warns at each
//! of its tries: the first lines from a place in the code are written, and then how many were left out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// How often it is told what was left out.
pub(super) const WINDOW: Duration = Duration::from_secs(10);
/// Lines from one place within a window: enough to see several partitions and recipients.
const MOST: u64 = 10;

/// Lets few warnings of each place through.
#[derive(Default)]
pub(super) struct Seldom(Mutex<HashMap<Identifier, Place>>);

/// A place that warned in this window.
struct Place {
    metadata: &'static Metadata<'static>,
    lines: u64,
}

impl Seldom {
    /// Whether one more line may be written.
    fn passes(&self, metadata: &'static Metadata<'static>) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(metadata.callsite()).or_insert(Place { metadata, lines: 0 });
        place.lines += 1;
        place.lines <= MOST
    }

    /// Ends the window: tells where lines were left out, and how many.
    pub(super) fn tell(&self) {
        // What is told comes by here again, so nothing is held meanwhile.
        let ended = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for Place { metadata, lines } in ended.into_values().filter(|place| place.lines > MOST) {
            let place = format_args!("{}:{}", metadata.target(), metadata.line().unwrap_or_default());
            tracing::warn!(lines = lines - MOST, %place, "left out warnings like those before");
        }
    }
}

impl<S: Subscriber> Layer<S> for &'static Seldom {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        *metadata.level() != Level::WARN || self.passes(metadata)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        /// The lines since it was last asked.
        fn lines(&self) -> Vec<String> {
            let written = std::mem::take(&mut *self.0.lock().unwrap());
            String::from_utf8(written).unwrap().lines().map(str::to_owned).collect()
        }
    }

    fn of_a_message(id: u64) {
        tracing::warn!(id, "trying again");
    }

    #[test]
    fn of_a_thousand_warnings_a_few_are_written_and_the_rest_is_told_once() {
        let (written, seldom): (_, &Seldom) = (Written::default(), Box::leak(Box::default()));
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer({
            let written = written.clone();
            move || written.clone()
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(seldom).with(lines), || {
            (0..1000).for_each(of_a_message);
            assert_eq!(written.lines().len() as u64, MOST);
            tracing::warn!("of another place");
            (0..100).for_each(|id| tracing::info!(id, "a decision"));
            assert_eq!(written.lines().len(), 101, "neither another place nor another level is silenced");
            seldom.tell();
            let told = written.lines();
            assert!(told.len() == 1 && told[0].contains("lines=990 place=chat4all::telemetry::seldom"), "{told:?}");
            seldom.tell();
            assert!(written.lines().is_empty(), "it is told once");
            (0..1000).for_each(of_a_message);
            assert_eq!(written.lines().len() as u64, MOST, "the next window shows some again");
        });
    }
}
