//! The tables, as numbered migrations. A migration that was released is never changed; later
//! ones only add, because pods of the version before go on working while a new one rolls out.
//!
//! - `messages` and `deliveries` are keyed by conversation and UTC day, so that no partition grows
//!   with the age of a conversation: a hundred thousand messages a day is the most that one
//!   conversation may hold well. Clustering by `created_at` *and* `message_id` keeps two messages of
//!   one millisecond apart.
//! - A delivery has one column for each state, so that states need no read before they are written.
//! - Dead letters lie by the UTC day on which they were given up: a million on one day is half a
//!   gigabyte in one partition, and the most that can be looked through well.
//! - Rows of one page lie side by side: a page is a range of `messages` and a range of `deliveries`.

/// Names the schema in `schema_version` and the lock in `schema_lock`.
pub(super) const PART: &str = "store";

/// One step from a version to the next.
pub(super) struct Migration {
    /// The version after it.
    pub version: i32,
    /// Statements that may be repeated.
    pub statements: &'static [&'static str],
}

/// The version that this program works with.
pub(super) const LATEST: i32 = 3;

pub(super) const VERSIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (
    part text, version int, applied_at timestamp,
    PRIMARY KEY (part, version)
)";

/// The lock is made before there is a lock: with an id of its own choosing each of two who create
/// it at once on different nodes would make another table, which Cassandra 5 cannot reconcile.
pub(super) fn lock_table(id: uuid::Uuid) -> String {
    format!("CREATE TABLE IF NOT EXISTS schema_lock (part text PRIMARY KEY, owner uuid) WITH id = '{id}'")
}

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        statements: &[
            "CREATE TABLE IF NOT EXISTS messages (
            conversation_id text, bucket date, created_at timestamp, message_id uuid,
            sender text, recipient text, content text, file_id text,
            PRIMARY KEY ((conversation_id, bucket), created_at, message_id)
        ) WITH CLUSTERING ORDER BY (created_at DESC, message_id DESC)",
            "CREATE TABLE IF NOT EXISTS deliveries (
            conversation_id text, bucket date, created_at timestamp, message_id uuid, delivery_id uuid,
            recipient text, connector text,
            sent_at timestamp, delivered_at timestamp, read_at timestamp, failed_at timestamp,
            code text, reason text, dead_lettered_at timestamp,
            provider_id text, attempts int, unknown_outcomes int,
            PRIMARY KEY ((conversation_id, bucket), created_at, message_id, delivery_id)
        ) WITH CLUSTERING ORDER BY (created_at DESC, message_id DESC, delivery_id ASC)",
            "CREATE TABLE IF NOT EXISTS conversation_buckets (
            conversation_id text, bucket date,
            PRIMARY KEY (conversation_id, bucket)
        ) WITH CLUSTERING ORDER BY (bucket DESC)",
            "CREATE TABLE IF NOT EXISTS conversation_members (
            conversation_id text, member text,
            PRIMARY KEY (conversation_id, member)
        )",
            "CREATE TABLE IF NOT EXISTS provider_ids (
            connector text, provider_id text,
            conversation_id text, message_id uuid, delivery_id uuid,
            PRIMARY KEY ((connector, provider_id))
        )",
            // The whole event is part of the key: distinct ones are all kept, a repeated one is the same row.
            "CREATE TABLE IF NOT EXISTS held_statuses (
            connector text, provider_id text, at timestamp, event text,
            PRIMARY KEY ((connector, provider_id), at, event)
        )",
            "CREATE TABLE IF NOT EXISTS ledger (
            delivery_id uuid PRIMARY KEY,
            attempts int, unknown_outcomes int, attempt text, at timestamp,
            provider_id text, not_before timestamp, code text, reason text
        )",
            "CREATE TABLE IF NOT EXISTS idempotency_keys (
            username text, key text, fingerprint blob, message_id uuid, since timestamp, state text,
            PRIMARY KEY ((username, key))
        )",
        ],
    },
    Migration { version: 2, statements: &["ALTER TABLE messages ADD IF NOT EXISTS (media text, reply_to text)"] },
    Migration {
        version: 3,
        statements: &[
            "ALTER TABLE deliveries ADD IF NOT EXISTS reopened_at timestamp",
            "ALTER TABLE ledger ADD IF NOT EXISTS replays int",
            // Without the records' bytes, so that a day can be looked through: some 500 bytes a row.
            "CREATE TABLE IF NOT EXISTS dead_letters (
            bucket date, given_up_at timestamp, id uuid,
            reason text, message text, attempts int, replays int, consumer_group text,
            topic text, partition int, record_offset bigint, record_at timestamp,
            connector text, recipient text, conversation_id text, message_id uuid, delivery_id uuid,
            state text, state_at timestamp, state_by text,
            PRIMARY KEY (bucket, given_up_at, id)
        ) WITH CLUSTERING ORDER BY (given_up_at DESC, id DESC)",
            "CREATE TABLE IF NOT EXISTS dead_letter_days (
            part text, bucket date,
            PRIMARY KEY (part, bucket)
        ) WITH CLUSTERING ORDER BY (bucket DESC)",
            "CREATE TABLE IF NOT EXISTS dead_letter_records (
            id uuid PRIMARY KEY, given_up_at timestamp, key blob, value blob
        )",
            "CREATE TABLE IF NOT EXISTS dead_letter_deeds (
            id uuid, at timestamp, entry uuid, done_by text, what text, detail text,
            PRIMARY KEY (id, at, entry)
        )",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_one_by_one_up_to_the_latest() {
        let versions: Vec<i32> = MIGRATIONS.iter().map(|m| m.version).collect();
        assert_eq!(versions, (1..=LATEST).collect::<Vec<_>>());
    }
}
