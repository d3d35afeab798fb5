//! What Meta's channels have in common: the Graph API's accounts, error objects and webhooks' gate, and
//! the dialogs of Messenger and Instagram. Knows no one channel's table of codes.

pub(crate) mod account;
pub(crate) mod dialog;
pub(crate) mod error;
pub(crate) mod gate;
