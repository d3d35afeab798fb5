//! The WhatsApp Business Cloud API for one business phone number: text messages.

mod check;
mod error;
pub(crate) mod messages;
pub(crate) mod status;
mod wamid;

pub(crate) use error::GraphError;
