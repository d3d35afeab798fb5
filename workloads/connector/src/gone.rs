//! Endpoints that said that they are gone (410): nothing more is sent to them while this process lives.
//! A changed account rolls the pods, and a mended endpoint is called again then.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chat4all_message::Address;

/// Which recipients are gone. As many as there are endpoints at most.
#[derive(Debug, Default)]
pub(crate) struct Gone(Mutex<HashSet<Address>>);

impl Gone {
    /// This recipient is gone; whether that is news.
    pub(crate) fn note(&self, recipient: &Address) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(recipient.clone())
    }

    /// Whether this recipient is gone.
    pub(crate) fn holds(&self, recipient: &Address) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(recipient)
    }
}
