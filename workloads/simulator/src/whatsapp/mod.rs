//! The WhatsApp Business Cloud API for one business phone number: messages and files.

mod check;
mod error;
mod mark;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod status;
mod template;
mod wamid;

pub(crate) use error::GraphError;
