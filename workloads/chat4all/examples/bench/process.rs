//! Programs under measurement, each a process of its own: ours as a user runs it, floors as this program.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::connection::{Connection, request};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running program; killed when it is dropped.
pub struct Process {
    child: Child,
    pub pid: u32,
    /// Where it answers.
    pub address: SocketAddr,
}

/// Resident bytes of a process.
#[derive(Clone, Copy)]
pub struct Memory {
    pub now: u64,
    pub highest: u64,
}

/// Mebibytes.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Process {
    /// `chat4all` with this subcommand.
    pub fn ours(subcommand: &str, settings: &[(&'static str, String)]) -> Self {
        Self::start(Command::new(binary()).arg(subcommand), settings)
    }

    /// This program as a floor.
    pub fn floor(argument: &str, settings: &[(&'static str, String)]) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).arg(argument), settings)
    }

    fn start(command: &mut Command, settings: &[(&'static str, String)]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = command
            .envs(settings.iter().cloned())
            .env("HTTP_LISTEN", address.to_string())
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = child.id().unwrap();
        Self { child, pid, address }
    }

    /// Waits until it is ready.
    pub async fn ready(mut self) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready().await {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended");
            assert!(Instant::now() < deadline, "it is not ready");
            sleep(Duration::from_millis(20)).await;
        }
        self
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.address).await else { return false };
        let answer = connection.call(&request("GET", "/readyz", "", "")).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    pub fn memory(&self) -> Memory {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
        };
        Memory { now: bytes("VmRSS:"), highest: bytes("VmHWM:") }
    }

    /// Asks it to stop and waits for that, so that it leaves its group.
    pub async fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.pid).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().await.unwrap();
    }
}

/// Runs `chat4all` with this subcommand to its end.
pub async fn run(subcommand: &str, settings: &[(&'static str, String)]) {
    let mut command = Command::new(binary());
    let ended = command.arg(subcommand).envs(settings.iter().cloned()).env("RUST_LOG", "error").status();
    assert!(ended.await.unwrap().success(), "chat4all {subcommand}");
}

/// Built beside this example.
fn binary() -> PathBuf {
    let path = std::env::current_exe().unwrap().parent().unwrap().with_file_name("chat4all");
    assert!(path.exists(), "{} is not there: cargo build --release --bin chat4all", path.display());
    path
}
