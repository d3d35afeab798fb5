//! Calls to servers of the test's own, over real HTTP on a loopback port.

use std::sync::Arc;

use chat4all_channels::{ChannelConfig, Retry, open};
use chat4all_message::{AcceptedMessage, Channel as Name, MessageId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// A server that gives every connection this answer and ends it; its port.
async fn server(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

/// A connector with an endpoint `orders` there; it may call these networks.
fn webhooks(url: &str, allowed: &str) -> Provider {
    let credentials = tempfile::TempDir::new().unwrap();
    std::fs::write(credentials.path().join("orders"), SECRET).unwrap();
    let config = ChannelConfig {
        connector: "hooks".into(),
        base_url: None,
        account: format!(r#"{{"endpoints":[{{"name":"orders","url":"{url}"}}],"allowedNetworks":[{allowed}]}}"#),
        credentials_dir: credentials.path().into(),
    };
    provider(open(Name::Webhook, &config).unwrap())
}

fn provider(channel: Arc<dyn Channel>) -> Provider {
    Provider::new(channel, Duration::from_secs(5)).unwrap()
}

async fn answer(provider: &Provider, recipient: &str) -> Answer {
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: "c".parse().unwrap(),
        sender: "ana".parse().unwrap(),
        recipient: None,
        content: "hi".into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: None,
    };
    let delivery = Delivery::of(&message, recipient.parse().unwrap(), "hooks");
    let request = provider.channel.request(&delivery, jiff::Timestamp::now()).unwrap();
    provider.call(&delivery, request).await
}

fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_endpoint_whose_name_leads_to_this_machine_is_never_called() {
    let port = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let url = format!("http://localhost:{port}/");
    let refusal = refused(answer(&webhooks(&url, ""), "webhook:orders").await);
    assert_eq!((refusal.kind(), refusal.retry()), (Kind::Permanent(Cause::TargetForbidden), Retry::No));
    assert!(refusal.reason().contains("account.allowedNetworks"), "{refusal}");
    let allowed = answer(&webhooks(&url, r#""127.0.0.0/8","::1/128""#), "webhook:orders").await;
    assert!(matches!(allowed, Answer::Accepted { .. }), "{allowed:?}");
}

#[tokio::test]
async fn another_way_of_writing_an_address_does_not_get_past_the_guard() {
    let port = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    for host in ["2130706433", "0x7f.1", "017700000001", "127.1"] {
        let provider = webhooks(&format!("http://{host}:{port}/"), "");
        let refusal = refused(answer(&provider, "webhook:orders").await);
        assert_eq!(refusal.kind(), Kind::Permanent(Cause::TargetForbidden), "{host}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let elsewhere = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{target}/\r\ncontent-length: 0\r\n\r\n");
    let port = server(elsewhere.leak()).await;
    let refusal =
        refused(answer(&webhooks(&format!("http://127.0.0.1:{port}/"), r#""127.0.0.0/8""#), "webhook:orders").await);
    assert_eq!(refusal.code(), "chat4all:http-302");
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    });
    let provider = webhooks(&format!("http://127.0.0.1:{port}/"), r#""127.0.0.0/8""#);
    assert!(matches!(answer(&provider, "webhook:orders").await, Answer::Accepted { .. }));
}

#[tokio::test]
async fn a_token_in_the_url_does_not_show_when_the_provider_is_away() {
    const BOT: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
    let credentials = tempfile::TempDir::new().unwrap();
    std::fs::write(credentials.path().join("bot-token"), BOT).unwrap();
    // Bound and dropped: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let config = ChannelConfig {
        connector: "tg".into(),
        base_url: Some(format!("http://127.0.0.1:{port}")),
        account: "{}".into(),
        credentials_dir: credentials.path().into(),
    };
    let provider = provider(open(Name::Telegram, &config).unwrap());
    let refusal = refused(answer(&provider, "telegram:133").await);
    assert_eq!((refusal.kind(), refusal.code()), (Kind::Unavailable, "chat4all:unreachable"));
    assert!(!format!("{refusal:?}").contains("AAHdq"), "{refusal:?}");
}
