//! What is said about one connector in the resource.

use chat4all_message::Channel;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::workload::{Resources, SecretReference, two};

/// A connector: the pods that deliver to one account of one provider.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[x_kube(
    validation = Rule::new("self.channel != 'whatsapp' || has(self.account) && has(self.account.phoneNumberId)").message(
        "spec.connectors[].account.phoneNumberId is needed for channel whatsapp; set it to the id of the phone number (not the number itself)"
    ).field_path(".account"),
    validation = Rule::new("self.channel == 'whatsapp' || !has(self.account) || !has(self.account.phoneNumberId)").message(
        "spec.connectors[].account.phoneNumberId is only for channel whatsapp; remove it"
    ).field_path(".account"),
    validation = Rule::new("self.channel != 'messenger' || has(self.account) && has(self.account.pageId)").message(
        "spec.connectors[].account.pageId is needed for channel messenger; set it to the id of the page"
    ).field_path(".account"),
    validation = Rule::new("self.channel in ['instagram', 'messenger'] || !has(self.account) || !has(self.account.pageId)").message(
        "spec.connectors[].account.pageId is only for channels instagram and messenger; remove it"
    ).field_path(".account"),
    validation = Rule::new("self.channel != 'instagram' || has(self.account) && has(self.account.instagramId)").message(
        "spec.connectors[].account.instagramId is needed for channel instagram; set it to the id of the account, as webhooks name it"
    ).field_path(".account"),
    validation = Rule::new("self.channel == 'instagram' || !has(self.account) || !has(self.account.instagramId)").message(
        "spec.connectors[].account.instagramId is only for channel instagram; remove it"
    ).field_path(".account"),
    validation = Rule::new("self.channel in ['whatsapp', 'instagram', 'messenger'] || !has(self.account) || !has(self.account.apiVersion)").message(
        "spec.connectors[].account.apiVersion is only for channels whatsapp, instagram and messenger; remove it"
    ).field_path(".account"),
    validation = Rule::new("self.channel != 'webhook' || has(self.account) && has(self.account.endpoints) && size(self.account.endpoints) > 0").message(
        "spec.connectors[].account.endpoints is needed for channel webhook; list at least one endpoint with name and url"
    ).field_path(".account"),
    validation = Rule::new("self.channel == 'webhook' || !has(self.account) || !has(self.account.endpoints)").message(
        "spec.connectors[].account.endpoints is only for channel webhook; remove it"
    ).field_path(".account"),
    validation = Rule::new("self.channel in ['webhook', 'whatsapp'] || !has(self.account) || !has(self.account.allowedNetworks)").message(
        "spec.connectors[].account.allowedNetworks is only for channels webhook and whatsapp; remove it"
    ).field_path(".account"),
    validation = Rule::new("self.channel != 'webhook' || !has(self.baseUrl)").message(
        "spec.connectors[].baseUrl is not for channel webhook; give each endpoint its url"
    ).field_path(".baseUrl"),
)]
#[serde(rename_all = "camelCase")]
pub struct Connector {
    /// Name of the connector, unique in the cluster, at most 20 characters: lower-case letters,
    /// digits and dashes, beginning with a letter. Part of the names of its topics, its Deployment
    /// and its webhook, /webhooks/<name>.
    #[schemars(length(max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "spec.connectors[].name must be lower-case letters, digits and dashes, beginning with a letter, because topics and workloads are named after it; choose another name"
    ))]
    pub name: String,

    /// The channel that it speaks: whatsapp, instagram, messenger, telegram or webhook.
    #[schemars(schema_with = "channel")]
    pub channel: Channel,

    /// Secret in the same namespace with the provider's credentials. For whatsapp, instagram and
    /// messenger the keys
    /// access-token (sends), app-secret (checks the signature of webhooks) and verify-token
    /// (answers the handshake of the webhook). For telegram the keys bot-token (sends) and
    /// secret-token (what was given to setWebhook). For webhook one key for each endpoint, named as the
    /// endpoint, with whsec_<base64 of 24 to 64 bytes>; several, separated by white space, while it is
    /// exchanged. A changed Secret takes effect by itself.
    pub credentials_secret_ref: SecretReference,

    /// The account at the provider. Which fields it needs depends on the channel.
    #[serde(default)]
    pub account: Account,

    /// Where the provider's API is, without a version and without a slash at the end.
    /// Default: that of the channel, https://graph.facebook.com, https://graph.instagram.com
    /// (instagram without a page) or https://api.telegram.org. Not for
    /// webhook, whose endpoints have URLs of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^https?://[^/\s?#@]+(/[^/\s?#]+)*$"))]
    pub base_url: Option<String>,

    /// Number of connector pods, 0 to 100 and at most spec.kafka.partitions. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,

    /// CPU and memory of one connector pod.
    #[serde(default)]
    pub resources: Resources,

    /// How fast the account may be called, where the provider takes more or less than usual. Default: what
    /// it takes of a usual account, 80 messages a second for whatsapp, 30 for telegram, 300 for messenger
    /// and instagram (of these 10 with audio or video); no limit for webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,

    /// When the connector stops calling a provider that fails, and when it tries again. Messages
    /// wait in Kafka meanwhile.
    #[serde(default)]
    pub circuit_breaker: CircuitBreaker,

    /// How a delivery is tried again before it is given up and becomes a dead letter.
    #[serde(default)]
    pub retry: Retry,

    /// Seconds to wait for the provider's answer, 1 to 120. Default: 10.
    #[serde(default = "default_request_timeout")]
    #[schemars(range(min = 1, max = 120))]
    pub request_timeout_seconds: i32,

    /// What to do when a call was made and its answer never came, so that nobody can know whether
    /// the provider took the message. Resend sends it again: the recipient may get it twice. Hold
    /// waits for a status from the provider and, if none comes, makes it a dead letter: the
    /// recipient may not get it. Default: Resend.
    #[serde(default)]
    pub on_unknown_outcome: OnUnknownOutcome,

    /// With Hold: how many seconds to wait for the provider's status before the message becomes a dead
    /// letter, 1 to 86400. Default: 900.
    #[serde(default = "default_hold")]
    #[schemars(range(min = 1, max = 86400))]
    pub hold_seconds: i32,
}

fn default_hold() -> i32 {
    900
}

fn default_request_timeout() -> i32 {
    10
}

/// The channels that this version can speak, as a closed list in the schema.
fn channel(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": Channel::ALL.map(Channel::name)})
}

/// The account at the provider.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// whatsapp: id of the business phone number (not the number itself).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+$"))]
    pub phone_number_id: Option<String>,

    /// messenger: id of the page. instagram: id of the page that the account is linked to; leave it out
    /// when the token is of Instagram Login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+$"))]
    pub page_id: Option<String>,

    /// instagram: id of the account, as webhooks name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+$"))]
    pub instagram_id: Option<String>,

    /// whatsapp, instagram, messenger: version of the Graph API. Default: v25.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), regex(pattern = r"^v[0-9]+\.[0-9]+$"))]
    pub api_version: Option<String>,

    /// webhook: where messages go, at most 64; each is addressed as webhook:<name>.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.all(a, self.exists_one(b, b.name == a.name))").message(
        "spec.connectors[].account.endpoints[].name must be unique, because messages and keys of the Secret name it; give each endpoint a name of its own"
    ))]
    pub endpoints: Vec<Endpoint>,

    /// webhook, whatsapp: networks in CIDR form, such as 10.1.0.0/16, that endpoints, and files to be
    /// uploaded, may be in although they are private, link-local or this machine. Everything else that
    /// is not public is never called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64), regex(pattern = "^[0-9a-fA-F.:]+/[0-9]{1,3}$")))]
    pub allowed_networks: Vec<String>,
}

/// A server that takes signed webhooks.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its name: lower-case letters, digits and dashes, at most 63. Also the key of its secret.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// Where webhooks are posted to.
    #[schemars(length(max = 2048), regex(pattern = r"^https?://[^/\s?#@]+([/?][^\s#]*)?$"))]
    pub url: String,
}

/// How fast an account may be called.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Messages a second of all pods of the connector together, 1 to 100000. The pods share them by the
    /// partitions that each of them has, and send fewer while the provider refuses.
    #[schemars(range(min = 1, max = 100000))]
    pub messages_per_second: i32,
}

/// When a connector stops calling a provider that fails.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// Share of failed calls in the window that opens the breaker, 1 to 100 percent. Default: 50.
    #[serde(default = "default_failure_rate")]
    #[schemars(range(min = 1, max = 100))]
    pub failure_rate_percent: i32,

    /// Calls that the window must hold before the share counts, 1 to 10000. Default: 10. So many that fail in a
    /// row open the breaker, too, however far apart they are.
    #[serde(default = "default_minimum_calls")]
    #[schemars(range(min = 1, max = 10000))]
    pub minimum_calls: i32,

    /// Length of the sliding window, 1 to 3600 seconds. Default: 10. At a steady rate the breaker opens after
    /// the failure rate's share of it.
    #[serde(default = "default_window")]
    #[schemars(range(min = 1, max = 3600))]
    pub window_seconds: i32,

    /// The longest that the breaker stays open before a trial call, 1 to 3600 seconds: at first 5, twice as long
    /// after each trial that the provider may have taken without telling. Default: 30.
    #[serde(default = "default_open")]
    #[schemars(range(min = 1, max = 3600))]
    pub open_seconds: i32,

    /// Trial calls that must succeed to close the breaker, 1 to 100; the first one is made alone. Default: 3.
    #[serde(default = "default_half_open_calls")]
    #[schemars(range(min = 1, max = 100))]
    pub half_open_calls: i32,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            failure_rate_percent: default_failure_rate(),
            minimum_calls: default_minimum_calls(),
            window_seconds: default_window(),
            open_seconds: default_open(),
            half_open_calls: default_half_open_calls(),
        }
    }
}

fn default_failure_rate() -> i32 {
    50
}

fn default_minimum_calls() -> i32 {
    10
}

fn default_window() -> i32 {
    10
}

fn default_open() -> i32 {
    30
}

fn default_half_open_calls() -> i32 {
    3
}

/// How a delivery is tried again.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[x_kube(validation = Rule::new("self.initialBackoffMillis <= self.maxBackoffMillis").message(
    "spec.connectors[].retry.initialBackoffMillis must not be above maxBackoffMillis; lower it or raise maxBackoffMillis"
).field_path(".initialBackoffMillis"))]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Calls for one delivery before it is given up, the first one included, 1 to 20. Default: 6.
    #[serde(default = "default_max_attempts")]
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: i32,

    /// Wait before the second call, 10 to 600000 milliseconds; doubled before each further call,
    /// with jitter. What the provider asks for wins. Default: 1000.
    #[serde(default = "default_initial_backoff")]
    #[schemars(range(min = 10, max = 600000))]
    pub initial_backoff_millis: i32,

    /// The longest such wait, 10 to 600000 milliseconds. Default: 16000.
    #[serde(default = "default_max_backoff")]
    #[schemars(range(min = 10, max = 600000))]
    pub max_backoff_millis: i32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: default_max_attempts(),
            initial_backoff_millis: default_initial_backoff(),
            max_backoff_millis: default_max_backoff(),
        }
    }
}

fn default_max_attempts() -> i32 {
    6
}

fn default_initial_backoff() -> i32 {
    1000
}

fn default_max_backoff() -> i32 {
    16000
}

/// What to do with a delivery whose outcome nobody can know.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(inline)]
pub enum OnUnknownOutcome {
    /// Send it again; the recipient may get it twice.
    #[default]
    Resend,
    /// Wait for a status, else make it a dead letter; the recipient may not get it.
    Hold,
}

impl OnUnknownOutcome {
    /// The word that the connector reads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resend => "Resend",
            Self::Hold => "Hold",
        }
    }
}
