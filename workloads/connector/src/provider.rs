//! One HTTP call to the provider, and what its end means.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::{Answer, Cause, Channel, Kind, Outgoing, Refusal, Transport};
use chat4all_message::Delivery;
use reqwest::Response;
use tokio::sync::Semaphore;

use crate::guarded::{GuardedResolver, check_literal, forbidden};
use crate::upload::Uploader;

/// Calls at once. A WhatsApp number takes 80 messages a second (1000 when upgraded): enough
/// for answer times of 1.5 s (0.1 s), and a bound on sockets.
const CALLS_AT_ONCE: usize = 128;

/// A connection that the provider does not accept within this time is a provider that is away.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// More of an answer is not read: providers answer in a few hundred bytes, and an endpoint of somebody
/// else must not fill the memory.
const LARGEST_ANSWER: usize = 256 << 10;

/// The provider behind a channel.
pub(crate) struct Provider {
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) calls: Semaphore,
    client: reqwest::Client,
    uploader: Option<Uploader>,
}

impl Provider {
    pub(crate) fn new(channel: Arc<dyn Channel>, timeout: Duration) -> Result<Self, reqwest::Error> {
        let mut client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            // The token goes to the configured host and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            // Shorter than the keep-alive of usual servers, so that a call rarely meets a
            // connection that is just being closed: that would be an unknown outcome.
            .pool_idle_timeout(Duration::from_secs(10))
            .user_agent(concat!("chat4all/", env!("CARGO_PKG_VERSION")));
        if let Some(guard) = channel.guard() {
            // A proxy would resolve names itself, unguarded.
            client = client.no_proxy().dns_resolver(Arc::new(GuardedResolver(guard.clone())));
        }
        let uploader = Uploader::of(&*channel)?;
        Ok(Self { channel, calls: Semaphore::new(CALLS_AT_ONCE), client: client.build()?, uploader })
    }

    /// Whether a file that the provider cannot fetch by its link can be handed over otherwise.
    pub(crate) fn can_upload(&self, delivery: &Delivery) -> bool {
        self.uploader.is_some() && delivery.media.as_ref().is_some_and(|media| media.url().is_some())
    }

    /// The delivery as it must be sent after `attempts` calls, the last of which ended with the code `last`:
    /// with its file uploaded where its link is of no use. An upload is a call to the provider, which `admit`
    /// lets in; with what came back when there was one.
    pub(crate) async fn with_its_file<'d, P>(
        &self,
        delivery: &'d Delivery,
        attempts: u32,
        last: Option<&str>,
        admit: impl Future<Output = P>,
    ) -> (Result<Cow<'d, Delivery>, Refusal>, Option<P>) {
        match (&self.uploader, self.channel.uploads()) {
            (Some(uploader), Some(uploads)) if uploader.is_due(uploads, delivery, attempts, last) => {
                let (delivery, admitted) = uploader.by_id(uploads, &self.client, delivery, admit).await;
                (delivery.map(Cow::Owned), admitted)
            }
            _ => (Ok(Cow::Borrowed(delivery)), None),
        }
    }

    /// Sends the delivery's request and reads the answer.
    pub(crate) async fn call(&self, delivery: &Delivery, request: Outgoing) -> Answer {
        let answered = async {
            let request: reqwest::Request = request.into_http().try_into()?;
            if let Some(Err(why)) = self.channel.guard().map(|guard| check_literal(guard, request.url())) {
                return Ok(Err(why));
            }
            let response = self.client.execute(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>(Ok((status, headers, beginning(response).await?)))
        };
        match answered.await {
            Ok(Ok((status, headers, body))) => self.channel.classify(delivery, status, &headers, &body),
            Ok(Err(why)) => Answer::Refused(target_forbidden(&why)),
            Err(error) => Answer::Refused(match forbidden(&error) {
                Some(why) => target_forbidden(why),
                None => transport(&error).refusal(describe(error)),
            }),
        }
    }
}

/// The answer's body, as far as it is read.
pub(crate) async fn beginning(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < LARGEST_ANSWER
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn target_forbidden(why: &chat4all_channels::Forbidden) -> Refusal {
    Refusal::new(Kind::Permanent(Cause::TargetForbidden), "chat4all:target-forbidden", why.to_string())
}

/// Whether the provider can have seen the request.
fn transport(error: &reqwest::Error) -> Transport {
    if error.is_connect() || error.is_builder() { Transport::NotSent } else { Transport::OutcomeUnknown }
}

/// The error with its causes, without the URL: on some channels the token is in it.
pub(crate) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
