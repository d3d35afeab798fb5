//! What one connector pod says about its account and its provider.

use async_trait::async_trait;

use super::ailment::Ailment;
use crate::scrape::Scraper;

/// What one connector pod says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PodReading {
    /// What is wrong with its account or its provider.
    pub ailment: Option<Ailment>,
    /// Whether its breaker is half-open: it waits for calls to try with.
    pub half_open: bool,
    /// Deliveries that it gave up since it began.
    pub dead_letters: u64,
}

/// Asks connector pods for their metrics.
#[async_trait]
pub trait ConnectorSource: Send + Sync {
    /// Asks the pod with this IP; takes a second at most. `None` when it gives no answer.
    async fn ask(&self, address: &str) -> Option<PodReading>;
}

/// [`ConnectorSource`] over plain HTTP.
#[derive(Default)]
pub struct HttpConnectors(Scraper);

#[async_trait]
impl ConnectorSource for HttpConnectors {
    async fn ask(&self, address: &str) -> Option<PodReading> {
        let text = self.0.text(address).await;
        let text = text.inspect_err(|error| tracing::debug!(address, error, "a connector pod did not answer"));
        parse(&text.ok()?)
    }
}

/// Reads the few lines that matter of an OpenMetrics text; none when it does not hold them.
fn parse(text: &str) -> Option<PodReading> {
    let mut reading = PodReading::default();
    let mut complete = false;
    for line in text.lines().filter(|line| line.starts_with("chat4all_connector_")) {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let state = || labels.split_once("state=\"").and_then(|(_, rest)| rest.split('"').next());
        match name {
            "chat4all_connector_breaker_state" => {
                complete = true;
                match state().filter(|_| value == "1") {
                    Some("open") => reading.ailment = reading.ailment.max(Some(Ailment::BreakerOpen)),
                    Some("half-open") => reading.half_open = true,
                    _ => {}
                }
            }
            "chat4all_connector_account_state" if value == "1" => {
                reading.ailment = reading.ailment.max(state().and_then(account));
            }
            "chat4all_connector_dead_letters_total" => reading.dead_letters += value.parse::<u64>().ok()?,
            _ => {}
        }
    }
    complete.then_some(reading)
}

/// The connector's word for how its account stands. One that this version does not know is no ailment.
fn account(state: &str) -> Option<Ailment> {
    Some(match state {
        "restricted" => Ailment::AccountRestricted,
        "needs-attention" => Ailment::AccountNeedsAttention,
        "disconnected" => Ailment::AccountDisconnected,
        "token-expired" => Ailment::TokenExpired,
        "suspended" => Ailment::AccountSuspended,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn metrics(breaker: &str, account: &str, dead_letters: &str) -> String {
        let states = |name: &str, all: &[&str], is: &str| -> String {
            let line = |state: &&str| {
                let value = u8::from(*state == is);
                format!("chat4all_connector_{name}{{connector=\"whatsapp\",state=\"{state}\"}} {value}\n")
            };
            all.iter().map(line).collect()
        };
        states("breaker_state", &["closed", "open", "half-open"], breaker)
            + &states("account_state", &["good", "throttled", "token-expired", "suspended", "new-in-2027"], account)
            + dead_letters
            + "chat4all_connector_parked{connector=\"whatsapp\"} 7\n# EOF\n"
    }

    #[rstest]
    #[case("closed", "good", None)]
    #[case("open", "good", Some(Ailment::BreakerOpen))]
    #[case("closed", "throttled", None)]
    #[case("closed", "token-expired", Some(Ailment::TokenExpired))]
    #[case("open", "suspended", Some(Ailment::AccountSuspended))]
    #[case("closed", "new-in-2027", None)]
    fn the_metrics_of_a_connector_say_what_ails_it(
        #[case] breaker: &str,
        #[case] account: &str,
        #[case] ailment: Option<Ailment>,
    ) {
        let reading = PodReading { ailment, half_open: false, dead_letters: 0 };
        assert_eq!(parse(&metrics(breaker, account, "")), Some(reading));
    }

    #[test]
    fn a_half_open_breaker_is_no_ailment_by_itself() {
        let reading = PodReading { ailment: None, half_open: true, dead_letters: 0 };
        assert_eq!(parse(&metrics("half-open", "good", "")), Some(reading));
    }

    #[test]
    fn dead_letters_are_counted() {
        let text = metrics("closed", "good", "chat4all_connector_dead_letters_total{connector=\"whatsapp\"} 12\n");
        assert_eq!(parse(&text).unwrap().dead_letters, 12);
    }

    #[test]
    fn what_serves_no_metrics_of_a_connector_says_nothing() {
        assert_eq!(parse("chat4all_consumer_records_total 3\n# EOF\n"), None);
        assert_eq!(parse("<html>"), None);
    }

    #[tokio::test]
    async fn a_pod_is_asked_over_http() {
        let answers = axum::Router::new().route("/metrics", axum::routing::get(async || metrics("open", "good", "")));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = HttpConnectors(Scraper::at(listener.local_addr().unwrap().port()));
        tokio::spawn(async move { axum::serve(listener, answers).await });
        assert_eq!(source.ask("127.0.0.1").await.unwrap().ailment, Some(Ailment::BreakerOpen));
        assert_eq!(source.ask("127.0.0.2").await, None);
    }
}
