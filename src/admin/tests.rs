//! The router by all roads, on a house of its own.

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::database::{Error, Options, Tx};
use crate::directory::{Away, AwayWhen, NewUser, Settings, set_away};
use crate::ids::{DeviceId, MailboxId};
use crate::ledger::device::{Introduction, meet};
use crate::policy::Description;
use crate::secret::Secret;
use crate::server::{House, Opening};

const HOSTILE: &str = "<script>alert(1)</script>\"'&";

struct Bench {
    router: Router,
    house: House,
    dir: TempDir,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.data_dir = dir.path().to_owned();
    let clock = Clock::manual(Timestamp(1_000_000));
    let opening = Opening {
        database: Options::quick(&clock),
        sign_in: Settings::quick(),
        ..Opening::default()
    };
    let house = House::open(&config, &clock, opening).unwrap();
    let router = router(house.admin("http://127.0.0.1:8025".to_owned()));
    Bench { router, house, dir }
}

fn request(method: Method, path: &str, body: Option<&Value>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    match body {
        Some(body) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

async fn text(response: Response<Body>) -> String {
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(octets.to_vec()).unwrap()
}

impl Bench {
    /// Asks as the machine's own shell.
    async fn shell(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let response = here(&self.router, request(method, path, body)).await;
        let status = response.status();
        (status, serde_json::from_str(&text(response).await).unwrap_or_default())
    }

    /// Asks over TCP, with headers.
    async fn tcp(
        &self,
        mut request: Request<Body>,
        headers: &[(&'static str, &str)],
    ) -> Response<Body> {
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn token(&self, name: &str, role: &str) -> String {
        let body = json!({ "name": name, "role": role });
        let (status, made) = self.shell(Method::POST, "/api/v1/tokens", Some(&body)).await;
        assert_eq!(status, StatusCode::CREATED);
        format!("Bearer {}", made["token"].as_str().unwrap())
    }

    async fn device(&self) -> DeviceId {
        let user = NewUser {
            name: "ann".to_owned(),
            address: "ann@example.org".to_owned(),
            password: Secret::new("correct horse".to_owned()),
            ..NewUser::default()
        };
        let user = self.house.directory.add_user(user).await.unwrap();
        let job = move |tx: &Tx<'_>| {
            let who = Introduction {
                user,
                mailbox: MailboxId(1),
                wire_id: "PHONE1",
                device_type: "iPhone",
                user_agent: HOSTILE,
                version: "14.1",
            };
            meet(tx, &who, Timestamp(1))
        };
        let device = self.house.database.write::<_, Error, _>(job).await.unwrap().unwrap();
        let says =
            Description { friendly_name: Some(HOSTILE.to_owned()), ..Description::default() };
        self.house.policies.describe(device.id, says).await.unwrap();
        device.id
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_a_token() {
    let bench = bench();
    let asked = || request(Method::GET, "/api/v1/orders", None);
    for headers in
        [&[][..], &[("authorization", "Bearer retract_wrong")], &[("cookie", "retract_session=x")]]
    {
        let response = bench.tcp(asked(), headers).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
    }
    let token = bench.token("soc", "viewer").await;
    let headers = [("authorization", token.as_str())];
    assert_eq!(bench.tcp(asked(), &headers).await.status(), StatusCode::OK);
    let order = json!({ "message_id": "m@x", "reason": "r" });
    let refused = bench.tcp(request(Method::POST, "/api/v1/orders", Some(&order)), &headers).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let refused = bench.tcp(request(Method::GET, "/api/v1/users", None), &headers).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let (status, _) = bench.shell(Method::DELETE, "/api/v1/tokens/soc", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(bench.tcp(asked(), &headers).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_same_key_gives_the_same_order() {
    let bench = bench();
    let token = bench.token("soc", "operator").await;
    let headers = [("authorization", token.as_str()), ("idempotency-key", "k1")];
    let order = json!({ "message_id": "<m1@example.org>", "reason": "wrong" });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = bench.tcp(request(Method::POST, "/api/v1/orders", Some(&order)), &headers).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let made: Value = serde_json::from_str(&text(made).await).unwrap();
        ids.push(made["id"].as_i64().unwrap());
    }
    assert_eq!(ids[0], ids[1]);
    let other = json!({ "message_id": "<m2@example.org>", "reason": "wrong" });
    let refused = bench.tcp(request(Method::POST, "/api/v1/orders", Some(&other)), &headers).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document() {
    let bench = bench();
    for (method, path) in [
        (Method::GET, "/api/v1/orders/7"),
        (Method::GET, "/api/v1/orders/7/coverage"),
        (Method::GET, "/api/v1/orders/7/events"),
        (Method::GET, "/api/v1/orders/x"),
        (Method::POST, "/api/v1/orders/7/cancel"),
        (Method::GET, "/api/v1/devices/7"),
        (Method::POST, "/api/v1/devices/7/block"),
        (Method::DELETE, "/api/v1/devices/7/wipe"),
        (Method::GET, "/api/v1/users/nobody"),
        (Method::DELETE, "/api/v1/policies/none"),
        (Method::DELETE, "/api/v1/tokens/none"),
        (Method::GET, "/api/v1/nothing"),
    ] {
        let response = here(&bench.router, request(method, path, None)).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
        let problem: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(problem["status"], 404, "{path}");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:retract:"), "{path}");
    }
    let unknown = json!({ "message_id": "m", "reason": "r", "surprise": 1 });
    let (status, problem) = bench.shell(Method::POST, "/api/v1/orders", Some(&unknown)).await;
    assert!(status.is_client_error() && problem["code"].is_string(), "{problem}");
}

#[tokio::test]
async fn devices_are_wiped_only_as_the_rules_allow() {
    let bench = bench();
    let id = bench.device().await;
    let path = format!("/api/v1/devices/{id}/wipe");
    let account = json!({ "scope": "account_only" });
    let (status, problem) = bench.shell(Method::POST, &path, Some(&account)).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::CONFLICT, Some("wipe_unsupported"))
    );
    let full = json!({ "scope": "full", "device_id": "PHONE2" });
    let (status, problem) = bench.shell(Method::POST, &path, Some(&full)).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::CONFLICT, Some("id_not_typed")));
    let full = json!({ "scope": "full", "device_id": "phone1" });
    let (status, row) = bench.shell(Method::POST, &path, Some(&full)).await;
    assert_eq!((status, row["wipe"]["state"].as_str()), (StatusCode::OK, Some("requested")));
    let block = format!("/api/v1/devices/{id}/block");
    let (_, problem) = bench.shell(Method::POST, &block, None).await;
    assert_eq!(problem["code"], "blocked_before_wipe");
    let (status, row) = bench.shell(Method::DELETE, &path, None).await;
    assert_eq!((status, &row["wipe"]), (StatusCode::OK, &Value::Null));
    let (_, row) = bench.shell(Method::POST, &block, None).await;
    assert_eq!(row["access"], "block");
}

#[tokio::test]
async fn a_user_is_disabled_or_given_a_password_after_the_wipe_that_waits_or_on_purpose() {
    let bench = bench();
    let id = bench.device().await;
    let full = json!({ "scope": "full", "device_id": "phone1" });
    let wipe = format!("/api/v1/devices/{id}/wipe");
    assert_eq!(bench.shell(Method::POST, &wipe, Some(&full)).await.0, StatusCode::OK);
    let (disable, password) = ("/api/v1/users/ann/disable", "/api/v1/users/ann/password");
    let given = json!({ "password": "battery staple" });
    for (path, body) in [(disable, None), (disable, Some(&json!({}))), (password, Some(&given))] {
        let (status, problem) = bench.shell(Method::POST, path, body).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (StatusCode::CONFLICT, Some("blocked_before_wipe")),
        );
        assert!(problem["detail"].as_str().unwrap().contains("--now"), "{problem}");
    }
    let now = json!({ "now": true });
    let (status, user) = bench.shell(Method::POST, disable, Some(&now)).await;
    assert_eq!((status, &user["disabled"]), (StatusCode::OK, &Value::Bool(true)));
    let given = json!({ "password": "battery staple", "now": true });
    assert_eq!(bench.shell(Method::POST, password, Some(&given)).await.0, StatusCode::OK);
    let (status, user) = bench.shell(Method::POST, "/api/v1/users/ann/enable", None).await;
    assert_eq!((status, &user["disabled"]), (StatusCode::OK, &Value::Bool(false)));
}

#[tokio::test]
async fn policies_are_put_and_given_to_users() {
    let bench = bench();
    bench.device().await;
    let wrong = json!({ "rules": { "password_length_min": 99 } });
    let (status, problem) = bench.shell(Method::PUT, "/api/v1/policies/strict", Some(&wrong)).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("bad_rule")));
    let given = json!({ "policy": "strict" });
    let path = "/api/v1/users/ann/policy";
    assert_eq!(bench.shell(Method::POST, path, Some(&given)).await.0, StatusCode::NOT_FOUND);
    let right = json!({ "rules": { "password_required": true } });
    let (status, _) = bench.shell(Method::PUT, "/api/v1/policies/strict", Some(&right)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(bench.shell(Method::POST, path, Some(&given)).await.1["policy"], "strict");
}

#[tokio::test]
async fn an_absence_is_shown_and_ended() {
    let bench = bench();
    bench.device().await;
    let ann = bench.house.directory.find("ann").await.unwrap().id;
    let away = Away { when: AwayWhen::Always, ..Away::default() };
    let leave = move |tx: &Tx<'_>| set_away(tx, ann, &away, Timestamp(1));
    bench.house.database.write(leave).await.unwrap();
    let path = "/api/v1/users/ann";
    assert_eq!(bench.shell(Method::GET, path, None).await.1["is_away"], true);
    let back = format!("{path}/back");
    let (status, user) = bench.shell(Method::POST, &back, Some(&json!({}))).await;
    assert_eq!((status, &user["is_away"]), (StatusCode::OK, &Value::Bool(false)));
    assert_eq!(bench.shell(Method::GET, path, None).await.1["is_away"], false);
}

#[tokio::test]
async fn rules_are_put_all_at_once() {
    let bench = bench();
    let path = "/api/v1/policy-rules";
    let wrong = json!({ "rule": [{ "os": "Android*" }] });
    let (status, problem) = bench.shell(Method::PUT, path, Some(&wrong)).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("bad_rules")));
    let right = json!({ "groups": { "board": ["ann"] },
        "rule": [{ "group": "board", "policy": "default", "access": "quarantine" }] });
    assert_eq!(bench.shell(Method::PUT, path, Some(&right)).await, (StatusCode::OK, right.clone()));
    assert_eq!(bench.shell(Method::GET, path, None).await.1, right);
    assert_eq!(bench.shell(Method::PUT, path, Some(&json!({}))).await, (StatusCode::OK, json!({})));
}

#[tokio::test]
async fn strangers_words_reach_no_page_unescaped() {
    let bench = bench();
    bench.device().await;
    let order = json!({ "message_id": "<m1@example.org>", "reason": HOSTILE });
    let (status, made) = bench.shell(Method::POST, "/api/v1/orders", Some(&order)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = made["id"].as_i64().unwrap();
    for path in ["/".to_owned(), format!("/orders/{id}"), format!("/orders/{id}/report")] {
        let response = here(&bench.router, request(Method::GET, &path, None)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let policy =
            response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let page = text(response).await;
        assert!(!page.contains("<script>alert"), "{path}");
        assert!(page.contains("alert(1)"), "{path} shows what was said");
    }
}

#[tokio::test]
async fn the_page_of_a_mistyped_message_id_claims_nothing() {
    let bench = bench();
    let order = json!({ "message_id": "typo@example.org", "reason": "wrong attachment" });
    let (_, made) = bench.shell(Method::POST, "/api/v1/orders", Some(&order)).await;
    let page = format!("/orders/{}", made["id"]);
    let page = text(here(&bench.router, request(Method::GET, &page, None)).await).await;
    for words in
        ["No message with this Message-ID has been met", "to nobody here so far", "own socket"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("100.0 %"), "{page}");
    let path = format!("/api/v1/orders/{}/coverage", made["id"]);
    let (_, report) = bench.shell(Method::GET, &path, None).await;
    assert_eq!((&report["percent"], &report["is_met"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let bench = bench();
    let (_, link) =
        bench.shell(Method::POST, "/api/v1/sign-in-links", Some(&json!({ "name": "eve" }))).await;
    let code = link["url"].as_str().unwrap().split_once("code=").unwrap().1.to_owned();
    let post = || {
        let form = Request::builder().method(Method::POST).uri("/sign-in");
        form.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("code={code}")))
            .unwrap()
    };
    let signed_in = bench.tcp(post(), &[]).await;
    assert_eq!(signed_in.status(), StatusCode::SEE_OTHER);
    let set = signed_in.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let home = bench.tcp(request(Method::GET, "/", None), &[("cookie", cookie)]).await;
    assert_eq!(home.status(), StatusCode::OK);
    assert_eq!(bench.tcp(post(), &[]).await.status(), StatusCode::UNAUTHORIZED);

    let order = json!({ "message_id": "m@x", "reason": "r" });
    let ordered = || request(Method::POST, "/api/v1/orders", Some(&order));
    let from_elsewhere = [("cookie", cookie), ("sec-fetch-site", "cross-site")];
    assert_eq!(bench.tcp(ordered(), &from_elsewhere).await.status(), StatusCode::FORBIDDEN);
    let from_our_page = [("cookie", cookie), ("sec-fetch-site", "same-origin")];
    assert_eq!(bench.tcp(ordered(), &from_our_page).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn the_socket_is_its_owners_and_a_stale_one_is_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let bench = bench();
    let path = bench.dir.path().join("retract.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = bind_socket(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(bind_socket(&path).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let served = tokio::spawn(serve_socket(listener, bench.router.clone(), stopping));
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut asked = request(Method::GET, "/api/v1/users", None);
    asked.headers_mut().insert(header::HOST, "localhost".parse().unwrap());
    assert_eq!(sender.send_request(asked).await.unwrap().status(), StatusCode::OK);
    drop(sender);
    stop.send_replace(true);
    served.await.unwrap();
    assert!(!path.exists());
    std::fs::write(&path, "a file of somebody's").unwrap();
    assert!(bind_socket(&path).is_err());
}
