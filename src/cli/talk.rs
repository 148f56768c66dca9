//! The road to the gateway: its socket, or the database itself when no server runs.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::body::Body;
use http::{HeaderName, Method, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::Failure;
use crate::admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::Error;
use crate::recall::Recall;
use crate::server::{House, Opening, StartError};

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
        let house = house(config)?;
        let router = admin::router(house.admin(base_url(config)));
        Ok(Gateway::Here { router, recall: house.recall })
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

/// All rooms, over the database itself.
fn house(config: &Config) -> Result<House, Failure> {
    House::open(config, &Clock::system(), Opening::default()).map_err(|error| match error {
        StartError::State { error: Error::Locked, .. } => anyhow!(
            "a server has the database open, but does not answer on {}",
            config.socket().display()
        )
        .into(),
        other => other.into(),
    })
}

fn base_url(config: &Config) -> String {
    match config.admin.listen {
        Some(listen) => format!("http://{listen}"),
        None => "http://127.0.0.1".to_owned(),
    }
}

/// What the database room calls its file.
const DATABASE_FILE: &str = "retract.db";
