//! Which addresses a connector may reach when somebody else chose the URL (SSRF). Pure: the connector
//! asks it about every address that a name resolves to, at the moment of connecting.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Lets out to the public internet, and to networks that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guard {
    allowed: Vec<IpNet>,
}

/// An address that may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{ip} is {what}, not a public address; add its network to account.allowedNetworks if it may be called")]
pub struct Forbidden {
    ip: IpAddr,
    what: &'static str,
}

impl Guard {
    /// A guard that lets into these networks too.
    pub fn with(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether this address may be reached.
    pub fn check(&self, ip: IpAddr) -> Result<(), Forbidden> {
        let ip = ip.to_canonical();
        if self.allowed.iter().any(|network| network.contains(&ip)) {
            return Ok(());
        }
        let what = match ip {
            IpAddr::V4(ip) => v4(ip),
            IpAddr::V6(ip) => v6(ip),
        };
        what.map_or(Ok(()), |what| Err(Forbidden { ip, what }))
    }
}

/// Source: IANA IPv4 Special-Purpose Address Registry.
fn v4(ip: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = ip.octets();
    Some(match (a, b, c) {
        (0, ..) => "this network",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "private",
        (100, 64..=127, _) => "shared by carriers",
        (127, ..) => "this machine",
        (169, 254, _) => "link-local, where clouds keep their metadata",
        (192, 0, 0) | (192, 0, 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => "reserved",
        (224..=239, ..) => "multicast",
        (240.., ..) => "reserved",
        _ => return None,
    })
}

/// Only global unicast is public, less what is set aside in it; addresses that carry an IPv4 address
/// are judged by that. Source: IANA IPv6 Special-Purpose Address Registry.
fn v6(ip: Ipv6Addr) -> Option<&'static str> {
    let segments = ip.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("no address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("this machine"),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        [0xfc00..=0xfdff, ..] => Some("private"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] => Some("reserved"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0.0.0.0")]
    #[case("10.1.2.3")]
    #[case("100.64.0.1")]
    #[case("127.0.0.1")]
    #[case("127.255.255.254")]
    #[case("169.254.169.254")]
    #[case("172.16.0.1")]
    #[case("172.31.255.255")]
    #[case("192.168.0.1")]
    #[case("198.18.0.1")]
    #[case("224.0.0.1")]
    #[case("255.255.255.255")]
    #[case("::")]
    #[case("::1")]
    #[case("::ffff:127.0.0.1")]
    #[case("::ffff:169.254.169.254")]
    #[case("::127.0.0.1")]
    #[case("64:ff9b::7f00:1")]
    #[case("64:ff9b:1::1")]
    #[case("2002:7f00:1::")]
    #[case("2001::1")]
    #[case("2001:db8::1")]
    #[case("fc00::1")]
    #[case("fd00:ec2::254")]
    #[case("fe80::1")]
    #[case("fec0::1")]
    #[case("ff02::1")]
    fn what_is_not_public_is_refused(#[case] ip: &str) {
        let ip: IpAddr = ip.parse().unwrap();
        assert!(Guard::default().check(ip).is_err(), "{ip}");
    }

    #[rstest]
    #[case("1.1.1.1")]
    #[case("172.15.255.255")]
    #[case("172.32.0.0")]
    #[case("100.128.0.1")]
    #[case("192.0.1.1")]
    #[case("2606:4700::1111")]
    #[case("::ffff:1.1.1.1")]
    #[case("64:ff9b::101:101")]
    fn what_is_public_is_let_out(#[case] ip: &str) {
        assert_eq!(Guard::default().check(ip.parse().unwrap()), Ok(()));
    }

    #[test]
    fn a_network_that_the_configuration_names_is_reached_and_nothing_beside_it() {
        let guard = Guard::with(vec!["10.1.0.0/16".parse().unwrap(), "fd00:1::/32".parse().unwrap()]);
        assert_eq!(guard.check("10.1.2.3".parse().unwrap()), Ok(()));
        assert_eq!(guard.check("::ffff:10.1.2.3".parse().unwrap()), Ok(()));
        assert_eq!(guard.check("fd00:1::1".parse().unwrap()), Ok(()));
        let refused = guard.check("10.2.0.1".parse().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("10.2.0.1 is private") && refused.contains("account.allowedNetworks"), "{refused}");
    }
}
