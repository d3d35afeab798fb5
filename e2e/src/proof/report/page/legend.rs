//! What the colours and shapes of the plots stand for.

use maud::{Markup, html};

/// Of the time lines.
pub fn time() -> Markup {
    legend(&[
        ("stroke accepted", "accepted"),
        ("stroke delivered", "delivered"),
        ("patch waiting", "waiting"),
        ("stroke routers", "routers"),
        ("patch kept", "fault kept up"),
        ("patch until-normal", "until normal again"),
    ])
}

/// Of the accepting of one fault.
pub fn one_latency() -> Markup {
    legend(&[("stroke accepted", "this fault"), ("stroke other together", "all messages")])
}

/// Of the accepting of all faults.
pub fn all_latencies() -> Markup {
    legend(&[("stroke accepted", "all messages"), ("stroke other", "each fault")])
}

/// Of the pauses.
pub fn pauses() -> Markup {
    legend(&[("dot pause", "longest pause"), ("dot normal", "until normal again")])
}

fn legend(items: &[(&str, &str)]) -> Markup {
    html! {
        ul.legend { @for (class, text) in items { li { span class=(class) {} (text) } } }
    }
}
