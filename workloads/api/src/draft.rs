//! What a client wants to send, checked as far as it can be without asking anybody. Pure.

use std::collections::BTreeSet;

use chat4all_channels::{Load, capabilities};
use chat4all_message::envelope::LONGEST_CONTENT;
use chat4all_message::names::connector_for;
use chat4all_message::{
    AcceptedMessage, Address, Channel, Connector, ConversationId, Media, MessageId, NotMedia, Template,
};

use crate::fields::Fields;
use crate::problem::{Kind, Problem};
use crate::users::{Role, User};

/// As long as a provider's id of a file.
const LONGEST_FILE_ID: usize = 256;

/// A message that has no id yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) conversation: ConversationId,
    pub(crate) sender: Address,
    recipient: Option<Address>,
    content: String,
    file_id: Option<String>,
    media: Option<Media>,
    template: Option<Template>,
    reply_to: Option<String>,
}

/// In bytes; longer than any provider's id.
const LONGEST_REPLY_TO: usize = 512;

impl Draft {
    /// Reads a request's body; `user` sent it.
    pub(crate) fn read(body: &[u8], user: &User, connectors: &[Connector]) -> Result<Self, Problem> {
        let mut fields = Fields::of(body)?;
        let conversation = fields.text("conversation_id")?;
        let conversation: ConversationId =
            conversation.parse().map_err(|why| Problem::field("conversation_id", format!("{why}")))?;
        let media = media(fields.optional_fields("media")?)?;
        let template = template(fields.optional_fields("template")?)?;
        let bare = media.is_none() && template.is_none();
        let content = if bare { fields.text("content")? } else { fields.optional_text("content")?.unwrap_or_default() };
        if (content.is_empty() && bare) || content.len() > LONGEST_CONTENT {
            let (length, least) = (content.len(), u8::from(bare));
            let detail = format!("content has {length} bytes; it must have {least} to {LONGEST_CONTENT}");
            return Err(Problem::field("content", detail));
        }
        let sender = sender(fields.optional_text("sender_id")?, user)?;
        let recipient = match fields.optional_text("recipient_id")? {
            Some(text) => Some(recipient(&text, connectors)?),
            None => None,
        };
        let reply_to = fields.optional_text("reply_to")?;
        if reply_to.as_ref().is_some_and(|id| id.is_empty() || id.len() > LONGEST_REPLY_TO) {
            let detail = format!("reply_to must be a provider_message_id of 1 to {LONGEST_REPLY_TO} bytes");
            return Err(Problem::field("reply_to", detail));
        }
        if reply_to.is_some() && recipient.is_none() {
            return Err(Problem::field(
                "reply_to",
                "reply_to needs a recipient_id, because each recipient's provider has an id of its own for a message",
            ));
        }
        let file_id = fields.optional_text("file_id")?;
        if file_id.as_ref().is_some_and(|id| id.len() > LONGEST_FILE_ID) {
            return Err(Problem::field("file_id", format!("file_id has more than {LONGEST_FILE_ID} bytes")));
        }
        if template.is_some() {
            let beside = [("content", !content.is_empty()), ("media", media.is_some()), ("file_id", file_id.is_some())];
            if let Some((field, _)) = beside.into_iter().find(|(_, given)| *given) {
                let detail = format!("a template is all that is sent; leave {field} out, or leave template out");
                return Err(Problem::field(field, detail));
            }
        }
        let draft = Self { conversation, sender, recipient, content, file_id, media, template, reply_to };
        if let Some(channel) = draft.recipient.as_ref().and_then(Address::channel) {
            draft.fits(channel)?;
        }
        Ok(draft)
    }

    /// Checks the draft against the members of its conversation; empty when it would begin one. Of a
    /// conversation that began with a message from outside nobody is a member until a service answers.
    pub(crate) fn may_enter(&self, members: &BTreeSet<Address>, role: Role) -> Result<(), Problem> {
        let waits = role == Role::Service && members.iter().all(|member| member.channel().is_some());
        if !members.is_empty() && !members.contains(&self.sender) && !waits {
            let detail = format!("{} is not a member of conversation {}", self.sender, self.conversation);
            return Err(Problem::new(Kind::NotAMember, detail));
        }
        if members.is_empty() && role != Role::Service && self.is_in_the_name_of_another() {
            let detail = "this is the conversation that begins when somebody outside writes first; choose another id";
            return Err(Problem::field("conversation_id", detail));
        }
        if self.recipient.is_some() {
            return Ok(());
        }
        let others = members.iter().filter(|member| **member != self.sender);
        if others.clone().next().is_none() {
            let detail = format!(
                "conversation {} has nobody else yet; name a recipient_id in its first message",
                self.conversation
            );
            return Err(Problem::field("recipient_id", detail));
        }
        let channels: BTreeSet<Channel> = others.filter_map(Address::channel).collect();
        channels.into_iter().try_for_each(|channel| self.fits(channel))
    }

    /// Whether the conversation is one that is named after somebody outside, and not after the recipient: who is in it
    /// first reads what that person writes.
    fn is_in_the_name_of_another(&self) -> bool {
        let name = self.conversation.as_str();
        let person = name.parse::<Address>().ok().filter(|address| address.channel().is_some());
        let recipient = self.recipient.as_ref().map(Address::canonical);
        name.starts_with("person:") || person.is_some_and(|person| Some(person.canonical()) != recipient)
    }

    /// What a channel cannot carry is refused here, where the sender can still mend it.
    fn fits(&self, channel: Channel) -> Result<(), Problem> {
        let load = Load {
            content: &self.content,
            media: self.media.as_ref(),
            template: self.template.as_ref(),
            file_id: self.file_id.as_deref(),
            reply_to: self.reply_to.as_deref(),
        };
        capabilities(channel).admits(load).map_err(|why| Problem::field(why.field(), why.to_string()))
    }

    /// The message with its id.
    pub(crate) fn accept(self, message_id: MessageId) -> AcceptedMessage {
        AcceptedMessage {
            message_id,
            conversation_id: self.conversation,
            sender: self.sender,
            recipient: self.recipient,
            content: self.content,
            file_id: self.file_id,
            media: self.media,
            template: self.template,
            reply_to: self.reply_to,
            inbound: None,
        }
    }
}

fn media(fields: Option<Fields>) -> Result<Option<Media>, Problem> {
    let Some(mut fields) = fields else { return Ok(None) };
    let wrong = |why: &dyn std::fmt::Display| Problem::field("media", why.to_string());
    let kind = fields.optional_text("kind")?.ok_or_else(|| wrong(&"media.kind is missing"))?;
    let kind = kind.parse().map_err(|why: NotMedia| wrong(&why))?;
    let filename = fields.optional_text("filename")?;
    let media = match (fields.optional_text("url")?, fields.optional_text("id")?) {
        (Some(_), None) if filename.is_some() => Err(NotMedia::Filename),
        (Some(url), None) => Media::at(kind, url),
        (None, Some(id)) => Media::uploaded(kind, id, filename),
        (None, None) => return Err(wrong(&"media.url is missing; give it, or media.id")),
        (Some(_), Some(_)) => return Err(wrong(&"media has url and id; leave one of them out")),
    };
    media.map(Some).map_err(|why| wrong(&why))
}

fn template(fields: Option<Fields>) -> Result<Option<Template>, Problem> {
    let Some(fields) = fields else { return Ok(None) };
    let template: Template = fields.parsed("template")?;
    template.checked().map(Some).map_err(|why| Problem::field("template", why.to_string()))
}

fn sender(named: Option<String>, user: &User) -> Result<Address, Problem> {
    let Some(text) = named else { return Ok(user.address.clone()) };
    let sender: Address = text.parse().map_err(|why| Problem::field("sender_id", format!("{why}")))?;
    if sender.channel().is_some() {
        return Err(Problem::field(
            "sender_id",
            "sender_id must be a user of this deployment, not a channel's address",
        ));
    }
    if sender != user.address && user.role != Role::Service {
        let detail = format!("this token is of {}; leave sender_id out, or use a token of a service", user.address);
        return Err(Problem::new(Kind::NotTheSender, detail));
    }
    Ok(sender)
}

fn recipient(text: &str, connectors: &[Connector]) -> Result<Address, Problem> {
    let recipient: Address = text.parse().map_err(|why| Problem::field("recipient_id", format!("{why}")))?;
    if let Some(channel) = recipient.channel()
        && connector_for(connectors, channel).is_none()
    {
        let configured: BTreeSet<&str> = connectors.iter().map(|connector| connector.channel.name()).collect();
        let configured: Vec<&str> = configured.into_iter().collect();
        let known = if configured.is_empty() { "none".to_owned() } else { configured.join(", ") };
        let detail = format!("no connector speaks {channel}; configured channels: {known}");
        return Err(Problem::field("recipient_id", detail));
    }
    Ok(recipient)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn ana(role: Role) -> User {
        User { address: "ana".parse().unwrap(), role }
    }

    fn whatsapp() -> Vec<Connector> {
        vec!["main=whatsapp".parse().unwrap()]
    }

    fn read(body: serde_json::Value) -> Result<Draft, Problem> {
        Draft::read(body.to_string().as_bytes(), &ana(Role::User), &whatsapp())
    }

    fn shown(problem: &Problem) -> String {
        format!("{problem:?}")
    }

    #[test]
    fn what_old_clients_send_is_understood() {
        let body = json!({"conversation_id": "c1", "content": "hi", "sender_id": "ana", "recipient_id": "bob", "file_id": null, "priority": 3});
        let draft = read(body).unwrap();
        assert_eq!((draft.sender.to_string(), draft.recipient.map(String::from)), ("ana".into(), Some("bob".into())));
    }

    #[rstest]
    #[case(json!({"content": "hi"}), "conversation_id is missing")]
    #[case(json!({"conversation_id": "a b", "content": "hi"}), "a conversation id is 1 to 128")]
    #[case(json!({"conversation_id": "c", "content": ""}), "content has 0 bytes; it must have 1 to 10240")]
    #[case(json!({"conversation_id": "c", "content": "é".repeat(5121)}), "content has 10242 bytes")]
    #[case(json!({"conversation_id": "c", "content": "hi", "recipient_id": "whatsapp:55"}), "7 to 15 digits")]
    #[case(json!({"conversation_id": "c", "content": "hi", "recipient_id": "pigeon:7"}), "unknown channel")]
    #[case(json!({"conversation_id": "c", "content": "hi", "sender_id": "whatsapp:+5562998765432"}), "sender_id must be a user")]
    fn a_wrong_field_is_named_with_what_is_expected(#[case] body: serde_json::Value, #[case] detail: &str) {
        let problem = read(body).unwrap_err();
        assert_eq!(problem.kind, Kind::InvalidRequest);
        assert!(shown(&problem).contains(detail), "{problem:?}");
        assert!(shown(&problem).contains("field: Some"), "{problem:?}");
    }

    #[test]
    fn content_may_have_exactly_10240_bytes() {
        assert!(read(json!({"conversation_id": "c", "content": "x".repeat(10_240), "recipient_id": "bob"})).is_ok());
    }

    #[test]
    fn a_channel_without_a_connector_names_the_configured_ones() {
        let body = br#"{"conversation_id":"c","content":"hi","recipient_id":"whatsapp:+5562998765432"}"#;
        let problem = Draft::read(body, &ana(Role::User), &[]).unwrap_err();
        assert!(shown(&problem).contains("no connector speaks whatsapp; configured channels: none"), "{problem:?}");
        assert!(shown(&problem).contains("recipient_id"), "{problem:?}");
    }

    #[test]
    fn only_a_service_may_send_as_somebody_else() {
        let body = br#"{"conversation_id":"c","content":"hi","sender_id":"bob","recipient_id":"carol"}"#;
        let problem = Draft::read(body, &ana(Role::User), &whatsapp()).unwrap_err();
        assert_eq!(problem.kind, Kind::NotTheSender);
        let draft = Draft::read(body, &ana(Role::Service), &whatsapp()).unwrap();
        assert_eq!(draft.sender.to_string(), "bob");
    }

    #[test]
    fn a_text_too_long_for_the_channel_is_refused_with_the_limit() {
        let body =
            |n| json!({"conversation_id": "c", "content": "é".repeat(n), "recipient_id": "whatsapp:+5562998765432"});
        assert!(read(body(4096)).is_ok(), "characters are counted, not bytes");
        let problem = read(body(4097)).unwrap_err();
        assert!(shown(&problem).contains("whatsapp carries at most 4096 characters"), "{problem:?}");
    }

    #[rstest]
    #[case(json!({"media": {"kind": "image", "url": "https://files.example/a.png"}}), None)]
    #[case(json!({"media": {"kind": "image", "url": "https://files.example/a.png"}, "content": "see"}), None)]
    #[case(json!({"media": {"kind": "audio", "url": "https://files.example/a.ogg"}, "content": "hear"}), None)]
    #[case(json!({"media": {"kind": "audio", "url": "https://files.example/a.ogg"}, "content": "x".repeat(4097)}), Some("at most 4096 characters"))]
    #[case(json!({"media": {"kind": "image", "url": "https://files.example/a.png"}, "content": "x".repeat(1025)}), Some("at most 1024 characters of text with image"))]
    #[case(json!({"media": {"kind": "sticker", "url": "https://files.example/a.png"}}), Some("image, video, audio or document"))]
    #[case(json!({"media": {"kind": "image"}}), Some("media.url is missing"))]
    #[case(json!({"media": {"kind": "image", "url": "file-7"}}), Some("media.url is not an http"))]
    #[case(json!({"media": {"kind": "image", "id": "1013859600285441"}}), None)]
    #[case(json!({"media": {"kind": "document", "id": "1013859600285441", "filename": "invoice.pdf"}, "content": "see"}), None)]
    #[case(json!({"media": {"kind": "image", "id": "7", "url": "https://files.example/a.png"}}), Some("leave one of them out"))]
    #[case(json!({"media": {"kind": "image", "id": "7", "filename": "a.png"}}), Some("media.filename"))]
    #[case(json!({"media": "https://files.example/a.png"}), Some("media must be an object, not a string"))]
    #[case(json!({"content": "see", "file_id": "f1"}), Some("give media instead of file_id"))]
    #[case(json!({"template": {"name": "hello", "language": "en"}}), None)]
    #[case(json!({"template": {"name": "hello", "language": "en"}, "content": "hi"}), Some("leave content out"))]
    #[case(json!({"template": {"name": "hello"}}), Some("template: missing field `language`"))]
    #[case(json!({"template": {"name": "Hello", "language": "en"}}), Some("template.name must be"))]
    #[case(json!({"template": {"name": "hello", "language": "en", "components": [{"type": "footer"}]}}), Some("template.components[0].type: unknown variant `footer`, expected"))]
    #[case(json!({"content": "yes", "reply_to": "wamid.7"}), None)]
    #[case(json!({"content": "yes", "reply_to": ""}), Some("reply_to must be"))]
    fn what_the_channel_carries_is_taken_and_the_rest_is_refused_with_the_remedy(
        #[case] fields: serde_json::Value,
        #[case] refused: Option<&str>,
    ) {
        let mut body = json!({"conversation_id": "c", "recipient_id": "whatsapp:+5562998765432"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        match (read(body), refused) {
            (Ok(_), None) => {}
            (Err(problem), Some(says)) => assert!(shown(&problem).contains(says), "{problem:?}"),
            (read, _) => panic!("{read:?}"),
        }
    }

    #[test]
    fn an_answer_needs_the_recipient_whose_message_it_answers() {
        let problem = read(json!({"conversation_id": "c", "content": "yes", "reply_to": "wamid.7"})).unwrap_err();
        assert!(shown(&problem).contains("needs a recipient_id"), "{problem:?}");
    }

    #[test]
    fn without_a_recipient_the_channels_of_all_members_set_the_limit() {
        let members: BTreeSet<Address> =
            ["ana", "whatsapp:+5562998765432"].iter().map(|m| m.parse().unwrap()).collect();
        let draft = |n| read(json!({"conversation_id": "c", "content": "x".repeat(n)})).unwrap();
        assert!(draft(4096).may_enter(&members, Role::User).is_ok());
        assert!(shown(&draft(4097).may_enter(&members, Role::User).unwrap_err()).contains("4096"));
    }

    #[test]
    fn a_conversation_begins_with_a_recipient_and_takes_only_members_then() {
        let members = |texts: &[&str]| -> BTreeSet<Address> { texts.iter().map(|m| m.parse().unwrap()).collect() };
        let without = read(json!({"conversation_id": "c", "content": "hi"})).unwrap();
        let with = read(json!({"conversation_id": "c", "content": "hi", "recipient_id": "bob"})).unwrap();
        assert!(with.may_enter(&members(&[]), Role::User).is_ok());
        for nobody_else in [members(&[]), members(&["ana"])] {
            let problem = without.may_enter(&nobody_else, Role::User).unwrap_err();
            assert!(shown(&problem).contains("recipient_id"), "{problem:?}");
        }
        assert!(without.may_enter(&members(&["ana", "bob"]), Role::User).is_ok());
        assert_eq!(with.may_enter(&members(&["bob", "carol"]), Role::User).unwrap_err().kind, Kind::NotAMember);
    }

    #[test]
    fn a_service_and_nobody_else_may_answer_in_a_conversation_that_began_outside() {
        let members: BTreeSet<Address> = ["whatsapp:+5562998765432".parse().unwrap()].into();
        let draft = read(json!({"conversation_id": "whatsapp:+5562998765432", "content": "hi"})).unwrap();
        assert!(draft.may_enter(&members, Role::Service).is_ok());
        assert_eq!(draft.may_enter(&members, Role::User).unwrap_err().kind, Kind::NotAMember);
        let joined = members.into_iter().chain(["bob".parse().unwrap()]).collect();
        assert_eq!(draft.may_enter(&joined, Role::Service).unwrap_err().kind, Kind::NotAMember);
    }
}
