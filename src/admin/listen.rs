//! The three roads to the router: TCP, a Unix socket of mode 0600, and in-process.

use std::convert::Infallible;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::{Extension, Router};
use http::{Request, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::caller::Local;

/// Connections of operators and monitors at a time, on each listener.
const CONNECTIONS_MAX: usize = 256;
/// How long a request's head may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(20);
/// How long requests may go on once the server stops; live pages would go on for ever.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// The pause after an accept that failed, so that an exhausted system is not spun at.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP on `listener` until `stop` says so. Put it on loopback, or a TLS proxy before it.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let mut seats = Seats::new(stop.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, _)) => seats.seat(stream, router.clone()),
            Err(error) => {
                tracing::warn!(%error, "an operator's connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    seats.leave().await;
}

/// Serves the command line on a socket of [`bind_socket`] until `stop` says so, and takes the socket away.
pub async fn serve_socket(listener: UnixListener, router: Router, mut stop: watch::Receiver<bool>) {
    let mut seats = Seats::new(stop.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let local = Local { user: peer(&stream) };
                seats.seat(stream, router.clone().layer(Extension(local)));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of the command line was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    let bound = listener.local_addr();
    drop(listener);
    if let Some(path) = bound.ok().as_ref().and_then(|bound| bound.as_pathname())
        && let Err(error) = std::fs::remove_file(path.with_extension(""))
    {
        tracing::warn!(%error, "the command line's socket could not be taken away");
    }
    seats.leave().await;
}

/// Asks the router in-process, as the machine's own shell: for the command line when no server runs.
pub async fn here(router: &Router, request: Request<Body>) -> Response<Body> {
    let uid = rustix::process::geteuid().as_raw();
    let router = router.clone().layer(Extension(Local { user: user_name(uid) }));
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => {
            let never: Infallible = never;
            match never {}
        }
    }
}

/// Binds the command line's socket, which only its owner can open. What a crashed server left at the path is removed; a socket that
/// somebody answers on is not. It is bound under a name of its own and moved into place once its mode is set, so that nobody can
/// connect before. Needs a runtime.
pub fn bind_socket(path: &Path) -> std::io::Result<UnixListener> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            let words = format!("{} is there and is no socket", path.display());
            return Err(std::io::Error::other(words));
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            let words = format!("another server answers on {}", path.display());
            return Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, words));
        }
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(FRESH);
    let fresh = Path::new(&fresh);
    match std::fs::remove_file(fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(fresh)?;
    std::fs::set_permissions(fresh, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    std::fs::rename(fresh, path)?;
    Ok(listener)
}

/// The name of the user at the other end.
fn peer(stream: &UnixStream) -> String {
    match stream.peer_cred() {
        Ok(peer) => user_name(peer.uid()),
        Err(_) => "unknown".to_owned(),
    }
}

/// The system's name of a user, by `/etc/passwd`; its number where that has none.
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = passwd.lines().map(|line| line.split(':'));
    let found = lines.find_map(|mut fields| {
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| format!("uid{uid}"))
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone stops us too.
    let _gone = stop.wait_for(|stop| *stop).await;
}

/// The connections of one listener.
struct Seats {
    tasks: JoinSet<()>,
    free: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Seats {
    fn new(stop: watch::Receiver<bool>) -> Seats {
        Seats { tasks: JoinSet::new(), free: Arc::new(Semaphore::new(CONNECTIONS_MAX)), stop }
    }

    /// Serves a connection in a task of its own; above the limit it is closed at once.
    fn seat<S>(&mut self, stream: S, router: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        while self.tasks.try_join_next().is_some() {}
        let Ok(seat) = Arc::clone(&self.free).try_acquire_owned() else {
            tracing::warn!("too many connections of operators; one was closed");
            return;
        };
        let mut stop = self.stop.clone();
        self.tasks.spawn(async move {
            let service = TowerToHyperService::new(router);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = pin!(connection);
            tokio::select! {
                result = connection.as_mut() => drop(result),
                () = stopped(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    drop(connection.await);
                }
            }
            drop(seat);
        });
    }

    /// Lets requests finish for a moment, and ends the rest.
    async fn leave(mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        drop(tokio::time::timeout(STOP_PATIENCE, all).await);
    }
}

/// Read and written by the owner alone.
const SOCKET_MODE: u32 = 0o600;
/// What a socket's name ends in until it is moved into place; its own address says so ever after.
const FRESH: &str = ".new";
