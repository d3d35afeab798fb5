//! One form for all ways in which WhatsApp writes one phone number: for finding a person again, never
//! for calling them. Source: provider-contracts, "Addresses".

use crate::address::Address;

impl Address {
    /// The same for every way in which this person's number is written; other addresses as they are.
    pub fn canonical(&self) -> Address {
        match self {
            Address::WhatsappNumber(digits) => {
                let shorter = brazil(digits).or_else(|| mexico(digits)).or_else(|| argentina(digits));
                Address::WhatsappNumber(shorter.unwrap_or_else(|| digits.clone()))
            }
            other => other.clone(),
        }
    }
}

/// 55, area code, then nine digits: the first one, a 9, was put before the eight of every mobile
/// number, which begin with 6 to 9; landlines begin with 2 to 5 and never had it.
fn brazil(digits: &str) -> Option<String> {
    let rest = digits.strip_prefix("55")?;
    let (area, number) = rest.split_at_checked(2)?;
    let eight = number.strip_prefix('9').filter(|eight| eight.len() == 8)?;
    eight.starts_with(['6', '7', '8', '9']).then(|| format!("55{area}{eight}"))
}

/// 52, then a 1 that mobile numbers had until 2019, then ten digits.
fn mexico(digits: &str) -> Option<String> {
    digits.strip_prefix("521").filter(|ten| ten.len() == 10).map(|ten| format!("52{ten}"))
}

/// 54, then a 9 that marks mobile numbers, then ten digits.
fn argentina(digits: &str) -> Option<String> {
    digits.strip_prefix("549").filter(|ten| ten.len() == 10).map(|ten| format!("54{ten}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use crate::Address;

    fn canonical(text: &str) -> String {
        text.parse::<Address>().unwrap().canonical().to_string()
    }

    #[rstest]
    #[case::brazil("whatsapp:+5562998765432", "whatsapp:+556298765432")]
    #[case::brazil_in_an_area_that_keeps_the_nine("whatsapp:+5511987654321", "whatsapp:+551187654321")]
    #[case::mexico("whatsapp:+5215512345678", "whatsapp:+525512345678")]
    #[case::argentina("whatsapp:+5491123456789", "whatsapp:+541123456789")]
    fn two_ways_of_writing_one_number_are_one(#[case] one: &str, #[case] other: &str) {
        assert_eq!(canonical(one), canonical(other));
    }

    #[rstest]
    #[case::a_landline_of_brazil("whatsapp:+5562932165432", "whatsapp:+556232165432")]
    #[case::another_person("whatsapp:+5562998765432", "whatsapp:+5562998765433")]
    #[case::another_area("whatsapp:+5562998765432", "whatsapp:+556398765432")]
    #[case::another_country("whatsapp:+5215512345678", "whatsapp:+5215512345")]
    fn numbers_of_different_people_stay_apart(#[case] one: &str, #[case] other: &str) {
        assert_ne!(canonical(one), canonical(other));
    }

    #[rstest]
    #[case("whatsapp:US.1349")]
    #[case("whatsapp:+14155550100")]
    #[case("telegram:-1001234")]
    #[case("ana")]
    fn other_addresses_stay_as_they_are(#[case] text: &str) {
        assert_eq!(canonical(text), text);
    }

    proptest! {
        #[test]
        fn what_is_canonical_stays_so(digits in "(55|52|54)[0-9]{5,13}") {
            let once = canonical(&format!("whatsapp:+{digits}"));
            prop_assert_eq!(canonical(&once), once);
        }
    }
}
