//! Files that the provider could not fetch by their links: fetched here and uploaded, once for each
//! file while it is remembered. A file goes through in pieces and is never in memory as a whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chat4all_channels::{Channel, Kind, Refusal, Uploads, not_fetched};
use chat4all_message::{Delivery, Media, MediaKind, Place};
use futures::{StreamExt as _, stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, Response, redirect};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::guarded::{GuardedResolver, check_literal, forbidden};
use crate::provider::{CONNECT_TIMEOUT, beginning, describe};

/// Calls by link before the file is uploaded. Source: provider-contracts, 131053.
const CALLS_BY_LINK: u32 = 2;

/// For fetching and uploading together: 100 MB at 1 MB/s, and some.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The provider keeps a file for 30 days. What lies behind a link may change sooner, so a link is
/// fetched again after an hour, which is longer than a mailing takes.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Links that are remembered at once; beyond it all are forgotten and uploaded again when needed.
const CAPACITY: usize = 1000;

/// Files under way at once. Each may take all of [`TIMEOUT`], and waits for others of its kind only: messages
/// without one go on.
const UPLOADS_AT_ONCE: usize = 32;

/// Where files lie that providers fetch, a server often sends on to another.
const REDIRECTS: usize = 3;

/// Files that were uploaded, or are to be.
#[derive(Debug)]
pub(crate) struct Uploader {
    client: Client,
    known: Mutex<HashMap<(MediaKind, String), Arc<Slot>>>,
    turns: Semaphore,
}

/// The id of one file, once it has one, or why it cannot be had; who holds the lock is uploading it.
type Slot = tokio::sync::Mutex<Option<Result<(String, Instant), Refusal>>>;

impl Uploader {
    /// What uploads the files of this channel; `None` where it takes none.
    pub(crate) fn of(channel: &dyn Channel) -> Result<Option<Self>, reqwest::Error> {
        let Some(uploads) = channel.uploads() else { return Ok(None) };
        let guard = uploads.guard().clone();
        let redirects = redirect::Policy::custom({
            let guard = guard.clone();
            move |attempt| match check_literal(&guard, attempt.url()) {
                Err(forbidden) => attempt.error(forbidden),
                Ok(()) if attempt.previous().len() > REDIRECTS => attempt.error("too many redirects"),
                Ok(()) => attempt.follow(),
            }
        });
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(redirects)
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver(guard)))
            .user_agent(concat!("chat4all/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Some(Self { client, known: Mutex::default(), turns: Semaphore::new(UPLOADS_AT_ONCE) }))
    }

    /// Whether the file of this delivery must be uploaded: it is known that its link is of no use, or
    /// the last of `attempts` calls ended with this code.
    pub(crate) fn is_due(&self, uploads: &dyn Uploads, delivery: &Delivery, attempts: u32, last: Option<&str>) -> bool {
        let Some(Media { kind, place: Place::Url(url) }) = &delivery.media else { return false };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains_key(&(*kind, url.clone()))
            || (attempts >= CALLS_BY_LINK && last.is_some_and(|code| uploads.wanted_after(code)))
    }

    /// The delivery with its file by id, and what `admit` came to if that took an upload, which `provider` makes.
    /// Those who wait while another uploads the same file get what that comes to.
    pub(crate) async fn by_id<P>(
        &self,
        uploads: &dyn Uploads,
        provider: &Client,
        delivery: &Delivery,
        admit: impl Future<Output = P>,
    ) -> (Result<Delivery, Refusal>, Option<P>) {
        let Some(media @ Media { kind, place: Place::Url(url) }) = &delivery.media else {
            return (Ok(delivery.clone()), None);
        };
        let slot = self.slot(*kind, url);
        let mut held = slot.lock().await;
        let (id, admitted) = match &*held {
            Some(Ok((id, until))) if Instant::now() < *until => (Ok(id.clone()), None),
            Some(Err(refusal)) => (Err(refusal.clone()), None),
            _ => {
                // Closed never: the semaphore lives as long as this.
                let _turn = self.turns.acquire().await;
                let admitted = admit.await;
                let id = self.upload(uploads, provider, media, url).await;
                *held = self.kept(*kind, url, &id);
                (id, Some(admitted))
            }
        };
        let with = |id| {
            let filename = media.filename().map(str::to_owned);
            Delivery { media: Some(Media { kind: *kind, place: Place::Uploaded { id, filename } }), ..delivery.clone() }
        };
        (id.map(with), admitted)
    }

    /// What is to be kept of an upload.
    fn kept(
        &self,
        kind: MediaKind,
        url: &str,
        id: &Result<String, Refusal>,
    ) -> Option<Result<(String, Instant), Refusal>> {
        match id {
            Ok(id) => {
                tracing::info!(%kind, "a file that the provider could not fetch was uploaded");
                Some(Ok((id.clone(), Instant::now() + REMEMBERED)))
            }
            Err(refusal) if matches!(refusal.kind(), Kind::MediaNotTaken | Kind::Permanent(_)) => {
                // For those who wait. Who comes later tries the link again.
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.remove(&(kind, url.to_owned()));
                Some(Err(refusal.clone()))
            }
            // The provider's trouble and not the file's: the next one tries.
            Err(_) => None,
        }
    }

    fn slot(&self, kind: MediaKind, url: &str) -> Arc<Slot> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, url.to_owned());
        if known.len() >= CAPACITY && !known.contains_key(&key) {
            known.clear();
        }
        known.entry(key).or_default().clone()
    }

    async fn upload(
        &self,
        uploads: &dyn Uploads,
        provider: &Client,
        media: &Media,
        url: &str,
    ) -> Result<String, Refusal> {
        let url = reqwest::Url::parse(url).map_err(not_fetched)?;
        check_literal(uploads.guard(), &url).map_err(not_fetched)?;
        let file = self.client.get(url).send().await.map_err(|error| match forbidden(&error) {
            Some(why) => not_fetched(why),
            None => not_fetched(describe(error)),
        })?;
        if !file.status().is_success() {
            return Err(not_fetched(format!("its server answered {}", file.status())));
        }
        let served = file.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let upload = uploads.request(media, served)?;
        let length = file.content_length();
        if length.is_some_and(|length| length > upload.most_bytes) {
            return Err(not_fetched(too_large(upload.most_bytes)));
        }
        let around = (upload.head.body().len() + upload.tail.len()) as u64;
        let mut request: reqwest::Request = upload.head.into_http().try_into().map_err(unreachable)?;
        let before = request.body_mut().take().unwrap_or_default();
        let before = before.as_bytes().map(bytes::Bytes::copy_from_slice).unwrap_or_default();
        let broken = Arc::new(OnceLock::new());
        let through = pieces(file, upload.most_bytes, broken.clone());
        let ends = |end| stream::iter([Ok::<_, std::io::Error>(end)]);
        *request.body_mut() = Some(Body::wrap_stream(ends(before).chain(through).chain(ends(upload.tail))));
        if let Some(length) = length {
            request.headers_mut().insert(CONTENT_LENGTH, (around + length).into());
        }
        *request.timeout_mut() = Some(TIMEOUT);
        let answered = async {
            let answer = provider.execute(request).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, beginning(answer).await?))
        };
        match answered.await {
            Ok((status, headers, body)) => uploads.answer(status, &headers, &body),
            Err(error) => Err(broken.get().cloned().unwrap_or_else(|| unreachable(error))),
        }
    }
}

/// The file, piece by piece; ends with an error, and says which in `broken`, when it cannot be read on
/// or grows too large.
fn pieces(
    file: Response,
    most: u64,
    broken: Arc<OnceLock<Refusal>>,
) -> impl futures::Stream<Item = Result<bytes::Bytes, std::io::Error>> {
    let mut size = 0;
    file.bytes_stream().map(move |piece| {
        let why = match piece {
            Ok(piece) => {
                size += piece.len() as u64;
                if size <= most {
                    return Ok(piece);
                }
                too_large(most)
            }
            Err(error) => describe(error),
        };
        broken.get_or_init(|| not_fetched(&why));
        Err(std::io::Error::other(why))
    })
}

fn too_large(most: u64) -> String {
    format!("it has more than the {} MB that the provider takes", most >> 20)
}

/// Nothing was sent to anybody, so an upload without an answer is just made again.
fn unreachable(error: reqwest::Error) -> Refusal {
    Refusal::new(Kind::Unavailable, "chat4all:upload-failed", describe(error))
}

#[cfg(test)]
mod tests;
