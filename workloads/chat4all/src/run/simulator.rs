//! `chat4all simulator`.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use chat4all_simulator::{Config, Secret, StandIns};

use crate::args::Simulator;
use crate::signals;

/// Nothing is kept, so there is nothing to wait for.
const GRACE: Duration = Duration::from_secs(5);

pub async fn run(args: Simulator) -> Result<(), Box<dyn Error>> {
    let stand_ins = StandIns {
        page_id: args.simulator_page_id,
        instagram_id: args.simulator_instagram_id,
        telegram_bot_token: args.simulator_telegram_bot_token.map(Secret::new),
        webhook_secret: args.simulator_webhook_secret.map(Secret::new),
    };
    let config = config(
        args.simulator_listen,
        args.simulator_phone_number_id,
        args.simulator_access_token,
        args.simulator_app_secret,
        args.simulator_webhook_url,
    );
    let shutdown = signals::shutdown(GRACE)?;
    let enforce_limits = args.simulator_enforce_limits;
    chat4all_simulator::run(Config { stand_ins, enforce_limits, ..config }, shutdown).await?;
    Ok(())
}

/// The usual settings with these, and WhatsApp alone.
pub fn config(
    listen: SocketAddr,
    phone_number_id: String,
    access_token: String,
    app_secret: String,
    webhook_url: String,
) -> Config {
    Config {
        listen,
        phone_number_id,
        access_token: Secret::new(access_token),
        app_secret: Secret::new(app_secret),
        webhook_url: Some(webhook_url),
        webhook_delay: Config::WEBHOOK_DELAY,
        webhook_patience: Config::WEBHOOK_PATIENCE,
        webhook_capacity: Config::WEBHOOK_CAPACITY,
        log_capacity: Config::LOG_CAPACITY,
        enforce_limits: false,
        stand_ins: StandIns::default(),
    }
}
