//! Name resolution behind a channel's guard: of the addresses that a name has at the moment of
//! connecting, only those that may be reached are handed on, and the connection goes to one of them.

use std::error::Error;
use std::net::SocketAddr;

use chat4all_channels::{Forbidden, Guard};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// Resolves names as the system does, less what the guard refuses.
pub(crate) struct GuardedResolver(pub(crate) Guard);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            // The port is the caller's business; 0 stands for it.
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            Ok(permitted(&guard, found)?)
        })
    }
}

fn permitted(guard: &Guard, found: Vec<SocketAddr>) -> Result<Addrs, Forbidden> {
    let mut refused = None;
    let allowed: Vec<SocketAddr> = found
        .into_iter()
        .filter(|address| guard.check(address.ip()).map_err(|forbidden| refused = Some(forbidden)).is_ok())
        .collect();
    match refused {
        Some(forbidden) if allowed.is_empty() => Err(forbidden),
        _ => Ok(Box::new(allowed.into_iter())),
    }
}

/// A host that is an address is not resolved, so it is judged by itself, in the form that the client
/// will call: the parser of URLs has turned every other way of writing it into this one.
pub(crate) fn check_literal(guard: &Guard, url: &Url) -> Result<(), Forbidden> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.parse().map_or(Ok(()), |ip| guard.check(ip))
}

/// The guard's refusal among the causes of an error.
pub(crate) fn forbidden<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Forbidden> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(forbidden) = error.downcast_ref() {
            return Some(forbidden);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn of_the_addresses_of_a_name_only_those_that_are_public_are_tried() {
        let found = vec![address("10.0.0.1:0"), address("1.1.1.1:0"), address("[::1]:0")];
        let tried: Vec<SocketAddr> = permitted(&Guard::default(), found).unwrap().collect();
        assert_eq!(tried, [address("1.1.1.1:0")]);
        assert!(permitted(&Guard::default(), vec![address("10.0.0.1:0")]).is_err());
    }

    #[rstest]
    #[case("http://127.0.0.1/")]
    #[case("http://2130706433/")]
    #[case("http://0x7f.1/")]
    #[case("http://017700000001/")]
    #[case("http://[::1]/")]
    #[case("http://[::ffff:127.0.0.1]/")]
    #[case("http://169.254.169.254/latest/meta-data")]
    fn an_address_in_a_url_is_judged_however_it_is_written(#[case] url: &str) {
        assert!(check_literal(&Guard::default(), &url.parse().unwrap()).is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_called() {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .dns_resolver(std::sync::Arc::new(GuardedResolver(Guard::default())))
            .build()
            .unwrap();
        let error = client.get("http://localhost:9/").send().await.unwrap_err();
        assert!(forbidden(&error).unwrap().to_string().contains("not a public address"), "{error:?}");
    }
}
