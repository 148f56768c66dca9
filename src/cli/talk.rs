//! The road to the gateway: its socket, or the database itself when no server runs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::body::Body;
use http::{HeaderName, Method, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::Failure;
use crate::admin::{self, State};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{Bodies, Database, Error, Options};
use crate::directory::{self, Directory};
use crate::mailbox::embedded::Embedded;
use crate::policy::Policies;
use crate::push::Bells;
use crate::recall::gate::FenceBoard;
use crate::recall::{self, Recall};

/// Octets of an answer at most: a report over some hundred thousand devices.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The gateway, by either road.
pub(super) enum Gateway {
    /// A server answers on this socket.
    Server(PathBuf),
    /// No server runs: we are it, for the length of a command.
    Here {
        /// The same router.
        router: Router,
        /// Does at once what a server's worker would do.
        recall: Recall,
    },
}

impl Gateway {
    /// The running server, or else the database.
    pub(super) async fn reach(config: &Config) -> Result<Gateway, Failure> {
        let socket = config.socket();
        if UnixStream::connect(&socket).await.is_ok() {
            return Ok(Gateway::Server(socket));
        }
        let dir = &config.server.data_dir;
        if !dir.join(DATABASE_FILE).exists() {
            let words =
                "there is no installation in {}; `retract init` makes one, --config names another";
            return Err(anyhow!(words.replace("{}", &dir.display().to_string())).into());
        }
        Gateway::open(config)
    }

    /// The database itself, made where it is not there yet.
    pub(super) fn open(config: &Config) -> Result<Gateway, Failure> {
        let state = state(config)?;
        let recall = state.recall.clone();
        Ok(Gateway::Here { router: admin::router(state), recall })
    }

    /// Whether a server runs, so that devices can answer.
    pub(super) fn is_server(&self) -> bool {
        matches!(self, Gateway::Server(_))
    }

    /// Asks for a document.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        document(self.ask(request(Method::GET, path, None, &[])?).await?).await
    }

    /// Has something done.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    /// Has something done, with headers.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, String)],
    ) -> Result<Value, Failure> {
        let answer = document(self.ask(request(method, path, body, headers)?).await?).await?;
        if let Gateway::Here { recall, .. } = self {
            recall.work_off().await?;
        }
        Ok(answer)
    }

    /// Asks for something that goes on: the answer's body is still to be read.
    pub(super) async fn follow(&self, path: &str) -> Result<Response<Body>, Failure> {
        let response = self.ask(request(Method::GET, path, None, &[])?).await?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refused(response).await),
        }
    }

    async fn ask(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        match self {
            Gateway::Here { router, .. } => Ok(admin::here(router, request).await),
            Gateway::Server(socket) => over(socket, request).await,
        }
    }
}

/// Text as a segment of a path.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

async fn over(socket: &PathBuf, request: Request<Body>) -> Result<Response<Body>, Failure> {
    let stream = UnixStream::connect(socket)
        .await
        .with_context(|| format!("the server does not answer on {}", socket.display()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.context("the server went away")?;
    Ok(response.map(Body::new))
}

fn request(
    method: Method,
    path: &str,
    body: Option<&Value>,
    headers: &[(&'static str, String)],
) -> Result<Request<Body>, Failure> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    for (name, value) in headers {
        request = request.header(HeaderName::from_static(name), value);
    }
    let body = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(serde_json::to_vec(body)?)
        }
        None => Body::empty(),
    };
    Ok(request.body(body)?)
}

/// The document of an answer, or the failure it is.
async fn document(response: Response<Body>) -> Result<Value, Failure> {
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    let octets = octets(response).await?;
    if octets.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(&octets)?)
}

async fn refused(response: Response<Body>) -> Failure {
    let status = response.status();
    let octets = octets(response).await.unwrap_or_default();
    let problem: Value = serde_json::from_slice(&octets).unwrap_or_default();
    let word = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    let words = match word("detail") {
        "" => format!("the gateway answered {status}"),
        detail => format!("{detail} ({})", word("code")),
    };
    Failure::of(status, words)
}

async fn octets(response: Response<Body>) -> Result<bytes::Bytes, Failure> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok(body.map_err(|error| anyhow!("the answer broke off: {error}"))?.to_bytes())
}

/// All rooms an operator's request needs, over the database itself.
fn state(config: &Config) -> Result<State, Failure> {
    let clock = Clock::system();
    let options = Options { clock: clock.clone(), ..Options::default() };
    let database =
        Database::open(&config.server.data_dir, options).map_err(|error| match error {
            Error::Locked => anyhow!(
                "a server has the database open, but does not answer on {}",
                config.socket().display()
            ),
            other => other.into(),
        })?;
    let bodies = Bodies::beside(&database)?;
    let (board, bells) = (FenceBoard::new(), Bells::new());
    let store = Embedded::with_arrivals(
        database.clone(),
        bodies.clone(),
        clock.clone(),
        // Nobody waits: no server runs.
        Arc::new(|_| {}),
        recall::arrivals(board.clone()),
    );
    let rooms = recall::Rooms { store: store.clone(), board, bells: bells.clone() };
    let recall = Recall::new(database.clone(), clock.clone(), rooms, limits(config));
    let directory =
        Directory::new(database.clone(), clock.clone(), directory::Settings::default())?;
    let store = Arc::new(store);
    let policies = Policies::new(database.clone(), clock.clone(), Arc::new(|_| {}));
    let base_url = base_url(config);
    Ok(State { database, bodies, clock, recall, directory, store, bells, policies, base_url })
}

/// What the configuration says of recall.
fn limits(config: &Config) -> recall::Limits {
    let defaults = recall::Limits::default();
    recall::Limits {
        copies_unconfirmed_max: config.recall.brake_copies,
        mailboxes_unconfirmed_permille: u64::from(config.recall.brake_mailboxes_percent) * 10,
        stands_days: config.recall.stands_days,
        policy: recall::Policy {
            silent_after: std::time::Duration::from_hours(u64::from(config.recall.silent_after_h)),
            ..defaults.policy
        },
        ..defaults
    }
}

fn base_url(config: &Config) -> String {
    match config.admin.listen {
        Some(listen) => format!("http://{listen}"),
        None => "http://127.0.0.1".to_owned(),
    }
}

/// What the database room calls its file.
const DATABASE_FILE: &str = "retract.db";
