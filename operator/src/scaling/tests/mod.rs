//! Stories of routers, their topics and the looks upon them.

mod behaviour;
mod complaints;
mod properties;
mod routers;
