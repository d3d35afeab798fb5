//! `POST /auth/token`.

use axum::body::Body;
use axum::http::Request;
use rstest::rstest;
use serde_json::json;

use crate::testing::World;

fn login(body: &str) -> Request<Body> {
    Request::post("/auth/token").body(Body::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn the_right_password_gets_a_bearer_token_for_an_hour() {
    let world = World::new();
    let answer = world.send(login(r#"{"username":"ana","password":"ana"}"#)).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(3600)));
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let world = World::new();
    let wrong = world.send(login(r#"{"username":"ana","password":"x"}"#)).await;
    let unknown = world.send(login(r#"{"username":"eve","password":"ana"}"#)).await;
    wrong.problem(401, "wrong-credentials");
    assert_eq!(wrong.text, unknown.text);
}

#[rstest]
#[case(r#"{"username":"ana"}"#, "password is missing")]
#[case(r#"{"username":7,"password":"x"}"#, "username must be a string, not a number")]
#[case("username=ana", "not JSON")]
#[tokio::test]
async fn a_login_without_a_field_is_told_which(#[case] body: &str, #[case] detail: &str) {
    let answer = World::new().send(login(body)).await;
    assert!(answer.problem(400, "invalid-request").contains(detail), "{answer:?}");
}

#[rstest]
#[case(None)]
#[case(Some("Basic YW5hOmFuYQ=="))]
#[case(Some("Bearer"))]
#[case(Some("Bearer nonsense"))]
#[tokio::test]
async fn without_a_valid_token_nothing_is_accepted(#[case] header: Option<&str>) {
    let world = World::new();
    for path in ["/v1/messages", "/v1/conversations/c1/messages"] {
        let method = if path == "/v1/messages" { "POST" } else { "GET" };
        let mut request = Request::builder().method(method).uri(path);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        answer.problem(401, "unauthorized");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
}
