//! Who receives a message, and by which connector. Pure; the authority on membership, because
//! a conversation's messages come here one after another.

use std::collections::BTreeSet;

use chat4all_channels::capabilities;
use chat4all_message::delivery::LOCAL;
use chat4all_message::names::connector_for;
use chat4all_message::{AcceptedMessage, Address, Connector, Delivery};

/// What to do with an accepted message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Store it and deliver it.
    Deliver(Deliveries),
    /// It belongs to nobody who could receive it: give it up.
    GiveUp {
        /// A stable code.
        code: &'static str,
        /// In words.
        reason: String,
    },
}

/// The deliveries of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deliveries {
    /// Who is in the conversation now and was not before.
    pub(crate) new_members: Vec<Address>,
    /// For connectors.
    pub(crate) outbound: Vec<Delivery>,
    /// For users of this deployment, who read through the API.
    pub(crate) local: Vec<Delivery>,
    /// For channels that no connector speaks.
    pub(crate) unreachable: Vec<Delivery>,
}

impl Deliveries {
    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Delivery> {
        self.outbound.iter().chain(&self.local).chain(&self.unreachable)
    }
}

/// Plans the deliveries of `message` in a conversation with these members (none when it begins one).
pub(crate) fn plan(message: &AcceptedMessage, members: &BTreeSet<Address>, connectors: &[Connector]) -> Plan {
    // Nobody of this deployment is in a conversation that began with a message from outside, until
    // somebody answers. Who may is for the API to say.
    let joined = members.iter().any(|member| member.channel().is_none());
    if joined && !members.contains(&message.sender) {
        return Plan::GiveUp {
            code: "chat4all:not-a-member",
            reason: format!("{} is not a member of conversation {}", message.sender, message.conversation_id),
        };
    }
    let recipients: BTreeSet<&Address> = match &message.recipient {
        Some(recipient) => BTreeSet::from([recipient]),
        None => members.iter().filter(|member| **member != message.sender).collect(),
    };
    if recipients.is_empty() {
        return Plan::GiveUp {
            code: "chat4all:no-recipient",
            reason: format!("conversation {} has no other member; name a recipient_id", message.conversation_id),
        };
    }
    let mut deliveries = Deliveries {
        new_members: std::iter::once(&message.sender)
            .chain(recipients.iter().copied())
            .filter(|member| !members.contains(*member))
            .cloned()
            .collect(),
        ..Deliveries::default()
    };
    for recipient in recipients {
        let of = |connector: &str| Delivery::of(message, recipient.clone(), connector);
        match recipient.channel() {
            None => deliveries.local.push(of(LOCAL)),
            Some(channel) => match connector_for(connectors, channel) {
                Some(connector) => deliveries.outbound.extend(capabilities(channel).parts(of(&connector.name))),
                None => deliveries.unreachable.push(of(channel.name())),
            },
        }
    }
    Plan::Deliver(deliveries)
}

/// Plans what came in: users of this deployment read it; other people outside do not get what one of
/// them wrote, since nobody sent it to them. `known` tells whether its sender is among the members,
/// perhaps by another address.
pub(crate) fn plan_inbound(message: &AcceptedMessage, members: &BTreeSet<Address>, known: bool) -> Deliveries {
    let users = members.iter().filter(|member| member.channel().is_none());
    Deliveries {
        new_members: if known { Vec::new() } else { vec![message.sender.clone()] },
        local: users.map(|user| Delivery::of(message, user.clone(), LOCAL)).collect(),
        ..Deliveries::default()
    }
}

#[cfg(test)]
mod tests {
    use chat4all_message::{Media, MediaKind, MessageId};

    use super::*;

    fn message(recipient: Option<&str>) -> AcceptedMessage {
        AcceptedMessage {
            message_id: MessageId::now(),
            conversation_id: "c1".parse().unwrap(),
            sender: address("ana"),
            recipient: recipient.map(address),
            content: "hi".into(),
            file_id: None,
            media: None,
            template: None,
            reply_to: None,
            inbound: None,
        }
    }

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn members(texts: &[&str]) -> BTreeSet<Address> {
        texts.iter().map(|t| address(t)).collect()
    }

    fn whatsapp() -> Vec<Connector> {
        vec!["main=whatsapp".parse().unwrap()]
    }

    fn deliveries(plan: Plan) -> Deliveries {
        match plan {
            Plan::Deliver(deliveries) => deliveries,
            Plan::GiveUp { reason, .. } => panic!("given up: {reason}"),
        }
    }

    #[test]
    fn the_first_message_makes_sender_and_recipient_members() {
        let planned = deliveries(plan(&message(Some("whatsapp:+5562998765432")), &members(&[]), &whatsapp()));
        assert_eq!(planned.new_members, vec![address("ana"), address("whatsapp:+5562998765432")]);
        assert_eq!(planned.outbound[0].connector, "main");
    }

    #[test]
    fn without_a_recipient_all_other_members_receive_it_once() {
        let all = members(&["ana", "bob", "whatsapp:+5562998765432"]);
        let planned = deliveries(plan(&message(None), &all, &whatsapp()));
        assert!(planned.new_members.is_empty());
        assert_eq!(planned.local.len(), 1);
        assert_eq!(planned.outbound.len(), 1);
    }

    #[test]
    fn a_stranger_cannot_write_into_a_conversation() {
        let plan = plan(&message(Some("bob")), &members(&["bob", "carol"]), &whatsapp());
        assert!(matches!(plan, Plan::GiveUp { code: "chat4all:not-a-member", .. }));
    }

    #[test]
    fn somebody_of_this_deployment_may_answer_who_wrote_first() {
        let planned = deliveries(plan(&message(None), &members(&["whatsapp:+5562998765432"]), &whatsapp()));
        assert_eq!(planned.new_members, [address("ana")]);
        assert_eq!(planned.outbound.len(), 1);
    }

    #[test]
    fn what_came_in_goes_to_users_and_to_nobody_outside() {
        let all = members(&["ana", "whatsapp:+5562998765432", "telegram:133"]);
        let inbound = AcceptedMessage { sender: address("telegram:133"), ..message(None) };
        let planned = plan_inbound(&inbound, &all, true);
        assert_eq!(planned.all().map(|d| d.recipient.to_string()).collect::<Vec<_>>(), ["ana"]);
        assert!(planned.new_members.is_empty());
        let begun = plan_inbound(&inbound, &members(&[]), false);
        assert_eq!((begun.new_members, begun.local), (vec![address("telegram:133")], vec![]));
    }

    #[test]
    fn a_message_to_nobody_is_given_up_with_the_remedy() {
        for members in [members(&[]), members(&["ana"])] {
            let Plan::GiveUp { code, reason } = plan(&message(None), &members, &whatsapp()) else { panic!() };
            assert_eq!(code, "chat4all:no-recipient");
            assert!(reason.contains("recipient_id"));
        }
    }

    #[test]
    fn a_channel_without_a_connector_is_unreachable_and_said_so() {
        let planned = deliveries(plan(&message(Some("whatsapp:+5562998765432")), &members(&[]), &[]));
        assert_eq!(planned.unreachable.len(), 1);
        assert_eq!(planned.all().count(), 1);
    }

    #[test]
    fn case_13_a_text_that_cannot_stand_beside_its_file_follows_it_as_a_delivery_of_its_own() {
        let media = |kind| Some(Media::at(kind, "https://files.example/a").unwrap());
        let sound = AcceptedMessage { media: media(MediaKind::Audio), ..message(Some("whatsapp:+5562998765432")) };
        let planned = deliveries(plan(&sound, &members(&[]), &whatsapp()));
        let [file, text] = &planned.outbound[..] else { panic!("{planned:?}") };
        assert_eq!((file.content.as_str(), &file.media), ("", &sound.media));
        assert_eq!((text.content.as_str(), &text.media), ("hi", &None));
        assert_ne!(file.reference.delivery_id, text.reference.delivery_id);
        assert_eq!(deliveries(plan(&sound, &members(&[]), &whatsapp())).outbound, planned.outbound);
        let picture = AcceptedMessage { media: media(MediaKind::Image), ..sound };
        assert_eq!(deliveries(plan(&picture, &members(&[]), &whatsapp())).outbound.len(), 1, "it has a caption");
    }

    #[test]
    fn every_replay_plans_the_same_deliveries() {
        let message = message(Some("whatsapp:+5562998765432"));
        let first = deliveries(plan(&message, &members(&[]), &whatsapp()));
        let again = deliveries(plan(&message, &members(&["ana", "whatsapp:+5562998765432"]), &whatsapp()));
        assert_eq!(first.outbound, again.outbound);
    }
}
