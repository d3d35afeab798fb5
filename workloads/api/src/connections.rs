//! Takes connections and serves them. Not by `axum::serve`, which sets hyper no timer: a client that connects and
//! sends nothing would be kept for ever, and enough of them leave no descriptor for anybody else (axum 2741).

use std::io::ErrorKind;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// From the opening of a connection, or the end of a request on it, to the end of the next request's head. Longer
/// than pools of clients and proxies keep a connection that rests, which is 60 s for many.
const HEAD: Duration = Duration::from_secs(75);

/// What keeps connections from being taken (no descriptor is left, say) may be over soon.
const AGAIN: Duration = Duration::from_millis(100);

/// Serves until `stop`; then takes no more connections and ends when the requests under way are answered.
pub(crate) async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connections = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            // Its client has gone already.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => continue,
            Err(error) => {
                tracing::warn!(%error, "could not take a connection; trying again");
                sleep(AGAIN).await;
                continue;
            }
        };
        at_once(&stream);
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// Answers are small and clients wait for them: none is held back to fill a packet.
fn at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::{Instant, timeout};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    async fn serving(app: Router) -> (TcpStream, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, app, stop.clone()));
        (TcpStream::connect(address).await.unwrap(), stop, server)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_no_request_is_let_go() {
        let begun = Instant::now();
        for half in [&b""[..], b"GET / HTTP/1.1\r\n"] {
            let (mut client, _stop, _server) = serving(Router::new()).await;
            client.write_all(half).await.unwrap();
            let mut answer = Vec::new();
            timeout(2 * HEAD, client.read_to_end(&mut answer)).await.expect("it is kept").unwrap();
        }
        assert!(begun.elapsed() >= 2 * HEAD, "not before its time");
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_after_the_stop_and_the_connection_ends_then() {
        let (started, end) = (CancellationToken::new(), CancellationToken::new());
        let (told, wait) = (started.clone(), end.clone());
        let slow = async move || {
            told.cancel();
            wait.cancelled().await;
            "done"
        };
        let (mut client, stop, server) = serving(Router::new().route("/", get(slow))).await;
        client.write_all(REQUEST).await.unwrap();
        started.cancelled().await;
        stop.cancel();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!server.is_finished(), "it waits for the answer");
        end.cancel();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"), "{answer}");
        server.await.unwrap();
    }
}
