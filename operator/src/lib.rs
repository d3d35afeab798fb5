//! The operator of Chat4All: turns `Chat4AllCluster` resources into API, router and connector
//! workloads and keeps them so.
//!
//! One reconcile is a pipeline: [`dereference`] fetches what the resource points at, [`validate`]
//! makes a [`model`] of it or says what is wrong, [`build`] makes every object, [`apply`] brings them
//! to the API server, [`status`] tells what was found. Only the first and the last two know a client.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod address;
pub mod api;
pub mod apply;
pub mod backoff;
pub mod build;
pub mod check;
pub mod cli;
pub mod connectors;
pub mod controller;
pub mod dereference;
pub mod findings;
pub mod health;
pub mod kafka;
pub mod kube_error;
pub mod lease;
pub mod metrics;
pub mod migration;
pub mod model;
pub mod names;
pub mod neighbours;
pub mod owned;
pub mod reconcile;
pub mod references;
pub mod rollout;
pub mod scaler;
pub mod scaling;
mod scrape;
pub mod status;
pub mod trouble;
pub mod validate;
