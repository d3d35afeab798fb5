//! The simulator as a server: one port for the provider's API and for the person at it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::config::{Config, Error};
use crate::connection::{CuttableListener, Scissors};
use crate::dialog::{self, Rules};
use crate::fault::Faults;
use crate::hooks;
use crate::limits::Limits;
use crate::log::Log;
use crate::outbox::Place;
use crate::telegram::{self, Chats};
use crate::webhook::{Sender, WORKERS};
use crate::whatsapp::status::Status;
use crate::whatsapp::{GraphError, media, messages};

/// Open answers get so long to end at shutdown; a fault may delay them for much longer.
const GRACE: Duration = Duration::from_secs(2);

/// What all handlers share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) chats: Chats,
    pub(crate) media: media::Media,
    pub(crate) limits: Limits,
    sender: Option<Arc<Sender>>,
}

impl Shared {
    /// A place for the webhooks of one message; none is needed where none are sent. When all
    /// places are taken, the message must be refused.
    pub(crate) fn place(&self) -> Result<Option<Place>, GraphError> {
        match &self.sender {
            None => Ok(None),
            Some(sender) => sender.outbox.reserve().map(Some).ok_or_else(|| GraphError::of_code(131016)),
        }
    }

    /// Has a status told in its time.
    pub(crate) fn tell(&self, status: Status, place: Place) {
        if let Some(sender) = &self.sender {
            sender.outbox.put(status, place);
        }
    }
}

/// A simulator that has its port.
pub struct Simulator {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Simulator {
    /// Checks the settings and takes the port.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        config.check()?;
        let sender = Sender::of(&config)?;
        let failed = |source| Error::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let log = Log::of_capacity(config.log_capacity);
        let limits = if config.enforce_limits { Limits::enforced() } else { Limits::default() };
        let (faults, chats, media) = (Faults::default(), Chats::default(), media::Media::default());
        let shared = Arc::new(Shared { log, faults, chats, media, limits, sender, config });
        Ok(Self { listener, address, shared })
    }

    /// The address it listens on; with the port that the system chose, where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then finishes the answers it has begun, for at most two seconds.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut workers = JoinSet::new();
        if let Some(sender) = &self.shared.sender {
            for _ in 0..WORKERS {
                workers.spawn(Arc::clone(sender).work());
            }
        }
        tracing::info!(
            address = %self.address,
            webhooks = self.shared.config.webhook_url.as_deref().unwrap_or("none"),
            "simulator is ready"
        );
        let service = router(self.shared).into_make_service_with_connect_info::<Scissors>();
        let server = axum::serve(CuttableListener(self.listener), service)
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let out_of_time = async {
            shutdown.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = server => ended.map_err(Error::Serve),
            () = out_of_time => Ok(()),
        }
    }
}

/// The Graph API has one form of URL for all its accounts; the id in it says which one it is.
async fn graph(
    State(shared): State<Arc<Shared>>,
    path: Path<(String, String)>,
    scissors: ConnectInfo<Scissors>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let stand_ins = &shared.config.stand_ins;
    let is = |id: &Option<String>| id.as_deref() == Some(path.1.as_str());
    if is(&stand_ins.page_id) {
        dialog::handle(&shared, Rules::MESSENGER, &scissors, &method, &headers, &body).await
    } else if is(&stand_ins.instagram_id) {
        dialog::handle(&shared, Rules::INSTAGRAM, &scissors, &method, &headers, &body).await
    } else {
        messages::handle(State(shared), path, scissors, method, headers, body).await
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/{version}/{phone_number_id}/messages", any(graph))
        .route(
            "/{version}/{phone_number_id}/media",
            any(media::handle).layer(DefaultBodyLimit::max(media::LARGEST_BODY)),
        )
        .route("/{bot}/{method}", any(telegram::handle))
        .route("/hooks/{name}", any(hooks::handle))
        .merge(admin::routes())
        .fallback(|uri: Uri| async move { GraphError::unknown_path(uri.path()) })
        .with_state(shared)
}
