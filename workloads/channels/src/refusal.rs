//! A refusal as data: what it means for the delivery, the account and the breaker. Which answer
//! is which refusal is for each channel to say. Source: provider-contracts, "What each refusal means".

use std::fmt;

use crate::wait::Wait;

/// Why a message was not taken, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    kind: Kind,
    code: String,
    reason: String,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The provider wants less of us for a while. Nothing is wrong with the message: the attempt
    /// does not count against it.
    Throttled {
        /// Who has to wait.
        scope: Scope,
        /// How long.
        wait: Wait,
    },
    /// The recipient's own server wants to be called later. Nobody but its owner can mend it, so the
    /// attempt counts and it ends some day.
    Busy {
        /// How long.
        wait: Wait,
    },
    /// The provider holds the account back for what it has sent. As [`Kind::Throttled`] for the
    /// account, with long pauses, and a person should look.
    Restricted {
        /// How long.
        wait: Wait,
    },
    /// The provider could not be reached or could not work. It did not take the message.
    Unavailable,
    /// The provider failed without saying why; it may work next time, or never.
    Unexplained,
    /// The provider could not fetch or take the file.
    MediaNotTaken,
    /// The request was sent and no answer tells whether the message was taken.
    OutcomeUnknown,
    /// This message will never be taken.
    Permanent(Cause),
    /// The account may not send as it is: token, permission. The connector pauses and keeps its
    /// messages, this one included.
    AccountDisconnected,
    /// The account cannot send until somebody mends it at the provider: number, name, billing,
    /// registration. The connector pauses and keeps its messages, this one included.
    AccountNeedsAttention,
    /// The provider locked the account for a breach of its rules. This message has failed; the
    /// connector pauses and keeps the others.
    AccountSuspended,
}

/// Who has to wait when a provider throttles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything that calls with the same application.
    App,
    /// The account (number, page, bot) of this connector.
    Account,
    /// The one recipient; others go on.
    Recipient,
}

/// Why a message will never be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The recipient has not written for too long; only a template may be sent.
    WindowClosed,
    /// The recipient cannot be reached on this channel.
    RecipientUnreachable,
    /// The recipient blocked the account or is gone: nothing more should be sent until they write.
    ContactStopped,
    /// The endpoint said that it takes no webhooks any more.
    EndpointGone,
    /// The recipient's URL leads to an address that must not be called.
    TargetForbidden,
    /// The text or the file is larger than the provider takes.
    TooLarge,
    /// The provider protects the recipient: marketing cap, opted out, experiment.
    RecipientProtected,
    /// Not to this recipient: blocked, the account itself, not on the test list.
    RecipientNotAllowed,
    /// The request is wrong; a fault of this program.
    BadRequest,
    /// The template or flow is wrong.
    Template,
    /// An answer that the provider's contract does not list.
    Unlisted,
}

/// When to try a delivery again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never; it has failed.
    No,
    /// By the connector's backoff, up to its number of attempts.
    Backoff,
    /// By the connector's backoff, with at most this many attempts in all.
    AtMost(u32),
    /// After this pause; the refused attempt is not counted.
    After(Wait),
    /// After this pause, up to the connector's number of attempts.
    Later(Wait),
    /// When the account is mended; the refused attempt is not counted.
    WhenMended,
    /// Only as the connector's policy for unknown outcomes says.
    ByPolicy,
}

/// How long a refusal's text may be, in characters: enough for every documented message, and
/// small enough for a header of a dead letter.
const LONGEST_REASON: usize = 1024;

impl Refusal {
    /// A refusal. `code` is the provider's, or `chat4all:<slug>` where the reason is ours;
    /// a reason of more than 1024 characters is shortened and ends in `…`.
    pub fn new(kind: Kind, code: impl Into<String>, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        if let Some((end, _)) = reason.char_indices().nth(LONGEST_REASON) {
            reason.truncate(end);
            reason.push('…');
        }
        Self { kind, code: code.into(), reason }
    }

    /// What it means.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The provider's code as text, or `chat4all:<slug>` where the reason is ours.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The reason in words, as the provider gave it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// When to try again.
    pub fn retry(&self) -> Retry {
        match self.kind {
            Kind::Throttled { wait, .. } | Kind::Restricted { wait } => Retry::After(wait),
            Kind::Busy { wait } => Retry::Later(wait),
            Kind::Unavailable => Retry::Backoff,
            Kind::Unexplained => Retry::AtMost(3),
            Kind::MediaNotTaken => Retry::AtMost(2),
            Kind::OutcomeUnknown => Retry::ByPolicy,
            Kind::Permanent(_) | Kind::AccountSuspended => Retry::No,
            Kind::AccountDisconnected | Kind::AccountNeedsAttention => Retry::WhenMended,
        }
    }

    /// Whether it says that the provider is not well. Throttles and faults of ours never do.
    pub fn counts_for_breaker(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Unexplained | Kind::OutcomeUnknown)
    }

    /// Whether the connector must pause until somebody mends the account.
    pub fn pauses_the_account(&self) -> bool {
        matches!(self.kind, Kind::AccountDisconnected | Kind::AccountNeedsAttention | Kind::AccountSuspended)
    }

    /// Whom it concerns beyond this delivery; `None` when nobody.
    pub fn scope(&self) -> Option<Scope> {
        match self.kind {
            Kind::Throttled { scope, .. } => Some(scope),
            Kind::Busy { .. } => Some(Scope::Recipient),
            Kind::Restricted { .. }
            | Kind::AccountDisconnected
            | Kind::AccountNeedsAttention
            | Kind::AccountSuspended => Some(Scope::Account),
            Kind::Unavailable | Kind::Unexplained | Kind::MediaNotTaken | Kind::OutcomeUnknown | Kind::Permanent(_) => {
                None
            }
        }
    }

    /// Whether the account is disconnected because its token is not valid any more.
    pub fn token_expired(&self) -> bool {
        // Meta's code on all of its channels.
        self.kind == Kind::AccountDisconnected && self.code == "190"
    }

    /// A name out of a small fixed set, for metrics and for the reason header of a dead letter.
    pub fn category(&self) -> &'static str {
        match self.kind {
            Kind::Throttled { .. } => "throttled",
            Kind::Busy { .. } => "busy",
            Kind::Restricted { .. } => "restricted",
            Kind::Unavailable => "unavailable",
            Kind::Unexplained => "unexplained",
            Kind::MediaNotTaken => "media_not_taken",
            Kind::OutcomeUnknown => "outcome_unknown",
            Kind::Permanent(cause) => cause.name(),
            Kind::AccountDisconnected => "account_disconnected",
            Kind::AccountNeedsAttention => "account_needs_attention",
            Kind::AccountSuspended => "account_suspended",
        }
    }
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Cause::WindowClosed => "window_closed",
            Cause::RecipientUnreachable => "recipient_unreachable",
            Cause::ContactStopped => "contact_stopped",
            Cause::TooLarge => "too_large",
            Cause::EndpointGone => "endpoint_gone",
            Cause::TargetForbidden => "target_forbidden",
            Cause::RecipientProtected => "recipient_protected",
            Cause::RecipientNotAllowed => "recipient_not_allowed",
            Cause::BadRequest => "bad_request",
            Cause::Template => "template",
            Cause::Unlisted => "unlisted",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.code)
    }
}
