//! The LMTP listener (RFC 2033): a mail server hands in mail, and hears about each recipient by itself.
//!
//! - 250 means: body file and folder fsynced, row committed. Anything else leaves the mail with the sender.
//! - One mail stays one mail: a bare CR or LF, in a command or in the data, is refused, so nothing is smuggled past a boundary.
//! - Lines, sizes, recipients, connections, waits and memory all have limits; a peer outside the allowed networks hears 554.

mod session;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use super::Postman;
use crate::mailbox::MESSAGE_BYTES_MAX;

/// What the listener allows.
#[derive(Clone, Debug)]
pub struct LmtpSettings {
    /// Who may hand in mail over TCP.
    pub allowed: Vec<IpNet>,
    /// The largest mail, in bytes.
    pub message_bytes_max: usize,
    /// Connections at a time; more wait to be accepted.
    pub connections_max: usize,
    /// Mails above 1 MiB taken in at a time, over all connections; more are asked to come back.
    pub large_mails_max: usize,
    /// How long a peer may be silent.
    pub silence_max: Duration,
    /// How long one connection may last.
    pub connection_max: Duration,
}

/// The listener. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lmtp {
    postman: Postman,
    settings: Arc<LmtpSettings>,
    connections: Arc<Semaphore>,
    large_mails: Arc<Semaphore>,
}

impl Default for LmtpSettings {
    fn default() -> LmtpSettings {
        LmtpSettings {
            allowed: ["127.0.0.0/8", "::1/128"]
                .iter()
                .map(|net| net.parse().expect("these are networks"))
                .collect(),
            message_bytes_max: MESSAGE_BYTES_MAX - HEADER_ROOM_BYTES,
            connections_max: 64,
            large_mails_max: 8,
            silence_max: Duration::from_secs(5 * 60),
            connection_max: Duration::from_secs(60 * 60),
        }
    }
}

impl Lmtp {
    /// A listener that gives mail to the postman.
    pub fn new(postman: Postman, settings: LmtpSettings) -> Lmtp {
        Lmtp {
            postman,
            connections: Arc::new(Semaphore::new(settings.connections_max)),
            large_mails: Arc::new(Semaphore::new(settings.large_mails_max)),
            settings: Arc::new(settings),
        }
    }

    /// Serves a TCP listener until it is dropped with the task.
    pub async fn serve(self, listener: TcpListener) {
        loop {
            let Ok(permit) = self.connections.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let this = self.clone();
                    tokio::spawn(async move {
                        this.tcp_session(stream, peer.ip()).await;
                        drop(permit);
                    });
                }
                Err(error) => accept_failed(&error).await,
            }
        }
    }

    /// Serves a Unix socket; who may connect is a matter of its file mode.
    pub async fn serve_unix(self, listener: UnixListener) {
        loop {
            let Ok(permit) = self.connections.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let this = self.clone();
                    tokio::spawn(async move {
                        this.session(stream, "localhost (local socket)".to_owned()).await;
                        drop(permit);
                    });
                }
                Err(error) => accept_failed(&error).await,
            }
        }
    }

    async fn tcp_session(&self, mut stream: tokio::net::TcpStream, peer: IpAddr) {
        let peer = peer.to_canonical();
        if self.settings.allowed.iter().any(|net| net.contains(&peer)) {
            // Replies are small and waited for.
            let _slower_without = stream.set_nodelay(true);
            self.session(stream, format!("[{peer}]")).await;
        } else {
            tracing::warn!(%peer, "LMTP from a network that is not allowed");
            let _gone = stream.write_all(b"554 5.7.1 you may not hand in mail here\r\n").await;
        }
    }

    /// Speaks LMTP on any stream.
    pub async fn session<S>(&self, stream: S, peer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let limit = self.settings.connection_max;
        let session = session::Session::new(self, stream, peer).run();
        match tokio::time::timeout(limit, session).await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => tracing::debug!(%error, "an LMTP connection ended"),
            Err(_) => tracing::info!("an LMTP connection lasted too long"),
        }
    }
}

/// Out of descriptors, mostly: the next try in a moment.
async fn accept_failed(error: &std::io::Error) {
    tracing::warn!(%error, "LMTP cannot accept");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// What the postman may write above a mail.
const HEADER_ROOM_BYTES: usize = 8 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
