//! What the process holds, seen from outside.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

const MIB: f64 = 1048576.0;

/// `chat4all dev` on ports of its own, ended with the test.
struct Process {
    child: Child,
    api: String,
    password: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    async fn start() -> Self {
        let [api, simulator] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat4all"))
            .args(["dev", "--http-listen", &api.to_string(), "--simulator-listen", &simulator.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let login = lines.find_map(|line| line.unwrap().split_once(r#""password":""#).map(|(_, rest)| rest.to_owned()));
        let password = login.unwrap().split_once('"').unwrap().0.to_owned();
        let process = Self { child, api: format!("http://{api}"), password };
        let started = Instant::now();
        while reqwest::get(format!("{}/livez", process.api)).await.is_err() {
            assert!(started.elapsed() < Duration::from_secs(60), "it does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        process
    }

    async fn log_in(&self, client: &reqwest::Client) {
        let body = json!({"username": "demo", "password": self.password}).to_string();
        let request = client.post(format!("{}/auth/token", self.api)).header("content-type", "application/json");
        assert_eq!(request.body(body).send().await.unwrap().status(), StatusCode::OK);
    }

    async fn resident_mib(&self) -> f64 {
        let metrics = reqwest::get(format!("{}/metrics", self.api)).await.unwrap().text().await.unwrap();
        let value = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        value.unwrap().parse::<f64>().unwrap() / MIB
    }
}

#[tokio::test]
async fn logins_take_their_19_mib_for_a_moment_only() {
    let process = Process::start().await;
    let client = reqwest::Client::new();
    process.log_in(&client).await;
    let before = process.resident_mib().await;
    for _ in 0..25 {
        tokio::join!(
            process.log_in(&client),
            process.log_in(&client),
            process.log_in(&client),
            process.log_in(&client)
        );
    }
    let after = process.resident_mib().await;
    // Two at once may be at work while it is looked at.
    assert!(after < before + 2.0 * 19.0 + 10.0, "{before:.0} MiB became {after:.0} MiB");
}
