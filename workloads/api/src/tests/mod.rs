//! The API as its clients see it: requests through the whole router, on the in-memory store.

mod accept;
mod channels;
mod conversations;
mod dead_letters;
mod idempotency;
mod kafka;
mod ledger;
mod login;
mod operations;
mod read;
mod webhooks;
