//! Credentials read from the files of a mounted Secret. They never show themselves.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use crate::registry::Error;

/// A credential. `Debug` hides it; it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a credential.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Reads `dir/file`, without white space around it.
    pub(crate) fn read(dir: &Path, file: impl Into<Cow<'static, str>>) -> Result<Self, Error> {
        let file = file.into();
        let path = dir.join(&*file);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(Error::Unreadable { path, file, source }),
        };
        match text.trim() {
            "" => Err(Error::Empty { path, file }),
            value => Ok(Self(value.to_owned())),
        }
    }

    /// The credential itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with the credential taken out, should somebody have echoed it.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "[credential]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[credential]")
    }
}
