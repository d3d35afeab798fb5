//! Parts of an account at the Graph API.

use chat4all_message::credentials::ACCESS_TOKEN;
use http::HeaderValue;

use crate::registry::{ChannelConfig, Error};
use crate::secret::Secret;

/// Source: provider-contracts, "WhatsApp Business Cloud API".
const DEFAULT_VERSION: &str = "v25.0";

/// A version of the Graph API, the usual one when none is given.
pub(crate) fn version(given: Option<String>) -> Result<String, Error> {
    let version = given.unwrap_or_else(|| DEFAULT_VERSION.to_owned());
    let has_the_form = version.strip_prefix('v').and_then(|rest| rest.split_once('.')).is_some_and(|(major, minor)| {
        [major, minor].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    if has_the_form {
        Ok(version)
    } else {
        Err(Error::AccountField {
            field: "apiVersion",
            why: format!("is {version:?}, which is not a version of the Graph API"),
            example: r#""v25.0""#,
        })
    }
}

/// The id of an object at the Graph API: digits only. `what` says whose.
pub(crate) fn id(field: &'static str, what: &str, given: Option<String>) -> Result<String, Error> {
    let wrong = |why: String| Error::AccountField { field, why, example: r#""106540352242922""# };
    match given {
        None => Err(wrong("is missing".to_owned())),
        Some(id) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => Ok(id),
        Some(id) => Err(wrong(format!("is {id:?}, which is not {what} (digits only)"))),
    }
}

/// The access token, and the header that shows it.
pub(crate) fn token(config: &ChannelConfig) -> Result<(Secret, HeaderValue), Error> {
    let token = Secret::read(&config.credentials_dir, ACCESS_TOKEN)?;
    let unusable = || Error::Unusable { path: config.credentials_dir.join(ACCESS_TOKEN), file: ACCESS_TOKEN.into() };
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| unusable())?;
    header.set_sensitive(true);
    Ok((token, header))
}
