//! Whether a connector's account has the fields of its channel and no others. The schema says the same
//! to whoever writes the resource; this says it of one that was stored before.

use std::collections::BTreeSet;

use chat4all_message::Channel;
use chat4all_message::address::is_endpoint;
use ipnet::IpNet;

use super::Problem;
use crate::api::{Account, Connector};

/// What is wrong with the account of the connector at this field path.
pub(super) fn problems(path: &str, connector: &Connector) -> Vec<Problem> {
    let Account { phone_number_id, api_version, endpoints, allowed_networks } = &connector.account;
    let fields = [
        Field { name: "phoneNumberId", given: phone_number_id.is_some(), of: &[Channel::Whatsapp], needed: true },
        Field { name: "apiVersion", given: api_version.is_some(), of: &[Channel::Whatsapp], needed: false },
        Field { name: "endpoints", given: !endpoints.is_empty(), of: &[Channel::Webhook], needed: true },
        Field { name: "allowedNetworks", given: !allowed_networks.is_empty(), of: &[Channel::Webhook], needed: false },
    ];
    let mut problems: Vec<_> = fields.iter().filter_map(|field| field.problem(path, connector.channel)).collect();
    let mut names = BTreeSet::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        let field = format!("{path}.account.endpoints[{index}].name");
        if !is_endpoint(&endpoint.name) {
            let remedy = "use at most 63 lower-case letters, digits and dashes";
            problems.push(Problem::new(&field, format!("{:?} cannot be part of an address", endpoint.name), remedy));
        }
        if !names.insert(&endpoint.name) {
            let reason = format!("another endpoint is named {:?} too", endpoint.name);
            problems.push(Problem::new(&field, reason, "give each endpoint a name of its own"));
        }
    }
    for (index, network) in allowed_networks.iter().enumerate() {
        if network.parse::<IpNet>().is_err() {
            let field = format!("{path}.account.allowedNetworks[{index}]");
            problems.push(Problem::new(field, format!("{network:?} is not a network"), "write it as 10.1.0.0/16"));
        }
    }
    problems
}

/// A field of the account, and the channels that have it.
struct Field {
    name: &'static str,
    given: bool,
    of: &'static [Channel],
    needed: bool,
}

impl Field {
    fn problem(&self, path: &str, channel: Channel) -> Option<Problem> {
        let name = format!("{path}.account.{}", self.name);
        match (self.of.contains(&channel), self.given) {
            (true, false) if self.needed => {
                Some(Problem::new(name, format!("is missing, and channel {channel} needs it"), "set it"))
            }
            (false, true) => Some(Problem::new(name, format!("is not for channel {channel}"), "remove it")),
            _ => None,
        }
    }
}
