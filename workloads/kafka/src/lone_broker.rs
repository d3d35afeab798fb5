//! For tests: a broker that answers what a client asks before it can do anything, and that can be told to
//! name no brokers, as a lone one that has just started may do. It knows the oldest version of each answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::{GroupProtocol, KafkaConfig};

/// The only topic.
pub(crate) const TOPIC: &str = "messages";

/// How many topics an answer without brokers has. While the client goes through them its brokers' threads end;
/// with a few it is through before, and then it begins anew with its bootstrap servers. Their names are long because
/// the client makes room for its notes by the size of the answer.
const MANY: i32 = 5_000;

// <https://kafka.apache.org/protocol#protocol_api_keys>
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const INIT_PRODUCER_ID: i16 = 22;

/// It ends when it is dropped.
pub(crate) struct LoneBroker {
    port: u16,
    state: Arc<State>,
    _listening: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct State {
    nameless: AtomicBool,
    nameless_answers: AtomicUsize,
    group_questions: AtomicUsize,
}

impl LoneBroker {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let serving = state.clone();
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, port, serving.clone()));
            }
        });
        Self { port, state, _listening: AbortOnDropHandle::new(listening) }
    }

    pub(crate) fn config(&self) -> KafkaConfig {
        KafkaConfig {
            bootstrap_servers: format!("127.0.0.1:{}", self.port),
            session_timeout: Duration::from_secs(6),
            protocol: GroupProtocol::default(),
        }
    }

    pub(crate) fn name_none(&self) {
        self.state.nameless.store(true, SeqCst);
    }

    pub(crate) fn name_itself(&self) {
        self.state.nameless.store(false, SeqCst);
    }

    /// How often somebody was told of no broker.
    pub(crate) fn nameless_answers(&self) -> usize {
        self.state.nameless_answers.load(SeqCst)
    }

    /// How often somebody asked who coordinates a group.
    pub(crate) fn group_questions(&self) -> usize {
        self.state.group_questions.load(SeqCst)
    }
}

/// Answers until the client goes, or asks what is not known here.
async fn serve(mut client: TcpStream, port: u16, state: Arc<State>) -> Option<()> {
    loop {
        let size = client.read_u32().await.ok()?;
        let mut request = vec![0; size.try_into().ok()?];
        client.read_exact(&mut request).await.ok()?;
        let number = |at: usize| Some(i16::from_be_bytes([*request.get(at)?, *request.get(at + 1)?]));
        let mut answer = Answer(request.get(4..8)?.to_vec());
        match (number(0)?, number(2)?) {
            (API_VERSIONS, version) => answer.versions(version),
            (METADATA, _) => {
                let nameless = state.nameless.load(SeqCst);
                answer.metadata(if nameless { None } else { Some(port) });
                state.nameless_answers.fetch_add(nameless.into(), SeqCst);
            }
            (FIND_COORDINATOR, _) => {
                state.group_questions.fetch_add(1, SeqCst);
                // COORDINATOR_NOT_AVAILABLE
                _ = answer.i16(15).i32(-1).text("").i32(-1);
            }
            // Producer 1, epoch 0.
            (INIT_PRODUCER_ID, _) => _ = answer.i32(0).i16(0).i32(0).i32(1).i16(0),
            _ => return None,
        }
        client.write_u32(answer.0.len().try_into().ok()?).await.ok()?;
        client.write_all(&answer.0).await.ok()?;
    }
}

struct Answer(Vec<u8>);

impl Answer {
    fn i16(&mut self, value: i16) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn bool(&mut self, value: bool) -> &mut Self {
        self.0.push(value.into());
        self
    }

    fn text(&mut self, value: &str) -> &mut Self {
        self.i16(value.len().try_into().unwrap());
        self.0.extend(value.as_bytes());
        self
    }

    /// A newer question gets UNSUPPORTED_VERSION with the same list, and is asked again as version 0.
    fn versions(&mut self, version: i16) {
        let known = [(METADATA, 1), (FIND_COORDINATOR, 0), (API_VERSIONS, 0), (INIT_PRODUCER_ID, 0)];
        self.i16(if version > 0 { 35 } else { 0 }).i32(known.len().try_into().unwrap());
        for (key, highest) in known {
            self.i16(key).i16(0).i16(highest);
        }
    }

    /// Version 1. With no port no broker is named, and there are [`MANY`] topics without partitions.
    fn metadata(&mut self, port: Option<u16>) {
        let Some(port) = port else {
            self.i32(0).i32(-1).i32(MANY);
            for n in 0..MANY {
                self.i16(0).text(&format!("{TOPIC}-{n:0200}")).bool(false).i32(0);
            }
            return;
        };
        // Node 1 has no rack and is the controller, the topic is not internal, and its partition 0 is led, kept
        // and in sync on node 1.
        self.i32(1).i32(1).text("127.0.0.1").i32(port.into()).i16(-1).i32(1);
        self.i32(1).i16(0).text(TOPIC).bool(false);
        self.i32(1).i16(0).i32(0).i32(1).i32(1).i32(1).i32(1).i32(1);
    }
}
