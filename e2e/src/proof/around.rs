//! What a deed needs around its load: made before the load begins, and undone when it has been reckoned.

use std::time::Duration;

use super::deed::Deed;
use super::{clock, disk};
use crate::context::{Context, Outcome};
use crate::kube::rolled_out_with;

const SCALED_WITHIN: Duration = Duration::from_secs(90);

/// What is otherwise while a deed is done again and again.
pub(super) enum Around {
    /// Nothing.
    Nothing,
    /// There is one router; before there were so many.
    OneRouter(u32),
    /// Pods can have a library that shifts their clock.
    Clock,
    /// Kafka's data lie on a small disk.
    SmallDisk,
}

impl Around {
    /// What this deed needs.
    pub(super) async fn of(deed: &Deed, context: &Context) -> Outcome<Self> {
        Ok(match deed {
            Deed::Scale => {
                let resource = context.sample.resource.find().await?.ok_or("the sample is not installed")?;
                Self::OneRouter(u32::try_from(resource.spec.router.replicas)?)
            }
            Deed::Clock(_) => Self::Clock,
            Deed::Disk => Self::SmallDisk,
            _ => Self::Nothing,
        })
    }

    /// Makes it so.
    pub(super) async fn make(&self, context: &Context) -> Outcome {
        match self {
            Self::Nothing => Ok(()),
            Self::OneRouter(_) => scale_routers(context, 1).await,
            Self::Clock => clock::prepare(context).await,
            Self::SmallDisk => disk::make_small(context).await,
        }
    }

    /// Makes it as it was, however far it came.
    pub(super) async fn undo(&self, context: &Context) -> Outcome {
        match self {
            Self::Nothing => Ok(()),
            Self::OneRouter(before) => scale_routers(context, *before).await,
            Self::Clock => clock::clear(context).await,
            Self::SmallDisk => disk::make_large(context).await,
        }
    }
}

/// Takes away what an interrupted run left and installing the sample again does not put right. The sample need not be
/// installed.
pub async fn clear(context: &Context) -> Outcome {
    // The clock last: a connector is rolled only with Kafka there.
    Around::SmallDisk.undo(context).await?;
    Around::Clock.undo(context).await
}

async fn scale_routers(context: &Context, to: u32) -> Outcome {
    let sample = &context.sample;
    sample.resource.scale_to(to, "kubectl").await?;
    sample.routers.deployment.until(rolled_out_with(to), SCALED_WITHIN).await?;
    Ok(())
}
