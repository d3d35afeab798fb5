//! `POST /{version}/{phone number id}/media`: files that are uploaded, and the ids by which messages
//! name them. Strict about the types and sizes that the provider takes; keeps no contents.
//! Source: Meta's reference of media and provider-contracts, limits.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, Multipart, Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde_json::json;
use uuid::Uuid;

use super::check::{self, Message};
use super::error::GraphError;
use super::mark::refusal;
use super::messages::permitted;
use crate::connection::Scissors;
use crate::exchange::{self, Reply, Right};
use crate::log::Received;
use crate::server::Shared;

/// The largest upload, in bytes, with some room for the form around it.
pub(crate) const LARGEST_BODY: usize = 101 << 20;

/// The ids that were given out.
#[derive(Debug, Default)]
pub(crate) struct Media(Mutex<HashSet<String>>);

impl Media {
    /// The message, unless it names a file that was never uploaded.
    pub(crate) fn known(&self, message: Message) -> Result<Message, GraphError> {
        match &message.media {
            Some(check::Media::Id(id)) if !self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id) => {
                Err(GraphError::value(format!("Media id {id} does not exist.")))
            }
            _ => Ok(message),
        }
    }

    fn new_id(&self) -> String {
        let id = (Uuid::new_v4().as_u128() % 10_u128.pow(16)).to_string();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        id
    }
}

/// The handler.
pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    Path((version, phone_number_id)): Path<(String, String)>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    headers: HeaderMap,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Response {
    let verdict = match permitted(&shared, &method, &version, &phone_number_id, &headers) {
        Err(refused) => Err(refused),
        Ok(()) => match form {
            Err(_) => Err(GraphError::parameter("The request must be multipart/form-data.")),
            Ok(form) => read(form).await,
        },
    };
    let name = verdict.as_ref().ok().cloned();
    let heard = Received { media: name, ..Received::over("whatsapp-media") };
    let right = |_| {
        let id = shared.media.new_id();
        Right { reply: Reply::taken(json!({"id": id})), message_id: id }
    };
    exchange::answer(&shared, &scissors, heard, verdict.map(right).map_err(GraphError::into_reply), refusal).await
}

/// Reads the form; gives the file's name.
async fn read(mut form: Multipart) -> Result<String, GraphError> {
    let (mut product, mut file) = (None, None);
    let broken = |_| GraphError::parameter("The form ended early.");
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
        match field.name() {
            Some("messaging_product") => product = Some(field.text().await.map_err(broken)?),
            Some("type") => {}
            Some("file") => {
                let (name, kind) = (text(field.file_name()), text(field.content_type()));
                file = Some((name, kind, field.bytes().await.map_err(broken)?.len()));
            }
            other => return Err(GraphError::parameter(format!("Unexpected key {other:?} in the form."))),
        }
    }
    if product.as_deref() != Some("whatsapp") {
        return Err(GraphError::parameter("(#100) The parameter messaging_product is required."));
    }
    let (name, kind, size) = file.ok_or_else(|| GraphError::missing("file"))?;
    let most = most_bytes(&kind).ok_or_else(|| {
        GraphError::parameter(format!("Param file must be a file with one of the supported types; received {kind:?}."))
    })?;
    if name.is_empty() || size == 0 || size > most {
        return Err(GraphError::parameter(format!("Param file must have a name and 1 to {most} bytes.")));
    }
    Ok(name)
}

fn most_bytes(kind: &str) -> Option<usize> {
    Some(match kind {
        "image/jpeg" | "image/png" => 5 << 20,
        "audio/aac" | "audio/mp4" | "audio/mpeg" | "audio/amr" | "audio/ogg" | "video/mp4" | "video/3gpp" => 16 << 20,
        "text/plain"
        | "application/pdf"
        | "application/msword"
        | "application/vnd.ms-excel"
        | "application/vnd.ms-powerpoint"
        | "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        | "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        | "application/vnd.openxmlformats-officedocument.presentationml.presentation" => 100 << 20,
        _ => return None,
    })
}
