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
    let Account { phone_number_id, page_id, instagram_id, api_version, endpoints, allowed_networks } =
        &connector.account;
    let (whatsapp, instagram, messenger) = (Channel::Whatsapp, Channel::Instagram, Channel::Messenger);
    let fields = [
        Field { name: "phoneNumberId", given: phone_number_id.is_some(), of: &[whatsapp], needed: &[whatsapp] },
        Field { name: "pageId", given: page_id.is_some(), of: &[instagram, messenger], needed: &[messenger] },
        Field { name: "instagramId", given: instagram_id.is_some(), of: &[instagram], needed: &[instagram] },
        Field { name: "apiVersion", given: api_version.is_some(), of: &[whatsapp, instagram, messenger], needed: &[] },
        Field { name: "endpoints", given: !endpoints.is_empty(), of: &[Channel::Webhook], needed: &[Channel::Webhook] },
        Field {
            name: "allowedNetworks",
            given: !allowed_networks.is_empty(),
            of: &[Channel::Webhook, whatsapp],
            needed: &[],
        },
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
struct Field<'a> {
    name: &'static str,
    given: bool,
    of: &'a [Channel],
    needed: &'a [Channel],
}

impl Field<'_> {
    fn problem(&self, path: &str, channel: Channel) -> Option<Problem> {
        let name = format!("{path}.account.{}", self.name);
        match (self.of.contains(&channel), self.given) {
            (true, false) if self.needed.contains(&channel) => {
                Some(Problem::new(name, format!("is missing, and channel {channel} needs it"), "set it"))
            }
            (false, true) => Some(Problem::new(name, format!("is not for channel {channel}"), "remove it")),
            _ => None,
        }
    }
}
