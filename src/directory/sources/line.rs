//! The line to a directory server, under the LDAP client: connected, secured and watched by us.
//!
//! TLS is spoken from the first octet or after StartTLS, the server's certificate verified by the configuration handed in; nothing is
//! said before that but the wish for it. The client sits at the end of a pipe of ours and sees only messages that are sound and of
//! bounded length (the crate's parser recurses as deep as its input and keeps as much as its input claims); one conversation has an end
//! in time and in octets.

use std::io;
use std::os::unix::net::UnixStream as Pipe;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::ber;
use super::ldap::{Place, Security};

/// Opens a line; what comes back is the client's end of it. All of it is over at `until`.
pub(super) async fn open(
    place: &Place,
    tls: &Arc<ClientConfig>,
    until: Instant,
) -> io::Result<Pipe> {
    let made = timeout_at(until.min(Instant::now() + CONNECT_MAX), make(place, tls)).await;
    let stream = made.unwrap_or_else(|_| Err(other("no connection in time")))?;
    let (ours, theirs) = UnixStream::pair()?;
    let theirs = theirs.into_std()?;
    tokio::spawn(async move {
        if let Ok(Err(error)) = timeout_at(until, carry(stream, ours)).await {
            tracing::debug!(%error, "the line to the directory server is cut");
        }
    });
    Ok(theirs)
}

trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

async fn make(place: &Place, tls: &Arc<ClientConfig>) -> io::Result<Box<dyn Line>> {
    let mut tcp = TcpStream::connect((place.host.as_str(), place.port)).await?;
    tcp.set_nodelay(true)?;
    match place.security {
        Security::Plain => return Ok(Box::new(tcp)),
        Security::StartTls => {
            tcp.write_all(&ber::start_tls()).await?;
            // Octet by octet to its end and no further: what follows belongs to TLS.
            let answer = message(&mut tcp, ANSWER_BYTES_MAX).await?;
            if !answer.is_some_and(|answer| ber::agrees_to_tls(&answer)) {
                return Err(other("the server does not begin TLS"));
            }
        }
        Security::Tls => {}
    }
    let name = ServerName::try_from(place.host.clone()).map_err(other)?;
    Ok(Box::new(TlsConnector::from(tls.clone()).connect(name, tcp).await?))
}

/// Carries octets both ways until either end is done.
async fn carry(stream: Box<dyn Line>, pipe: UnixStream) -> io::Result<()> {
    let (from_server, mut to_server) = tokio::io::split(stream);
    let mut from_server = BufReader::new(from_server);
    let (mut from_client, mut to_client) = pipe.into_split();
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let down = async {
        let mut left = OCTETS_MAX;
        while let Some(message) = message(&mut from_server, MESSAGE_BYTES_MAX).await? {
            ber::check(&message).map_err(other)?;
            left = left.checked_sub(message.len()).ok_or_else(|| other("more than we take"))?;
            to_client.write_all(&message).await?;
        }
        Ok(())
    };
    tokio::select! {
        done = up => done,
        done = down => done,
    }
}

/// The next message, whole; `None` where the stream ends between two.
async fn message(
    stream: &mut (impl AsyncRead + Unpin),
    octets_max: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::with_capacity(HEAD_BYTES);
    loop {
        let mut one = [0];
        if stream.read(&mut one).await? == 0 {
            return if octets.is_empty() { Ok(None) } else { Err(other("a message is cut off")) };
        }
        octets.push(one[0]);
        if let Some(head) = ber::head(&octets).map_err(other)? {
            if head.content > octets_max {
                return Err(other("a message longer than we take"));
            }
            let begins = octets.len();
            octets.resize(begins + head.content, 0);
            stream.read_exact(&mut octets[begins..]).await?;
            return Ok(Some(octets));
        }
    }
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}

/// How long a connection, TLS included, may take to stand.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Octets of the answer to StartTLS.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// Octets of one message: a group of some ten thousand members.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Octets a server may say in one conversation.
const OCTETS_MAX: usize = 1024 * 1024 * 1024;
/// Tag and length of most messages.
const HEAD_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn tls() -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let roots = rustls::RootCertStore::empty();
        Arc::new(config.unwrap().with_root_certificates(roots).with_no_client_auth())
    }

    /// What the client sees of a server that says these octets once it has been spoken to.
    async fn seen(security: Security, says: &'static [u8]) -> io::Result<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 64];
            // Whoever hangs up first is no matter here.
            let _spoken = stream.read(&mut buffer).await;
            let _said = stream.write_all(says).await;
        });
        let place = Place { host: "127.0.0.1".into(), port, security };
        let pipe = open(&place, &tls(), Instant::now() + Duration::from_secs(20)).await?;
        pipe.set_nonblocking(true)?;
        let mut pipe = UnixStream::from_std(pipe)?;
        pipe.write_all(b"hello").await?;
        let mut heard = Vec::new();
        pipe.read_to_end(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn only_what_is_sound_reaches_the_client() {
        let sound: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0x01];
        assert_eq!(seen(Security::Plain, sound).await.unwrap(), sound);
        for wrong in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x00],
            &[0x30, 0x03, 0x30, 0x7f, 0x01],
            &[0x30, 0x7f],
        ] {
            assert!(seen(Security::Plain, wrong).await.unwrap().is_empty(), "{wrong:02x?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_said_in_the_clear_where_tls_is_wanted() {
        let agreed: &[u8] =
            &[0x30, 0x0c, 2, 1, 1, 0x78, 7, 0x0a, 1, 0, 4, 0, 4, 0, 0x30, 0x03, 2, 1, 1];
        for says in [&b"no"[..], &[0x30, 0x03, 0x02, 0x01, 0x01], agreed] {
            assert!(seen(Security::StartTls, says).await.is_err(), "{says:02x?}");
        }
    }
}
