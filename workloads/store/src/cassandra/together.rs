//! Rows that are written in one request. Unlogged: its rows may be repeated, so a batch of which only a
//! part was written is written again, and a log of it in the store would double the work.

use std::ops::Range;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;

use super::{CONCURRENCY, Cassandra};
use crate::{Error, Result};

/// Cassandra warns of an unlogged batch of more partitions
/// (`unlogged_batch_across_partitions_warn_threshold`, 10 by default).
const MOST_ROWS: usize = 10;

/// Cassandra warns of a batch of more than 5 KiB (`batch_size_warn_threshold`), with the names that the
/// rows carry beside their values.
const MOST_BYTES: usize = 3 << 10;

/// What a row of ids and addresses takes.
const SMALL: usize = 250;

/// Rows to write, in any order.
#[derive(Default)]
pub(super) struct Rows<'r> {
    rows: Vec<Row<'r>>,
    whole: bool,
}

struct Row<'r> {
    statement: &'r PreparedStatement,
    values: Box<dyn SerializeRow + Send + Sync + 'r>,
    bytes: usize,
}

impl<'r> Rows<'r> {
    /// Of one partition: these are seen together or not at all.
    pub(super) fn of_one_partition() -> Self {
        Self { rows: Vec::new(), whole: true }
    }

    /// Adds a row of ids and addresses.
    pub(super) fn add(&mut self, statement: &'r PreparedStatement, values: impl SerializeRow + Send + Sync + 'r) {
        self.add_with(0, statement, values);
    }

    /// Adds a row that holds so many bytes of texts beside ids and addresses.
    pub(super) fn add_with(
        &mut self,
        texts: usize,
        statement: &'r PreparedStatement,
        values: impl SerializeRow + Send + Sync + 'r,
    ) {
        self.rows.push(Row { statement, values: Box::new(values), bytes: SMALL + texts });
    }

    /// One after the other, in as few parts as the bounds allow.
    fn parts(self) -> Vec<Vec<Row<'r>>> {
        if self.whole && !self.rows.is_empty() {
            return vec![self.rows];
        }
        let ranges = parts(self.rows.iter().map(|row| row.bytes));
        let mut rows = self.rows.into_iter();
        ranges.into_iter().map(|range| rows.by_ref().take(range.len()).collect()).collect()
    }
}

impl Cassandra {
    /// Writes all of them; after an error, some may be written.
    pub(super) async fn write_together(
        &self,
        action: impl Fn() -> String + Copy + Send + Sync,
        rows: Rows<'_>,
    ) -> Result<()> {
        // Collected, because the compiler takes a closure within the stream for less general than it is.
        let writes: Vec<_> = rows.parts().into_iter().map(|part| self.write_part(action, part)).collect();
        stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect().await
    }

    async fn write_part(&self, action: impl Fn() -> String, mut part: Vec<Row<'_>>) -> Result<()> {
        if part.len() == 1
            && let Some(row) = part.pop()
        {
            return self.execute(action, row.statement, row.values).await.map(drop);
        }
        let statements = part.iter().map(|row| row.statement.clone().into()).collect();
        let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
        batch.set_is_idempotent(true);
        let values: Vec<_> = part.into_iter().map(|row| row.values).collect();
        self.session.batch(&batch, values).await.map(drop).map_err(|source| Error::new(action(), source))
    }
}

/// Which rows of these sizes go together. A row that is larger than a part may be is one alone.
fn parts(sizes: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (row, size) in sizes.enumerate() {
        match parts.last_mut() {
            Some(part) if part.len() < MOST_ROWS && bytes + size <= MOST_BYTES => {
                part.end = row + 1;
                bytes += size;
            }
            _ => {
                parts.push(row..row + 1);
                bytes = size;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_message_to_one_recipient_is_one_part() {
        assert_eq!(parts([SMALL + 1000, SMALL, SMALL, SMALL].into_iter()), [Range { start: 0, end: 4 }]);
    }

    #[test]
    fn a_long_message_is_written_alone_and_what_belongs_to_it_together() {
        assert_eq!(parts([SMALL + MOST_BYTES, SMALL, SMALL].into_iter()), [0..1, 1..3]);
    }

    #[test]
    fn where_there_are_no_rows_nothing_is_sent() {
        assert!(Rows::of_one_partition().parts().is_empty() && Rows::default().parts().is_empty());
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part_and_no_part_of_several_is_too_large(sizes in proptest::collection::vec(1..2 * MOST_BYTES, 0..60)) {
            let parts = parts(sizes.iter().copied());
            prop_assert_eq!(parts.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..sizes.len()).collect::<Vec<_>>());
            for part in parts.into_iter().filter(|part| part.len() > 1) {
                prop_assert!(part.len() <= MOST_ROWS && sizes[part].iter().sum::<usize>() <= MOST_BYTES);
            }
        }
    }
}
