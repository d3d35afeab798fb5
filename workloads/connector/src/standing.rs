//! How an account stands with its provider, as its last answers say. Names come from a small fixed set:
//! they are values of a metric's label, and the operator turns them into reasons of a condition.

use chat4all_channels::{Kind, Refusal};

/// How an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is known against it.
    Good,
    /// The provider wants less of it for a while.
    Throttled,
    /// The provider holds it back for what it has sent.
    Restricted,
    /// Its token is not valid any more.
    TokenExpired,
    /// It may not send as it is.
    Disconnected,
    /// Somebody has to mend it at the provider.
    NeedsAttention,
    /// The provider locked it.
    Suspended,
}

impl Standing {
    pub(crate) const ALL: [Standing; 7] = [
        Standing::Good,
        Standing::Throttled,
        Standing::Restricted,
        Standing::TokenExpired,
        Standing::Disconnected,
        Standing::NeedsAttention,
        Standing::Suspended,
    ];

    /// What a refusal says of the account; `Good` when it is about something else.
    pub(crate) fn of(refusal: &Refusal) -> Self {
        match refusal.kind() {
            Kind::Throttled { .. } => Standing::Throttled,
            Kind::Restricted { .. } => Standing::Restricted,
            Kind::AccountDisconnected if refusal.token_expired() => Standing::TokenExpired,
            Kind::AccountDisconnected => Standing::Disconnected,
            Kind::AccountNeedsAttention => Standing::NeedsAttention,
            Kind::AccountSuspended => Standing::Suspended,
            _ => Standing::Good,
        }
    }

    /// Whether it stays so until somebody does something.
    pub(crate) fn needs_somebody(self) -> bool {
        !matches!(self, Standing::Good | Standing::Throttled)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Standing::Good => "good",
            Standing::Throttled => "throttled",
            Standing::Restricted => "restricted",
            Standing::TokenExpired => "token-expired",
            Standing::Disconnected => "disconnected",
            Standing::NeedsAttention => "needs-attention",
            Standing::Suspended => "suspended",
        }
    }
}

#[cfg(test)]
mod tests {
    use chat4all_channels::Cause;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Kind::AccountDisconnected, "190", Standing::TokenExpired)]
    #[case(Kind::AccountDisconnected, "10", Standing::Disconnected)]
    #[case(Kind::AccountNeedsAttention, "33", Standing::NeedsAttention)]
    #[case(Kind::AccountSuspended, "368", Standing::Suspended)]
    #[case(Kind::Permanent(Cause::BadRequest), "190", Standing::Good)]
    fn a_refusal_says_how_the_account_stands(#[case] kind: Kind, #[case] code: &str, #[case] standing: Standing) {
        assert_eq!(Standing::of(&Refusal::new(kind, code, "why")), standing);
    }
}
