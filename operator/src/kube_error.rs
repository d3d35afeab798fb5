//! What the API server said, for people. `kube::Error` prints a refusal twice, once as a structure.

/// The message of a refusal, else the error as it is.
pub fn plain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Whether it was refused because the namespace is being deleted.
pub fn namespace_is_ending(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == "NamespaceTerminating")
}

/// An error and what caused it, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let said = |error: &(dyn std::error::Error + 'static)| match error.downcast_ref::<kube::Error>() {
        Some(error) => plain(error),
        None => error.to_string(),
    };
    let mut text = said(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = said(error);
        // Some errors repeat their cause.
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source().filter(|_| !error.is::<kube::Error>());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not apply Service demo-api")]
    struct Outer(#[source] kube::Error);

    #[test]
    fn a_refusal_is_told_once_and_by_its_message() {
        let status = kube::core::Status::failure("services is forbidden", "Forbidden").with_code(403);
        let error = Outer(kube::Error::Api(Box::new(status)));
        assert_eq!(chain(&error), "could not apply Service demo-api: services is forbidden");
    }
}
