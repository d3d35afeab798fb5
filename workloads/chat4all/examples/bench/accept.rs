//! What the API accepts beside a handler that only produces.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bare::{AS_API, TO};
use crate::connection::{Connection, request};
use crate::load::{Carried, Target, closed, open};
use crate::place::{CONVERSATIONS, Place, TEXT, USER, conversation, recipient};
use crate::process::Process;
use crate::table::{self, thousands};
use crate::{ROUNDS, median};

const TIME: Duration = Duration::from_secs(5);
/// For the open loop: a p99 wants more.
const LONGER: Duration = Duration::from_secs(15);
/// Connections, and the share of the floor that is aimed at.
const CASES: [(usize, &str); 2] = [(20, "85 %"), (500, "70 %")];

/// Prints its rows.
pub async fn measure(place: &Place) {
    let bare = Process::floor(AS_API, &place.and(&[(TO, place.bare())])).ready().await;
    let api = Process::ours("api", &place.settings).ready().await;
    let requests = Arc::new(requests(&token(&api).await));
    let target = |process: &Process| Target { address: process.address, pid: process.pid, requests: requests.clone() };
    let (bare_target, api_target) = (target(&bare), target(&api));
    let mut saturation: f64 = 0.0;
    for (connections, aim) in CASES {
        let (mut floor, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            floor.push(closed(&bare_target, connections, TIME).await);
            ours.push(closed(&api_target, connections, TIME).await);
        }
        let [(floor, of_floor), (ours, of_ours)] = [floor, ours].map(|runs| median(runs, |run| run.rate));
        let mut pair = [floor, ours];
        saturation = saturation.max(pair[1].rate);
        table::rate(&format!("accept, {connections} connections: messages/s"), [pair[0].rate, pair[1].rate], aim);
        table::note("    least and most of the rounds", [of_floor, of_ours], "");
        details(&mut pair, "");
    }
    let rate = saturation / 2.0;
    let connections = CASES.map(|(connections, _)| connections).into_iter().max().unwrap();
    let mut pair =
        [open(&bare_target, connections, rate, LONGER).await, open(&api_target, connections, rate, LONGER).await];
    let what = format!("accept, open loop at {}/s, half of ours", thousands(rate));
    table::rate(&what, [pair[0].rate, pair[1].rate], "");
    details(&mut pair, "p99 < 10 ms");
    let highest = [&bare, &api].map(|process| format!("{:.0}", mib(process.memory().highest)));
    table::note("accept: highest memory of the process, MiB", highest, "");
}

fn details(pair: &mut [Carried; 2], aim: &str) {
    table::note("    p50 and p99, ms", pair.each_mut().map(|run| run.times.shown()), aim);
    table::note("    its own CPU, µs a message", pair.each_ref().map(|run| cost(run.cores.process, run.rate)), "");
    table::note("    cores: itself, load, rest", pair.each_ref().map(|run| run.cores.to_string()), "");
}

/// Microseconds of CPU for each message.
pub fn cost(cores: f64, rate: f64) -> String {
    format!("{:.0}", cores * 1e6 / rate)
}

pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A token for the user, as every client gets one.
pub async fn token(api: &Process) -> String {
    let login = json!({"username": USER, "password": USER}).to_string();
    let mut connection = Connection::open(api.address).await.unwrap();
    let answer = connection.call(&request("POST", "/auth/token", "", &login)).await.unwrap();
    let answer: Value = serde_json::from_slice(answer.body).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// A request for each conversation.
fn requests(token: &str) -> Vec<Vec<u8>> {
    let body = |number| {
        let (conversation, recipient) = (conversation(number), recipient(number).to_string());
        json!({"conversation_id": conversation.as_str(), "recipient_id": recipient, "content": TEXT}).to_string()
    };
    (0..CONVERSATIONS).map(|number| request("POST", "/v1/messages", token, &body(number))).collect()
}
