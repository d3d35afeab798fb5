//! Recipients that have another address at the provider than the one that messages name. Kept in
//! memory: the provider tells again when it is forgotten.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chat4all_message::{Address, Delivery};

/// Far more than groups that change within the life of a process; beyond it all are asked for again.
const CAPACITY: usize = 10_000;

/// Where recipients are now.
#[derive(Debug, Default)]
pub(crate) struct Moved(Mutex<HashMap<Address, Address>>);

impl Moved {
    /// This recipient is there now.
    pub(crate) fn note(&self, from: &Address, to: &Address) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moved.len() >= CAPACITY {
            moved.clear();
        }
        moved.insert(from.clone(), to.clone());
    }

    /// The delivery as it must be sent now. What it answers stayed behind at the old address.
    pub(crate) fn follow<'d>(&self, delivery: &'d Delivery) -> Cow<'d, Delivery> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&delivery.recipient) {
            None => Cow::Borrowed(delivery),
            Some(to) => Cow::Owned(Delivery { recipient: to.clone(), reply_to: None, ..delivery.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use chat4all_message::{AcceptedMessage, MessageId};

    use super::*;

    #[test]
    fn who_moved_is_sent_to_the_new_address_under_the_same_delivery() {
        let (old, new): (Address, Address) = ("telegram:-99".parse().unwrap(), "telegram:-10099".parse().unwrap());
        let message = AcceptedMessage {
            message_id: MessageId::now(),
            conversation_id: "c".parse().unwrap(),
            sender: "ana".parse().unwrap(),
            recipient: None,
            content: "hi".into(),
            file_id: None,
            media: None,
            template: None,
            reply_to: Some("-99:7".into()),
            inbound: None,
        };
        let delivery = Delivery::of(&message, old.clone(), "main");
        let moved = Moved::default();
        assert_eq!(*moved.follow(&delivery), delivery);
        moved.note(&old, &new);
        let followed = moved.follow(&delivery);
        assert_eq!((&followed.recipient, &followed.reply_to), (&new, &None));
        assert_eq!(followed.reference, delivery.reference);
    }
}
