//! Whether a connector's account has the fields of its channel and no others. The schema says the same
//! to whoever writes the resource; this says it of one that was stored before.

use chat4all_message::Channel;

use super::Problem;
use crate::api::{Account, Connector};

/// What is wrong with the account of the connector at this field path.
pub(super) fn problems(path: &str, connector: &Connector) -> Vec<Problem> {
    let Account { phone_number_id, api_version } = &connector.account;
    let fields = [
        Field { name: "phoneNumberId", given: phone_number_id.is_some(), of: &[Channel::Whatsapp], needed: true },
        Field { name: "apiVersion", given: api_version.is_some(), of: &[Channel::Whatsapp], needed: false },
    ];
    fields.iter().filter_map(|field| field.problem(path, connector.channel)).collect()
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
