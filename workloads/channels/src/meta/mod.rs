//! What Meta's channels have in common: the Graph API's accounts, error objects, webhooks' gate and how their
//! bodies are read, and the dialogs of Messenger and Instagram. Knows no one channel's table of codes.

pub(crate) mod account;
pub(crate) mod dialog;
pub(crate) mod error;
pub(crate) mod gate;
pub(crate) mod reading;
