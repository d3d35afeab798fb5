//! `/v1/ledger` and `/v1/journal/{connector}/replay`, as far as they need no Kafka.

use axum::body::Body;
use axum::http::Request;
use rstest::rstest;

use crate::testing::{Answer, World};

async fn replay(world: &World, user: &str, connector: &str, body: &str) -> Answer {
    let request = Request::post(format!("/v1/journal/{connector}/replay"))
        .header("authorization", format!("Bearer {}", world.token(user).await));
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn only_operators_check_the_ledger_and_replay_journals() {
    let world = World::new();
    for user in ["ana", "crm"] {
        world.get_as(user, "/v1/ledger?from=2026-11-25T10:00:00Z").await.problem(403, "not-an-operator");
        replay(&world, user, "main", r#"{"from":"2026-11-25T10:00:00Z"}"#).await.problem(403, "not-an-operator");
    }
    world.get("/v1/ledger?from=2026-11-25T10:00:00Z").await.problem(401, "unauthorized");
}

#[rstest]
#[case("", "from is missing")]
#[case("?from=yesterday", "from must be an instant, for example 2026-11-25T10:00:00Z")]
#[case("?from=2026-11-25T10:00:00Z&to=10:30", "to must be an instant")]
#[case("?from=2026-11-25T10:00:00Z&to=2026-11-25T10:00:00Z", "from must be earlier than to")]
#[tokio::test]
async fn a_wrong_range_is_named(#[case] query: &str, #[case] detail: &str) {
    let world = World::new();
    let told = world.get_as("ops", &format!("/v1/ledger{query}")).await.problem(400, "invalid-request");
    assert!(told.contains(detail), "{told}");
}

#[rstest]
#[case("other", r#"{"from":"2026-11-25T10:00:00Z"}"#, 404, "connector-not-found", "no connector other")]
#[case("main", r#"{}"#, 400, "invalid-request", "from is missing")]
#[case("main", r#"{"from":7}"#, 400, "invalid-request", "from must be a string")]
#[case("main", r#"{"from":"2026-11-25T10:00:00Z","until":"x"}"#, 400, "invalid-request", "there is no until")]
#[tokio::test]
async fn a_wrong_replay_is_named(
    #[case] connector: &str,
    #[case] body: &str,
    #[case] status: u16,
    #[case] slug: &str,
    #[case] detail: &str,
) {
    let world = World::new();
    let told = replay(&world, "ops", connector, body).await.problem(status, slug);
    assert!(told.contains(detail), "{told}");
}

#[tokio::test]
async fn without_kafka_the_answer_is_to_come_again() {
    let world = World::new();
    let (check, again) = tokio::join!(
        world.get_as("ops", "/v1/ledger?from=2026-11-25T10:00:00Z"),
        replay(&world, "ops", "main", r#"{"from":"2026-11-25T10:00:00Z"}"#),
    );
    for answer in [check, again] {
        answer.problem(503, "unavailable");
        assert!(answer.headers.contains_key("retry-after"));
    }
}
