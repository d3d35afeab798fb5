//! What the end-to-end tests are made of: a typed client of the cluster, clients of the API and of
//! the provider simulator, an open-loop load, and the checker that reconciles what became of it.
//! The cases themselves are in `tests/e2e`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod api;
pub mod commands;
pub mod context;
pub mod decisions;
pub mod deletion;
pub mod drain;
pub mod follow;
pub mod groups;
pub mod history;
pub mod kube;
pub mod load;
pub mod metrics;
pub mod need;
pub mod node;
pub mod operator;
pub mod proof;
pub mod replicas;
pub mod report;
pub mod restarts;
pub mod sample;
pub mod settings;
pub mod simulator;
pub mod soak;
pub mod standing;
pub mod story;
pub mod wait;
pub mod writes;
