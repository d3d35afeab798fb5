//! What a provider would refuse about a template, before anybody asks it. Source of the limits: Meta's
//! reference of template components and of error 132018.

use super::{Button, Component, Currency, File, Parameter, Template};
use crate::media::{Media, MediaKind};

const LONGEST_NAME: usize = 512;
const LONGEST_HEADER: usize = 60;
const LONGEST_BODY: usize = 1024;
/// Where nothing but the body has blanks.
const LONGEST_LONE_BODY: usize = 32_768;
const LONGEST_PAYLOAD: usize = 128;
const LONGEST_COUPON: usize = 15;
const BUTTONS: u8 = 10;

/// The place in a template that is wrong, and what is expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template.{place} {expected}")]
pub struct NotATemplate {
    place: String,
    expected: String,
}

type Checked = Result<(), NotATemplate>;

fn wrong(place: &str, expected: impl Into<String>) -> Checked {
    Err(NotATemplate { place: place.to_owned(), expected: expected.into() })
}

fn require(holds: bool, place: &str, expected: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { wrong(place, expected) }
}

impl Template {
    /// The template, or the first thing about it that a provider would refuse.
    pub fn checked(self) -> Result<Self, NotATemplate> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let named = (1..=LONGEST_NAME).contains(&self.name.len()) && self.name.bytes().all(plain);
        require(named, "name", format!("must be 1 to {LONGEST_NAME} lower-case letters, digits or _"))?;
        require(is_language(&self.language), "language", "must be a language code such as en, en_US or pt_BR")?;
        let mut seen: Vec<(&str, Option<u8>)> = Vec::new();
        for (i, component) in self.components.iter().enumerate() {
            let place = format!("components[{i}]");
            let which = match component {
                Component::Header { .. } => ("header", None),
                Component::Body { .. } => ("body", None),
                Component::Button { index, .. } => ("button", Some(*index)),
            };
            match which {
                (_, Some(index)) if seen.contains(&which) => {
                    return Err(twice(&format!("{place}.index"), &format!("{index} is given twice")));
                }
                (name, None) if seen.contains(&which) => return Err(twice(&place, &format!("is a second {name}"))),
                _ => seen.push(which),
            }
            self.component(&place, component)?;
        }
        Ok(self)
    }

    fn component(&self, place: &str, component: &Component) -> Checked {
        match component {
            Component::Header { parameters } => {
                let (place, parameter) = only(place, parameters)?;
                match parameter {
                    Parameter::Text { text, .. } => words(&place, text, LONGEST_HEADER),
                    Parameter::Image { image } => file(&place, MediaKind::Image, image),
                    Parameter::Video { video } => file(&place, MediaKind::Video, video),
                    Parameter::Document { document } => file(&place, MediaKind::Document, document),
                    _ => wrong(&place, "cannot stand in a header; write text, image, video or document"),
                }
            }
            Component::Body { parameters } => {
                let longest = if self.components.len() == 1 { LONGEST_LONE_BODY } else { LONGEST_BODY };
                let mut left = longest;
                for (i, parameter) in parameters.iter().enumerate() {
                    let place = format!("{place}.parameters[{i}]");
                    let shown = match parameter {
                        Parameter::Text { text, .. } => text,
                        Parameter::Currency { currency } => money(&place, currency)?,
                        Parameter::DateTime { date_time } => &date_time.fallback_value,
                        _ => return wrong(&place, "cannot stand in a body; write text, currency or date_time"),
                    };
                    words(&place, shown, longest)?;
                    left = match left.checked_sub(shown.chars().count()) {
                        Some(left) => left,
                        None => return wrong(&place, format!("is too much: a body has at most {longest} characters")),
                    };
                }
                Ok(())
            }
            Component::Button { sub_type, index, parameters } => {
                require(*index < BUTTONS, &format!("{place}.index"), format!("must be 0 to {}", BUTTONS - 1))?;
                let (place, parameter) = only(place, parameters)?;
                match (sub_type, parameter) {
                    (Button::QuickReply, Parameter::Payload { payload }) => words(&place, payload, LONGEST_PAYLOAD),
                    (Button::Url, Parameter::Text { text, .. }) => words(&place, text, LONGEST_BODY),
                    (Button::CopyCode, Parameter::CouponCode { coupon_code }) => {
                        words(&place, coupon_code, LONGEST_COUPON)
                    }
                    (Button::QuickReply, _) => {
                        wrong(&place, "must be of type payload, since the button is quick_reply")
                    }
                    (Button::Url, _) => wrong(&place, "must be of type text, since the button is url"),
                    (Button::CopyCode, _) => {
                        wrong(&place, "must be of type coupon_code, since the button is copy_code")
                    }
                }
            }
        }
    }
}

fn twice(place: &str, says: &str) -> NotATemplate {
    NotATemplate { place: place.to_owned(), expected: format!("{says}; give each part once") }
}

fn only<'a>(place: &str, parameters: &'a [Parameter]) -> Result<(String, &'a Parameter), NotATemplate> {
    let place = format!("{place}.parameters");
    match parameters {
        [parameter] => Ok((format!("{place}[0]"), parameter)),
        _ => Err(NotATemplate { place, expected: "must hold exactly one parameter".to_owned() }),
    }
}

fn is_language(code: &str) -> bool {
    let (language, region) = code.split_once('_').map_or((code, None), |(language, region)| (language, Some(region)));
    let letters = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic())
    };
    letters(language, 2..=3)
        && language.bytes().all(|b| b.is_ascii_lowercase())
        && region.is_none_or(|region| letters(region, 2..=4))
}

fn words(place: &str, text: &str, longest: usize) -> Checked {
    require(!text.is_empty(), place, "is empty; give at least one character")?;
    let flat = !text.contains(['\n', '\r', '\t']) && !text.contains("     ");
    require(flat, place, "may have no line breaks, no tabs and no more than four spaces in a row")?;
    require(text.chars().count() <= longest, place, format!("may have at most {longest} characters"))
}

fn money<'a>(place: &str, currency: &'a Currency) -> Result<&'a str, NotATemplate> {
    let known = currency.code.len() == 3 && currency.code.bytes().all(|b| b.is_ascii_uppercase());
    require(known, &format!("{place}.currency.code"), "must be three capital letters of ISO 4217")?;
    Ok(&currency.fallback_value)
}

fn file(place: &str, kind: MediaKind, file: &File) -> Checked {
    let place = format!("{place}.{kind}");
    let named = kind == MediaKind::Document || file.filename.is_none();
    require(named, &place, "takes no filename; only a document has one")?;
    match (&file.link, &file.id) {
        (Some(link), None) => match Media::at(kind, link.as_str()) {
            Ok(_) => Ok(()),
            Err(_) => wrong(&format!("{place}.link"), "must be an http:// or https:// URL without spaces"),
        },
        (None, Some(id)) => require(!id.is_empty(), &format!("{place}.id"), "is empty; give the provider's id"),
        _ => wrong(&place, "needs either link or id"),
    }
}
