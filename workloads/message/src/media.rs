//! A file that goes with a message, by its kind and where it lies. Knows no provider: what each one
//! takes is for its channel to say.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest URL, in bytes: what the providers of this deployment take at least.
const LONGEST_URL: usize = 2048;

/// What kind of file it is, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// Sound.
    Audio,
    /// Any other file.
    Document,
}

impl MediaKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [MediaKind; 4] = [MediaKind::Image, MediaKind::Video, MediaKind::Audio, MediaKind::Document];

    /// The name, as it stands in requests.
    pub fn name(self) -> &'static str {
        match self {
            MediaKind::Image => "image",
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
            MediaKind::Document => "document",
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for MediaKind {
    type Err = NotMedia;
    fn from_str(name: &str) -> Result<Self, NotMedia> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| NotMedia::Kind(name.to_owned()))
    }
}

/// A file that the provider fetches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it lies.
    pub url: String,
}

/// This cannot be sent as a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMedia {
    /// No such kind.
    #[error("media.kind is {0:?}; write image, video, audio or document")]
    Kind(String),
    /// No URL that a provider could fetch.
    #[error("media.url is not an http:// or https:// URL of at most {LONGEST_URL} bytes without spaces")]
    Url,
}

impl Media {
    /// A file of this kind at this URL.
    pub fn at(kind: MediaKind, url: impl Into<String>) -> Result<Self, NotMedia> {
        let url = url.into();
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let plain = url.len() <= LONGEST_URL && url.bytes().all(|b| b.is_ascii_graphic());
        match host {
            Some(host) if plain && !host.is_empty() && !host.contains('@') => Ok(Self { kind, url }),
            _ => Err(NotMedia::Url),
        }
    }

    /// The last part of the URL's path, where it looks like the name of a file.
    pub fn filename(&self) -> Option<&str> {
        let path = self.url.split(['?', '#']).next()?;
        let (_, after_host) = path.split_once("://")?.1.split_once('/')?;
        let name = after_host.rsplit('/').next()?;
        (!name.is_empty() && name.len() <= 240).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://files.example/a/invoice.pdf", Some("invoice.pdf"))]
    #[case("https://files.example/a/invoice.pdf?sig=1/2#p", Some("invoice.pdf"))]
    #[case("https://files.example/a/", None)]
    #[case("https://files.example", None)]
    fn the_name_of_a_file_is_the_last_part_of_its_path(#[case] url: &str, #[case] name: Option<&str>) {
        assert_eq!(Media::at(MediaKind::Document, url).unwrap().filename(), name);
    }

    #[rstest]
    #[case("ftp://files.example/a")]
    #[case("https://")]
    #[case("https:///a")]
    #[case("https://user:password@files.example/a")]
    #[case("https://files.example/a b")]
    #[case("file-7")]
    fn what_no_provider_could_fetch_is_refused(#[case] url: &str) {
        assert_eq!(Media::at(MediaKind::Image, url), Err(NotMedia::Url));
    }

    #[test]
    fn kinds_have_the_names_of_the_documentation() {
        for kind in MediaKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert!("sticker".parse::<MediaKind>().unwrap_err().to_string().contains("image, video, audio or document"));
    }
}
