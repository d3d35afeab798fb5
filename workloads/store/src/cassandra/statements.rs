//! Every statement, prepared once. All of them may be repeated with the same effect, so the
//! driver may try another node when a connection breaks.

use scylla::client::session::Session;
use scylla::errors::PrepareError;
use scylla::statement::prepared::PreparedStatement;

macro_rules! statements {
    ($($(#[$why:meta])* $name:ident: $cql:expr;)+) => {
        /// Prepared statements by name.
        #[derive(Debug)]
        pub(super) struct Statements {
            $($(#[$why])* pub(super) $name: PreparedStatement,)+
        }

        impl Statements {
            pub(super) async fn prepare(session: &Session) -> Result<Self, PrepareError> {
                Ok(Self { $($name: prepare(session, $cql).await?,)+ })
            }
        }
    };
}

async fn prepare(session: &Session, cql: &str) -> Result<PreparedStatement, PrepareError> {
    let mut statement = session.prepare(cql).await?;
    statement.set_is_idempotent(true);
    Ok(statement)
}

macro_rules! letters {
    ($which:literal) => {
        concat!(
            "SELECT given_up_at, id, reason, message, attempts, replays, consumer_group, topic, partition,
            record_offset, record_at, connector, recipient, conversation_id, message_id, delivery_id, state, state_at, state_by
            FROM dead_letters WHERE bucket = ? AND ",
            $which
        )
    };
}

statements! {
    ping: "SELECT version FROM schema_version WHERE part = ? LIMIT 1";

    members: "SELECT member FROM conversation_members WHERE conversation_id = ?";
    add_member: "INSERT INTO conversation_members (conversation_id, member) VALUES (?, ?)";

    put_message: "INSERT INTO messages
        (conversation_id, bucket, created_at, message_id, sender, recipient, content, file_id, media, template, reply_to,
        direction, connector, provider_id, sender_name, files)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    /// Names only the columns that follow from the message: what is known about its states stays.
    put_delivery: "INSERT INTO deliveries
        (conversation_id, bucket, created_at, message_id, delivery_id, recipient, connector)
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    put_bucket: "INSERT INTO conversation_buckets (conversation_id, bucket) VALUES (?, ?)";

    note_inbound: "INSERT INTO inbound_places (message_id, conversation_id, sender, connector, provider_id)
        VALUES (?, ?, ?, ?, ?)";
    inbound: "SELECT conversation_id, sender, connector, provider_id FROM inbound_places WHERE message_id = ?";

    buckets: "SELECT bucket FROM conversation_buckets WHERE conversation_id = ? AND bucket <= ? LIMIT ?";
    messages: "SELECT message_id, sender, recipient, content, file_id, media, template, reply_to,
        connector, provider_id, sender_name, files FROM messages
        WHERE conversation_id = ? AND bucket = ? AND (created_at, message_id) < (?, ?) LIMIT ?";
    /// For skipping: without the contents.
    message_ids: "SELECT message_id FROM messages
        WHERE conversation_id = ? AND bucket = ? AND (created_at, message_id) < (?, ?) LIMIT ?";
    has_message: "SELECT message_id FROM messages
        WHERE conversation_id = ? AND bucket = ? AND created_at = ? AND message_id = ?";
    deliveries: "SELECT message_id, delivery_id, recipient, connector, sent_at, delivered_at, read_at, failed_at,
        reopened_at, code, reason, dead_lettered_at, provider_id, attempts, unknown_outcomes FROM deliveries
        WHERE conversation_id = ? AND bucket = ? AND (created_at, message_id) >= (?, ?) AND (created_at, message_id) <= (?, ?)";

    /// The event's own time decides which of two writes of a column stands, so that the order of
    /// arrival does not matter. Values that an event does not tell are left unset.
    sent: "UPDATE deliveries USING TIMESTAMP ?
        SET sent_at = ?, provider_id = ?, attempts = ?, unknown_outcomes = ?
        WHERE conversation_id = ? AND bucket = ? AND created_at = ? AND message_id = ? AND delivery_id = ?";
    delivered: "UPDATE deliveries USING TIMESTAMP ? SET delivered_at = ?
        WHERE conversation_id = ? AND bucket = ? AND created_at = ? AND message_id = ? AND delivery_id = ?";
    read: "UPDATE deliveries USING TIMESTAMP ? SET read_at = ?
        WHERE conversation_id = ? AND bucket = ? AND created_at = ? AND message_id = ? AND delivery_id = ?";
    failed: "UPDATE deliveries USING TIMESTAMP ?
        SET failed_at = ?, code = ?, reason = ?, dead_lettered_at = ?, attempts = ?, unknown_outcomes = ?
        WHERE conversation_id = ? AND bucket = ? AND created_at = ? AND message_id = ? AND delivery_id = ?";

    link: "INSERT INTO provider_ids (connector, provider_id, conversation_id, message_id, delivery_id)
        VALUES (?, ?, ?, ?, ?)";
    linked: "SELECT conversation_id, message_id, delivery_id FROM provider_ids
        WHERE connector = ? AND provider_id = ?";
    hold: "INSERT INTO held_statuses (connector, provider_id, at, event) VALUES (?, ?, ?, ?) USING TTL ?";
    held: "SELECT at, event FROM held_statuses WHERE connector = ? AND provider_id = ?";
    release: "DELETE FROM held_statuses WHERE connector = ? AND provider_id = ?";

    ledger_entry: "SELECT attempts, unknown_outcomes, replays, attempt, at, provider_id, not_before, code, reason,
        taken_at, taken_as, writetime(attempt) AS written FROM ledger WHERE delivery_id = ?";
    ledger_record: "INSERT INTO ledger
        (delivery_id, attempts, unknown_outcomes, replays, attempt, at, provider_id, not_before, code, reason,
        conversation_id, message_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?";
    ledger_delivery: "SELECT conversation_id, message_id FROM ledger WHERE delivery_id = ?";
    /// The instant of the event decides, as with statuses.
    ledger_taken: "UPDATE ledger USING TIMESTAMP ? SET taken_at = ?, taken_as = ? WHERE delivery_id = ?";

    person: "SELECT same_as, conversation_id, writetime(conversation_id), answers_to, writetime(answers_to)
        FROM people WHERE address = ?";
    same_person: "UPDATE people SET same_as = ? WHERE address = ?";
    met: "UPDATE people USING TIMESTAMP ? SET conversation_id = ? WHERE address = ?";
    wrote_from: "UPDATE people USING TIMESTAMP ? SET answers_to = ? WHERE address = ?";
    place: "INSERT INTO inbound_messages (connector, event_id, conversation_id, message_id)
        VALUES (?, ?, ?, ?) IF NOT EXISTS";

    sent_to: "INSERT INTO unread (connector, recipient, sent_at, delivery_id, conversation_id, message_id)
        VALUES (?, ?, ?, ?, ?, ?) USING TTL ?";
    read_mark: "UPDATE unread USING TIMESTAMP ? SET read_until = ? WHERE connector = ? AND recipient = ?";
    last_read: "SELECT DISTINCT read_until FROM unread WHERE connector = ? AND recipient = ?";
    unread: "SELECT conversation_id, message_id, delivery_id FROM unread
        WHERE connector = ? AND recipient = ? AND sent_at <= ?";
    forget_read: "DELETE FROM unread WHERE connector = ? AND recipient = ? AND sent_at <= ?";

    wait: "INSERT INTO waiting_deliveries (connector, due, delivery_id, record) VALUES (?, ?, ?, ?)";
    overdue: "SELECT due, delivery_id, record FROM waiting_deliveries WHERE connector = ? AND due < ? LIMIT ?";
    /// Only a row that is still there: a bare owner would be a row without a record.
    take: "UPDATE waiting_deliveries USING TTL ? SET owner = ?
        WHERE connector = ? AND due = ? AND delivery_id = ? IF owner = null AND record != null";
    wait_ended: "DELETE FROM waiting_deliveries WHERE connector = ? AND due = ? AND delivery_id = ?";

    reopen: "UPDATE deliveries USING TIMESTAMP ? SET reopened_at = ?
        WHERE conversation_id = ? AND bucket = ? AND created_at = ? AND message_id = ? AND delivery_id = ?";

    place_letter: "INSERT INTO dead_letter_records (id, given_up_at) VALUES (?, ?) IF NOT EXISTS";
    letter_place: "SELECT given_up_at FROM dead_letter_records WHERE id = ?";
    put_letter_body: "UPDATE dead_letter_records SET key = ?, value = ? WHERE id = ?";
    letter_body: "SELECT given_up_at, key, value FROM dead_letter_records WHERE id = ?";
    put_letter_day: "INSERT INTO dead_letter_days (part, bucket) VALUES (?, ?)";
    letter_days: "SELECT bucket FROM dead_letter_days WHERE part = ? AND bucket <= ?";
    /// Names no column of the state: what became of a letter stays when its record is given up again.
    put_letter: "INSERT INTO dead_letters (bucket, given_up_at, id, reason, message, attempts, replays,
        consumer_group, topic, partition, record_offset, record_at, connector, recipient, conversation_id, message_id, delivery_id)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    letter: letters!("given_up_at = ? AND id = ?");
    letters: letters!("(given_up_at, id) < (?, ?) LIMIT ?");
    close_letter: "UPDATE dead_letters SET state = ?, state_at = ?, state_by = ?
        WHERE bucket = ? AND given_up_at = ? AND id = ? IF state = null";
    note_deed: "INSERT INTO dead_letter_deeds (id, at, entry, done_by, what, detail) VALUES (?, ?, ?, ?, ?, ?)";
    deeds: "SELECT at, done_by, what, detail FROM dead_letter_deeds WHERE id = ?";

    claim: "INSERT INTO idempotency_keys (username, key, fingerprint, message_id, since, state)
        VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS USING TTL ?";
    /// Conditional as well: mixed with plain writes, conditional ones may lose to an earlier clock.
    settle: "UPDATE idempotency_keys USING TTL ? SET fingerprint = ?, message_id = ?, since = ?, state = ?
        WHERE username = ? AND key = ? IF message_id = ?";
    /// All columns, so that they are forgotten together.
    give_up: "UPDATE idempotency_keys USING TTL ? SET fingerprint = ?, message_id = ?, since = ?, state = ?
        WHERE username = ? AND key = ? IF message_id = ? AND since = ? AND state = ?";
    withdraw: "DELETE FROM idempotency_keys WHERE username = ? AND key = ?
        IF message_id = ? AND since = ? AND state = ?";
}
