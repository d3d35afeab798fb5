//! Message ids that look like the provider's: `wamid.` and base64 of a small binary record with
//! the recipient and a unique part.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// A new id for a message to this recipient.
pub(crate) fn new(recipient: &str) -> String {
    let unique = Uuid::new_v4().simple().to_string().to_uppercase();
    let mut record = vec![0x1c, 0x18, u8::try_from(recipient.len()).unwrap_or(u8::MAX)];
    record.extend_from_slice(recipient.as_bytes());
    record.extend_from_slice(&[0x15, 0x02, 0x00, 0x11, 0x18, 0x20]);
    record.extend_from_slice(unique.as_bytes());
    record.push(0x00);
    format!("wamid.{}", STANDARD.encode(record))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_look_like_the_providers_and_are_unique() {
        let ids: HashSet<String> = (0..1000).map(|_| new("5562998765432")).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.starts_with("wamid.HBgNNTU2Mjk5ODc2NTQzM")));
    }
}
