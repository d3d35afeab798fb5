//! A file that goes with a message, by its kind and where it is found. Knows no provider: what each
//! one takes is for its channel to say.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest URL, in bytes: what the providers of this deployment take at least.
const LONGEST_URL: usize = 2048;
/// In bytes; longer than any provider's id of a file.
const LONGEST_ID: usize = 256;
/// Of a file, in characters: what file systems take.
const LONGEST_NAME: usize = 240;

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

/// A file that goes with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// How the provider finds it.
    pub place: Place,
}

/// How a provider finds a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It fetches the file from this URL.
    Url(String),
    /// It has the file already.
    Uploaded {
        /// The provider's id of it.
        id: String,
        /// What a document is shown as.
        filename: Option<String>,
    },
}

/// A file as it stands in records and rows. The URL is always there, also where it says nothing: who
/// knows no ids asks for it.
#[derive(Serialize, Deserialize)]
struct Written {
    kind: MediaKind,
    #[serde(default)]
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
}

impl From<Media> for Written {
    fn from(Media { kind, place }: Media) -> Self {
        match place {
            Place::Url(url) => Self { kind, url, id: None, filename: None },
            Place::Uploaded { id, filename } => Self { kind, url: String::new(), id: Some(id), filename },
        }
    }
}

impl From<Written> for Media {
    fn from(Written { kind, url, id, filename }: Written) -> Self {
        let place = match id {
            Some(id) => Place::Uploaded { id, filename },
            None => Place::Url(url),
        };
        Self { kind, place }
    }
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
    /// No id that a provider could have given.
    #[error("media.id is not a provider's id of 1 to {LONGEST_ID} visible ASCII characters")]
    Id,
    /// No name that a file could be shown as.
    #[error(
        "media.filename is not 1 to {LONGEST_NAME} characters without control characters, or the file is no document sent by id"
    )]
    Filename,
}

impl Media {
    /// A file of this kind at this URL.
    pub fn at(kind: MediaKind, url: impl Into<String>) -> Result<Self, NotMedia> {
        let url = url.into();
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let plain = url.len() <= LONGEST_URL && url.bytes().all(|b| b.is_ascii_graphic());
        match host {
            Some(host) if plain && !host.is_empty() && !host.contains('@') => Ok(Self { kind, place: Place::Url(url) }),
            _ => Err(NotMedia::Url),
        }
    }

    /// A file of this kind that the provider has under this id; a document may be given a name.
    pub fn uploaded(kind: MediaKind, id: impl Into<String>, filename: Option<String>) -> Result<Self, NotMedia> {
        let id = id.into();
        if !(1..=LONGEST_ID).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(NotMedia::Id);
        }
        let fits = |name: &String| {
            kind == MediaKind::Document
                && (1..=LONGEST_NAME).contains(&name.chars().count())
                && !name.chars().any(char::is_control)
        };
        if filename.as_ref().is_some_and(|name| !fits(name)) {
            return Err(NotMedia::Filename);
        }
        Ok(Self { kind, place: Place::Uploaded { id, filename } })
    }

    /// Where the provider fetches it; `None` where it has it already.
    pub fn url(&self) -> Option<&str> {
        match &self.place {
            Place::Url(url) => Some(url),
            Place::Uploaded { .. } => None,
        }
    }

    /// What it is called: as it was given, or the last part of the URL's path where it looks like the
    /// name of a file.
    pub fn filename(&self) -> Option<&str> {
        let url = match &self.place {
            Place::Url(url) => url,
            Place::Uploaded { filename, .. } => return filename.as_deref(),
        };
        let path = url.split(['?', '#']).next()?;
        let (_, after_host) = path.split_once("://")?.1.split_once('/')?;
        let name = after_host.rsplit('/').next()?;
        (!name.is_empty() && name.len() <= LONGEST_NAME).then_some(name)
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
    fn a_file_by_id_reads_back_and_does_not_break_who_knows_only_urls() {
        let by_url = Media::at(MediaKind::Image, "https://files.example/a.png").unwrap();
        assert_eq!(serde_json::to_string(&by_url).unwrap(), r#"{"kind":"image","url":"https://files.example/a.png"}"#);
        let by_id = Media::uploaded(MediaKind::Document, "1013859600285441", Some("invoice.pdf".into())).unwrap();
        let written = serde_json::to_string(&by_id).unwrap();
        assert_eq!(written, r#"{"kind":"document","url":"","id":"1013859600285441","filename":"invoice.pdf"}"#);
        for media in [by_url, by_id] {
            assert_eq!(serde_json::from_str::<Media>(&serde_json::to_string(&media).unwrap()).unwrap(), media);
        }
    }

    #[rstest]
    #[case(MediaKind::Image, "", None, NotMedia::Id)]
    #[case(MediaKind::Image, "a b", None, NotMedia::Id)]
    #[case(MediaKind::Image, "7", Some("a.png"), NotMedia::Filename)]
    #[case(MediaKind::Document, "7", Some(""), NotMedia::Filename)]
    fn a_wrong_id_or_name_is_refused(
        #[case] kind: MediaKind,
        #[case] id: &str,
        #[case] name: Option<&str>,
        #[case] why: NotMedia,
    ) {
        assert_eq!(Media::uploaded(kind, id, name.map(str::to_owned)), Err(why));
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
