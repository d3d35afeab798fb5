//! Has a connector's webhooks parsed again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much of a journal is parsed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// The webhooks that were put before the connector once more.
    pub webhooks: u64,
}
