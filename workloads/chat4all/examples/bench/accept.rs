//! What the API accepts beside a handler that only produces.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bare::{AS_API, TO};
use crate::connection::{Connection, request};
use crate::load::{Carried, Target, closed, open};
use crate::parts::Part;
use crate::place::{CONVERSATIONS, Place, TEXT, USER, conversation, recipient};
use crate::process::{Process, mib};
use crate::table::{Beside, Row, Rows, thousands};
use crate::{ROUNDS, median};

const TIME: Duration = Duration::from_secs(5);
/// For the open loop: a p99 wants more.
const LONGER: Duration = Duration::from_secs(15);
/// Connections, and the share of the floor that is aimed at.
const CASES: [(usize, &str); 2] = [(20, "85 %"), (500, "70 %")];

/// Measures it under load that never rests, and at half of what that came to.
pub async fn measure(place: &Place) -> Vec<Row<Beside>> {
    let bare = Process::floor(AS_API, &place.and(&[(TO, place.bare())])).ready().await;
    let api = Process::ours("api", &place.settings).ready().await;
    let requests = Arc::new(requests(&token(&api).await));
    let target = |process: &Process| Target { address: process.address, pid: process.pid, requests: requests.clone() };
    let (bare_target, api_target) = (target(&bare), target(&api));
    let mut rows = Rows::of(Part::Accept);
    let mut saturation: f64 = 0.0;
    for (connections, aim) in CASES {
        let case = format!("{connections} connections");
        eprintln!("accept: {case}");
        let (mut floor, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            floor.push(closed(&bare_target, connections, TIME).await);
            ours.push(closed(&api_target, connections, TIME).await);
        }
        let [(floor, of_floor), (ours, of_ours)] = [floor, ours].map(|runs| median(runs, |run| run.rate));
        let mut pair = [floor, ours];
        saturation = saturation.max(pair[1].rate);
        rows.rate(&case, "messages/s", [pair[0].rate, pair[1].rate], aim);
        rows.spread(&case, [of_floor, of_ours]);
        details(&mut rows, &case, &mut pair, "");
    }
    let rate = saturation / 2.0;
    let case = format!("open loop at {}/s, half of ours", thousands(rate));
    eprintln!("accept: {case}");
    let connections = CASES.map(|(connections, _)| connections).into_iter().max().unwrap();
    let mut pair =
        [open(&bare_target, connections, rate, LONGER).await, open(&api_target, connections, rate, LONGER).await];
    rows.rate(&case, "messages/s", [pair[0].rate, pair[1].rate], "");
    details(&mut rows, &case, &mut pair, "< 10 ms");
    let highest = [&bare, &api].map(|process| mib(process.memory().highest));
    rows.note("all of these", "highest memory of the process, MiB", highest, 0, "");
    rows.all()
}

fn details(rows: &mut Rows<Beside>, case: &str, pair: &mut [Carried; 2], aim: &'static str) {
    rows.note(case, "p50, ms", pair.each_mut().map(|run| run.times.percentile(50)), 1, "");
    rows.note(case, "p99, ms", pair.each_mut().map(|run| run.times.percentile(99)), 1, aim);
    rows.usage(case, pair.each_ref().map(|run| &run.cores), pair.each_ref().map(|run| run.rate));
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
