//! Files from a server of the test's own, uploaded to the simulator over real HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};

use chat4all_channels::{ChannelConfig, open};
use chat4all_message::{AcceptedMessage, Channel as Name, MessageId};
use chat4all_simulator::{Config, Secret, Simulator};
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;

const NUMBER_ID: &str = "106540352242922";
const LOOPBACK: &str = r#""127.0.0.0/8""#;

/// WhatsApp at the simulator, which fetches files from these networks too.
async fn whatsapp(allowed: &str) -> (Arc<dyn Channel>, String, DropGuard) {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        phone_number_id: NUMBER_ID.into(),
        access_token: Secret::new("token-1"),
        app_secret: Secret::new("app-secret-1"),
        webhook_url: None,
        webhook_delay: Config::WEBHOOK_DELAY,
        webhook_patience: Config::WEBHOOK_PATIENCE,
        webhook_capacity: Config::WEBHOOK_CAPACITY,
        log_capacity: Config::LOG_CAPACITY,
        enforce_limits: false,
        stand_ins: Default::default(),
    };
    let simulator = Simulator::bind(config).await.unwrap();
    let url = format!("http://{}", simulator.address());
    let end = CancellationToken::new();
    tokio::spawn(simulator.serve(end.clone()));
    let credentials = tempfile::TempDir::new().unwrap();
    std::fs::write(credentials.path().join("access-token"), "token-1").unwrap();
    let config = ChannelConfig {
        connector: "wa".into(),
        base_url: Some(url.clone()),
        account: format!(r#"{{"phoneNumberId":"{NUMBER_ID}","allowedNetworks":[{allowed}]}}"#),
        credentials_dir: credentials.path().into(),
    };
    (open(Name::Whatsapp, &config).unwrap(), url, end.drop_guard())
}

/// A server that gives everybody this answer; its URL without a path.
async fn files(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    url
}

fn picture(bytes: usize) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: {bytes}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + bytes, b'x');
    answer
}

fn delivery(url: &str) -> Delivery {
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: "c".parse().unwrap(),
        sender: "ana".parse().unwrap(),
        recipient: None,
        content: "see".into(),
        file_id: None,
        media: Some(Media::at(MediaKind::Image, url).unwrap()),
        template: None,
        reply_to: None,
        inbound: None,
    };
    Delivery::of(&message, "whatsapp:+5562998765432".parse().unwrap(), "wa")
}

async fn uploaded(channel: &Arc<dyn Channel>, uploader: &Uploader, url: &str) -> Result<String, Refusal> {
    let client = Client::builder().no_proxy().build().unwrap();
    let (sent, _) = uploader.by_id(channel.uploads().unwrap(), &client, &delivery(url), async {}).await;
    match sent?.media.unwrap().place {
        Place::Uploaded { id, .. } => Ok(id),
        Place::Url(url) => panic!("still at {url}"),
    }
}

fn uploader(channel: &Arc<dyn Channel>) -> Uploader {
    Uploader::of(&**channel).unwrap().unwrap()
}

#[tokio::test]
async fn a_file_is_uploaded_once_also_for_many_at_once() {
    let (channel, simulator, _end) = whatsapp(LOOPBACK).await;
    let uploader = uploader(&channel);
    let url = format!("{}/a/photo.jpg", files(picture(4 << 20)).await);
    let all = futures::future::join_all((0..8).map(|_| uploaded(&channel, &uploader, &url))).await;
    let ids: Vec<String> = all.into_iter().map(Result::unwrap).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let log: serde_json::Value = reqwest::get(format!("{simulator}/log")).await.unwrap().json().await.unwrap();
    let entries = log["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["media"]), (1, &serde_json::json!("photo.jpg")));
    assert!(uploader.is_due(channel.uploads().unwrap(), &delivery(&url), 0, None), "its link is not tried again");
}

/// A server without the file, and the requests that came to it.
async fn nothing_there() -> (String, Arc<AtomicUsize>) {
    let (listener, asked) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::<AtomicUsize>::default());
    let url = format!("http://{}/a.jpg", listener.local_addr().unwrap());
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn a_file_that_is_not_there_is_asked_for_once_by_all_who_wait_and_its_link_is_tried_again() {
    let (channel, _, _end) = whatsapp(LOOPBACK).await;
    let uploader = uploader(&channel);
    let (url, asked) = nothing_there().await;
    let all = futures::future::join_all((0..8).map(|_| uploaded(&channel, &uploader, &url))).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(!uploader.is_due(channel.uploads().unwrap(), &delivery(&url), 0, None), "the provider may fetch it by now");
    uploaded(&channel, &uploader, &url).await.unwrap_err();
    assert_eq!(asked.load(Ordering::Relaxed), 2, "who comes later has it tried again");
}

#[tokio::test]
async fn a_file_is_due_after_two_calls_by_link() {
    let (channel, _, _end) = whatsapp("").await;
    let uploader = uploader(&channel);
    let due = |attempts, last| {
        uploader.is_due(channel.uploads().unwrap(), &delivery("https://files.example/a.jpg"), attempts, last)
    };
    assert!(!due(0, None) && !due(1, Some("131053")) && !due(2, Some("131016")) && !due(2, None));
    assert!(due(2, Some("131053")));
}

#[rstest]
#[case::elsewhere(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(), "404")]
#[case::too_large(picture(6 << 20), "more than the 5 MB")]
#[case::cut_short(b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: 10\r\n\r\nxx".to_vec(), "")]
#[case::too_large_without_saying_so({
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\n\r\n".to_vec();
    answer.resize(6 << 20, b'x');
    answer
}, "more than the 5 MB")]
#[case::round_and_round(b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n".to_vec(), "redirects")]
#[case::to_a_forbidden_address(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n".to_vec(), "account.allowedNetworks")]
#[tokio::test]
async fn a_file_that_cannot_be_had_is_refused_with_the_reason(#[case] answer: Vec<u8>, #[case] says: &str) {
    let (channel, _, _end) = whatsapp(LOOPBACK).await;
    let url = format!("{}/a.jpg", files(answer).await);
    let refusal = uploaded(&channel, &uploader(&channel), &url).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (Kind::MediaNotTaken, "chat4all:media-not-fetched"), "{refusal}");
    assert!(refusal.reason().contains(says), "{refusal}");
}

#[tokio::test]
async fn a_link_into_the_cluster_is_not_followed() {
    let (channel, _, _end) = whatsapp("").await;
    let port = files(picture(10)).await.rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "2130706433"] {
        let url = format!("http://{host}:{port}/a.jpg");
        let refusal = uploaded(&channel, &uploader(&channel), &url).await.unwrap_err();
        assert!(refusal.reason().contains("account.allowedNetworks"), "{host}: {refusal}");
    }
}
