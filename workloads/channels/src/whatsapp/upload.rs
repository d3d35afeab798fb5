//! Files by id: `POST /{version}/{phone number id}/media`, a form with the file in it.
//! Source: Meta's reference of media.

use bytes::Bytes;
use chat4all_message::{Media, MediaKind};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use super::account::Account;
use super::{CAPABILITIES, refusal};
use crate::guard::Guard;
use crate::meta::error::{ErrorObject, without_error_object};
use crate::outgoing::Outgoing;
use crate::refusal::{Cause, Kind, Refusal};
use crate::upload::{NOT_FETCHED, Upload, Uploads};

/// The provider's code for a file that it could not fetch or take.
const MEDIA_UPLOAD_ERROR: &str = "131053";

impl Uploads for Account {
    fn wanted_after(&self, code: &str) -> bool {
        code == MEDIA_UPLOAD_ERROR || code == NOT_FETCHED
    }

    fn request(&self, media: &Media, content_type: Option<&str>) -> Result<Upload, Refusal> {
        let name = media.filename().unwrap_or("file");
        let kind = content_type_of(media.kind, name, content_type).ok_or_else(|| {
            let reason = format!(
                "nobody says of what type the file {name:?} is; give its URL an ending such as .pdf or .jpg, or have its server send a Content-Type"
            );
            Refusal::new(Kind::Permanent(Cause::BadRequest), "chat4all:media-of-unknown-type", reason)
        })?;
        // Stands between the parts of the form. Nobody who serves a file can know it, or they would end its part and
        // add fields of their own.
        let boundary = format!("chat4all-{}", Uuid::new_v4().simple());
        // A quote would end the name; URLs hold no line breaks.
        let name = name.replace(['"', '\\'], "_");
        let before = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
             --{boundary}\r\ncontent-disposition: form-data; name=\"type\"\r\n\r\n{kind}\r\n\
             --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: {kind}\r\n\r\n"
        );
        let form = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"))
            .expect("the boundary is visible ASCII");
        let head = Outgoing::post(self.media_url.clone(), before.into())
            .with("content-type", form)
            .with("authorization", self.authorization.clone());
        let tail = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        Ok(Upload { head, tail, most_bytes: most_bytes(media.kind) })
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<String, Refusal> {
        let body: Option<Value> = serde_json::from_slice(body).ok();
        if let Some(error) = body.as_ref().and_then(ErrorObject::of) {
            return Err(refusal::of(&error.redacted(&self.token), status, headers));
        }
        match body.as_ref().and_then(|body| body["id"].as_str()).filter(|id| !id.is_empty()) {
            Some(id) if status.is_success() => Ok(id.to_owned()),
            _ if status.is_success() => {
                let reason = "the provider took the file and gave no id for it";
                Err(Refusal::new(Kind::Unavailable, "chat4all:no-media-id", reason))
            }
            _ => Err(without_error_object(status, headers)),
        }
    }

    fn guard(&self) -> &Guard {
        &self.media_guard
    }
}

/// The type that the file's name tells, since servers that tell a wrong one are why links are
/// refused; else what its server says.
fn content_type_of(kind: MediaKind, name: &str, served: Option<&str>) -> Option<String> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let by_name = match (kind, ending.as_deref()) {
        (MediaKind::Image | MediaKind::Document, Some("jpg" | "jpeg")) => Some("image/jpeg"),
        (MediaKind::Image | MediaKind::Document, Some("png")) => Some("image/png"),
        (MediaKind::Video, Some("mp4")) => Some("video/mp4"),
        (MediaKind::Video, Some("3gp")) => Some("video/3gpp"),
        (MediaKind::Audio, Some("aac")) => Some("audio/aac"),
        (MediaKind::Audio, Some("mp3")) => Some("audio/mpeg"),
        (MediaKind::Audio, Some("mp4" | "m4a")) => Some("audio/mp4"),
        (MediaKind::Audio, Some("amr")) => Some("audio/amr"),
        (MediaKind::Audio, Some("ogg" | "oga" | "opus")) => Some("audio/ogg"),
        (MediaKind::Document, Some("pdf")) => Some("application/pdf"),
        (MediaKind::Document, Some("txt" | "csv")) => Some("text/plain"),
        (MediaKind::Document, Some("doc")) => Some("application/msword"),
        (MediaKind::Document, Some("xls")) => Some("application/vnd.ms-excel"),
        (MediaKind::Document, Some("ppt")) => Some("application/vnd.ms-powerpoint"),
        (MediaKind::Document, Some("docx")) => {
            Some("application/vnd.openxmlformats-officedocument.wordprocessingml.document")
        }
        (MediaKind::Document, Some("xlsx")) => {
            Some("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
        }
        (MediaKind::Document, Some("pptx")) => {
            Some("application/vnd.openxmlformats-officedocument.presentationml.presentation")
        }
        _ => None,
    };
    let served = served.and_then(|served| served.split(';').next()).map(str::trim);
    let says_something =
        |served: &&str| !served.is_empty() && !matches!(*served, "application/octet-stream" | "binary/octet-stream");
    by_name.or(served.filter(says_something)).map(str::to_owned)
}

fn most_bytes(kind: MediaKind) -> u64 {
    let rule = CAPABILITIES.media.iter().find(|rule| rule.kind == kind);
    u64::from(rule.and_then(|rule| rule.max_megabytes).unwrap_or_default()) << 20
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(MediaKind::Image, "a.JPG", Some("text/html"), Some("image/jpeg"))]
    #[case(MediaKind::Document, "a.pdf", Some("application/octet-stream"), Some("application/pdf"))]
    #[case(MediaKind::Document, "invoice", Some("application/pdf; charset=binary"), Some("application/pdf"))]
    #[case(MediaKind::Audio, "a.mp4", None, Some("audio/mp4"))]
    #[case(MediaKind::Image, "a", Some("application/octet-stream"), None)]
    #[case(MediaKind::Image, "a", None, None)]
    fn the_type_is_that_of_the_name_else_of_the_server(
        #[case] kind: MediaKind,
        #[case] name: &str,
        #[case] served: Option<&str>,
        #[case] found: Option<&str>,
    ) {
        assert_eq!(content_type_of(kind, name, served).as_deref(), found);
    }

    #[test]
    fn sizes_are_those_of_the_table() {
        assert_eq!(most_bytes(MediaKind::Image), 5 << 20);
        assert_eq!(most_bytes(MediaKind::Document), 100 << 20);
    }
}
