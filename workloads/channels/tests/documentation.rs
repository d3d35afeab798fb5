//! The table in the documentation is that of the code.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use chat4all_channels::{Capabilities, capabilities};
use chat4all_message::{Channel, MediaKind};

fn table() -> String {
    let mut table = String::from(
        "| channel | address | text | image | video | audio | document | by id | template | reply | read mark | tells |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for channel in Channel::ALL {
        let can = capabilities(channel);
        let media: Vec<String> = MediaKind::ALL.iter().map(|kind| media(can, *kind)).collect();
        writeln!(
            table,
            "| {channel} | {} | {} | {} | {} | {} | {} | {} | {} |",
            address(channel),
            can.text,
            media.join(" | "),
            if can.media_by_id { "yes" } else { "no" },
            if can.template { "yes" } else { "no" },
            if can.reply { "yes" } else { "no" },
            if can.read_mark { "yes" } else { "no" },
            tells(can),
        )
        .unwrap();
    }
    table
}

fn address(channel: Channel) -> &'static str {
    match channel {
        Channel::Whatsapp => "`whatsapp:+5562998765432`, `whatsapp:US.1349`",
        Channel::Instagram => "`instagram:<id>`",
        Channel::Messenger => "`messenger:<id>`",
        Channel::Telegram => "`telegram:<chat id>`",
        Channel::Webhook => "`webhook:<endpoint>`",
    }
}

fn media(can: &Capabilities, kind: MediaKind) -> String {
    match can.media.iter().find(|rule| rule.kind == kind) {
        None => "no".to_owned(),
        Some(rule) => {
            let size = rule.max_megabytes.map_or_else(|| "any size".to_owned(), |max| format!("{max} MB"));
            let text = rule.caption.map_or_else(|| "without text".to_owned(), |limit| format!("with {limit}"));
            format!("{size}, {text}")
        }
    }
}

fn tells(can: &Capabilities) -> &'static str {
    match (can.tells_delivered, can.tells_read) {
        (true, true) => "delivered, read",
        (true, false) => "delivered",
        (false, true) => "read",
        (false, false) => "nothing after sent",
    }
}

#[test]
fn the_documented_table_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/channels.md");
    let documented = fs::read_to_string(path).unwrap();
    assert!(documented.contains(&table()), "put this table into docs/channels.md:\n\n{}", table());
}
