//! `chat4all dev`: everything in one process, for trying. Kafka is the client library's mock
//! cluster, the store is memory, the provider is the simulator. Nothing outlives the process.

use std::error::Error;
use std::fs;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::ChannelConfig;
use chat4all_connector::{Connector, ConnectorMetrics};
use chat4all_kafka::{ConsumerMetrics, GroupProtocol, KafkaConfig, Producer};
use chat4all_message::{Channel, Topics};
use chat4all_store::{Memory, Store};
use rdkafka::mocking::MockCluster;
use tempfile::TempDir;
use uuid::Uuid;

use super::{PREFIX, registry, simulator};
use crate::args::Dev;
use crate::signals;

const CONNECTOR: &str = "whatsapp";
const PHONE_NUMBER_ID: &str = "106540352242922";
const USER: &str = "demo";
const OPERATOR: &str = "ops";
const PARTITIONS: i32 = 12;
const GRACE: Duration = Duration::from_secs(15);
const DRAIN: Duration = Duration::from_secs(3);

pub async fn run(args: Dev) -> Result<(), Box<dyn Error>> {
    let shutdown = signals::shutdown(GRACE)?;
    let secrets = Secrets::make()?;
    let topics = Topics::default();
    let cluster = MockCluster::new(1)?;
    for topic in [
        topics.messages(),
        topics.status_updates(),
        topics.dead_letters(),
        topics.outbound(CONNECTOR),
        topics.inbound(CONNECTOR),
    ] {
        cluster.create_topic(&topic, PARTITIONS, 1)?;
    }
    let kafka = KafkaConfig {
        bootstrap_servers: cluster.bootstrap_servers(),
        session_timeout: Duration::from_secs(6),
        protocol: GroupProtocol::default(),
    };
    let producer = Producer::connect(&kafka)?;
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let connectors = vec![chat4all_message::Connector { name: CONNECTOR.into(), channel: Channel::Whatsapp }];

    let mut registry = registry();
    let ours = registry.sub_registry_with_prefix(PREFIX);
    let consumers = ConsumerMetrics::register(ours);
    let connector_metrics = ConnectorMetrics::register(ours);
    let api_metrics = chat4all_api::Metrics::register(ours);

    let config = chat4all_router::Config { topics: topics.clone(), connectors: connectors.clone(), drain: DRAIN };
    let router = chat4all_router::Router::new(config, &kafka, producer.clone(), store.clone(), consumers.clone())?;

    let channel = chat4all_channels::open(
        Channel::Whatsapp,
        &ChannelConfig {
            connector: CONNECTOR.into(),
            base_url: Some(format!("http://{}", args.simulator_listen)),
            account: format!(r#"{{"phoneNumberId":"{PHONE_NUMBER_ID}"}}"#),
            credentials_dir: secrets.credentials(),
        },
    )?;
    let config = chat4all_connector::Config {
        name: CONNECTOR.into(),
        topics: topics.clone(),
        pace: chat4all_channels::pace(Channel::Whatsapp),
        breaker: Default::default(),
        retry: Default::default(),
        on_unknown_outcome: Default::default(),
        hold_for: Duration::from_secs(900),
        request_timeout: Duration::from_secs(10),
        drain: DRAIN,
    };
    let connector =
        Connector::new(config, channel, &kafka, producer.clone(), store.clone(), consumers, connector_metrics)?;

    let simulator = chat4all_simulator::Simulator::bind(simulator::config(
        args.simulator_listen,
        PHONE_NUMBER_ID.into(),
        secrets.access_token.clone(),
        secrets.app_secret.clone(),
        format!("http://{}/webhooks/{CONNECTOR}", args.http_listen),
    ))
    .await?;

    let config = chat4all_api::Config {
        listen: args.http_listen,
        kafka,
        topics,
        connectors,
        auth_dir: secrets.auth(),
        webhooks_dir: secrets.webhooks(),
        shutdown_grace: GRACE,
    };
    let api = chat4all_api::run(config, Arc::new(producer), store, api_metrics, Arc::new(registry), shutdown.clone());

    write!(stdout(), "{}", welcome(&args, &secrets.password))?;
    // Whoever ends first, with an error or not, ends the others.
    let stop = || shutdown.clone().drop_guard();
    tokio::try_join!(
        ending::<chat4all_api::Error>(api, stop()),
        ending::<chat4all_kafka::Error>(router.run(shutdown.clone()), stop()),
        ending::<chat4all_connector::Error>(connector.run(shutdown.clone()), stop()),
        ending::<chat4all_simulator::Error>(simulator.serve(shutdown.clone()), stop()),
    )?;
    Ok(())
}

async fn ending<E: Error + 'static>(
    part: impl Future<Output = Result<(), E>>,
    _stop: tokio_util::sync::DropGuard,
) -> Result<(), Box<dyn Error>> {
    Ok(part.await?)
}

/// Credentials made on the spot, in files as a cluster would mount them.
struct Secrets {
    folder: TempDir,
    password: String,
    access_token: String,
    app_secret: String,
}

impl Secrets {
    fn make() -> Result<Self, Box<dyn Error>> {
        let random = || Uuid::new_v4().simple().to_string();
        let secrets = Self {
            folder: TempDir::with_prefix("chat4all-dev-")?,
            password: random(),
            access_token: random(),
            app_secret: random(),
        };
        let hash = chat4all_api::users::hash_password(&secrets.password);
        let users = [(USER, "user"), (OPERATOR, "operator")]
            .map(|(name, role)| format!("- username: {name}\n  passwordHash: \"{hash}\"\n  role: {role}\n"))
            .concat();
        write_in(&secrets.auth(), &[("jwt-key", &random()), ("users.yaml", &users)])?;
        write_in(&secrets.credentials(), &[("access-token", &secrets.access_token)])?;
        let webhook = secrets.webhooks().join(CONNECTOR);
        write_in(&webhook, &[("app-secret", &secrets.app_secret), ("verify-token", &random())])?;
        Ok(secrets)
    }

    fn auth(&self) -> std::path::PathBuf {
        self.folder.path().join("auth")
    }

    fn credentials(&self) -> std::path::PathBuf {
        self.folder.path().join("credentials")
    }

    fn webhooks(&self) -> std::path::PathBuf {
        self.folder.path().join("webhooks")
    }
}

fn write_in(folder: &Path, files: &[(&str, &str)]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    files.iter().try_for_each(|(name, content)| fs::write(folder.join(name), content))
}

fn welcome(args: &Dev, password: &str) -> String {
    let (api, simulator) = (args.http_listen, args.simulator_listen);
    format!(
        r#"
Chat4All runs in this process. It keeps nothing: Kafka is a mock, the store is
memory, the provider is a simulator. Stop it with Ctrl-C.

In another terminal, in this order:

  TOKEN=$(curl -s http://{api}/auth/token -H 'content-type: application/json' \
    -d '{{"username":"{USER}","password":"{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

  curl -s http://{api}/v1/messages -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \
    -d '{{"conversation_id":"first","recipient_id":"whatsapp:+5562998765432","content":"Hello!"}}'

  curl -s http://{api}/v1/conversations/first/messages -H "authorization: Bearer $TOKEN"

What the provider got:        curl -s http://{simulator}/log
Let it fail for ten seconds:  curl -s -X PUT http://{simulator}/fault -d '{{"status":503,"forSeconds":10}}'
What was given up:            CHAT4ALL_URL=http://{api} CHAT4ALL_USERNAME={OPERATOR} CHAT4ALL_PASSWORD={password} chat4all dlq list

"#
    )
}
