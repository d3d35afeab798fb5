//! The Telegram Bot API for one bot: texts and files by URL. It tells nothing back, as the real one.

mod check;
mod send;

pub(crate) use check::Chats;
pub(crate) use send::handle;
