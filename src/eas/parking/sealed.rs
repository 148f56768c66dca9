//! TLS over a socket, by rustls' unbuffered API: a connection whose phone is silent holds its keys and not one buffer.
//!
//! Guarantees: what was read or written is kept only until it is handed on, and its memory is given back then; at most
//! [`INCOMING_BYTES_MAX`] of sealed bytes wait for the rest of their message, and one record's worth of opened ones for their
//! reader; nothing reaches the socket that rustls did not seal; close_notify is the end of the stream and leaves the way back
//! open, an end without it is an error.
//!
//! tokio-rustls keeps 4 kB a connection for the next record, however long that takes; this is why it is not used here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The server's side of a TLS connection.
pub(super) struct Sealed {
    socket: TcpStream,
    tls: UnbufferedServerConnection,
    /// Sealed bytes from the peer whose record is not complete.
    incoming: Vec<u8>,
    /// Sealed bytes for the peer that the socket has not taken.
    outgoing: Vec<u8>,
    /// Opened bytes that nobody has read, from `read` on.
    opened: Vec<u8>,
    read: usize,
    /// The peer said that nothing more comes.
    ended: bool,
    /// We said so.
    farewell_said: bool,
}

/// What is to be sealed.
enum Say<'a> {
    Data(&'a [u8]),
    Farewell,
}

impl Sealed {
    /// Shakes hands. Boxed, for that is how a connection keeps it.
    pub(super) async fn accept(
        socket: TcpStream,
        config: Arc<ServerConfig>,
    ) -> io::Result<Box<Sealed>> {
        let tls = UnbufferedServerConnection::new(config).map_err(invalid)?;
        let mut sealed = Box::new(Sealed {
            socket,
            tls,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            opened: Vec::new(),
            read: 0,
            ended: false,
            farewell_said: false,
        });
        std::future::poll_fn(|cx| {
            while sealed.tls.is_handshaking() {
                ready!(sealed.poll_out(cx))?;
                ready!(sealed.poll_in(cx))?;
            }
            sealed.poll_out(cx)
        })
        .await?;
        Ok(sealed)
    }

    /// The socket, to set its options.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Takes some sealed bytes from the socket, and opens what is complete.
    fn poll_in(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if self.incoming.len() >= INCOMING_BYTES_MAX {
            return Poll::Ready(Err(invalid("a TLS message without end")));
        }
        let mut space = [0; READ_BYTES];
        let mut read = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.incoming.extend_from_slice(read.filled());
        let opened = self.advance(None);
        if opened.is_err() {
            self.queue_alert();
        }
        // What rustls says of its own accord goes when it can; who reads does not wait for it.
        let _ = self.poll_out(cx);
        Poll::Ready(opened)
    }

    /// Hands sealed bytes to the socket until none are left.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let result = loop {
            if sent == self.outgoing.len() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.socket).poll_write(cx, &self.outgoing[sent..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => sent += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        forget_first(&mut self.outgoing, sent);
        result
    }

    /// Lets rustls work through what has come, and seals what is to be said; an error when it could not be.
    fn advance(&mut self, mut say: Option<Say<'_>>) -> io::Result<()> {
        let mut goes_on = true;
        while goes_on {
            let UnbufferedStatus { discard, state, .. } =
                self.tls.process_tls_records(&mut self.incoming);
            match state.map_err(invalid)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        self.opened.extend_from_slice(record.map_err(invalid)?.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut message) => {
                    seal(&mut self.outgoing, MESSAGE_BYTES, |space| message.encode(space))?;
                }
                ConnectionState::TransmitTlsData(message) => message.done(),
                ConnectionState::PeerClosed => self.ended = true,
                ConnectionState::WriteTraffic(mut traffic) => {
                    goes_on = false;
                    match say.take() {
                        Some(Say::Data(bytes)) => {
                            let about = bytes.len() + MESSAGE_BYTES;
                            seal(&mut self.outgoing, about, |to| traffic.encrypt(bytes, to))?;
                        }
                        Some(Say::Farewell) => {
                            let queue = |space: &mut [u8]| traffic.queue_close_notify(space);
                            seal(&mut self.outgoing, MESSAGE_BYTES, queue)?;
                        }
                        None => {}
                    }
                }
                ConnectionState::Closed => (self.ended, goes_on) = (true, false),
                _ => goes_on = false,
            }
            forget_first(&mut self.incoming, discard);
        }
        if say.is_none() { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// After an error: what rustls has to say of it.
    fn queue_alert(&mut self) {
        self.incoming = Vec::new();
        for _ in 0..ALERTS_MAX {
            match self.tls.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut alert)) => {
                    let _ = seal(&mut self.outgoing, MESSAGE_BYTES, |space| alert.encode(space));
                }
                Ok(ConnectionState::TransmitTlsData(alert)) => alert.done(),
                _ => return,
            }
        }
    }
}

impl AsyncRead for Sealed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.opened.is_empty() && !self.ended {
            ready!(self.poll_in(cx))?;
        }
        let left = &self.opened[self.read..];
        let count = left.len().min(into.remaining());
        into.put_slice(&left[..count]);
        self.read += count;
        if self.read == self.opened.len() {
            (self.opened, self.read) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sealed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_out(cx))?;
        let some = &bytes[..bytes.len().min(RECORD_BYTES_MAX)];
        if !some.is_empty() {
            self.advance(Some(Say::Data(some)))?;
        }
        match self.poll_out(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What the socket does not take yet is ours to keep: one record, and none is sealed before it has gone.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(some.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.farewell_said, true) {
            self.advance(Some(Say::Farewell))?;
        }
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// A failure to seal that more room cures.
trait Cramped {
    fn wants(&self) -> Option<usize>;
}

impl Cramped for EncodeError {
    fn wants(&self) -> Option<usize> {
        match self {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Some(*required_size)
            }
            EncodeError::AlreadyEncoded => None,
        }
    }
}

impl Cramped for EncryptError {
    fn wants(&self) -> Option<usize> {
        match self {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Some(*required_size)
            }
            EncryptError::EncryptExhausted => None,
        }
    }
}

/// Appends to `outgoing` what `write` seals, with room for `about` so many bytes, or for what it says it needs.
fn seal<E: Cramped + std::error::Error + Send + Sync + 'static>(
    outgoing: &mut Vec<u8>,
    about: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> io::Result<()> {
    let before = outgoing.len();
    outgoing.resize(before + about, 0);
    let mut written = write(&mut outgoing[before..]);
    if let Some(wanted) = written.as_ref().err().and_then(Cramped::wants) {
        outgoing.resize(before + wanted, 0);
        written = write(&mut outgoing[before..]);
    }
    outgoing.truncate(before + written.as_ref().copied().unwrap_or(0));
    written.map(drop).map_err(invalid)
}

/// Drops the first `count` bytes; with the last of them goes the memory.
fn forget_first(bytes: &mut Vec<u8>, count: usize) {
    if count == bytes.len() {
        *bytes = Vec::new();
    } else {
        bytes.drain(..count);
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Sealed bytes taken from the socket at once.
const READ_BYTES: usize = 4096;

/// Sealed bytes that may wait for the rest of their message: the longest handshake message rustls takes.
const INCOMING_BYTES_MAX: usize = 0xffff;

/// What is sealed at once: all that a record holds (RFC 8446, 5.1).
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// Room for a message of rustls' own, an alert or a key update, with what sealing adds.
const MESSAGE_BYTES: usize = 256;

/// Messages of rustls' own after an error: an alert has two steps.
const ALERTS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, ServerName};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    use super::*;
    use crate::clock::Clock;
    use crate::eas::tls::{Identity, self_signed, server_config};

    fn configs() -> (Arc<ServerConfig>, TlsConnector) {
        let (certificate, key) =
            self_signed(&["localhost".to_owned()], Clock::system().now()).unwrap();
        let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (server_config(Arc::new(identity)).unwrap(), Arc::new(client).into())
    }

    async fn sockets() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        (client.unwrap(), server.unwrap().0)
    }

    async fn pair() -> (TlsStream<TcpStream>, Box<Sealed>) {
        let (config, connector) = configs();
        let (client, server) = sockets().await;
        let name = ServerName::try_from("localhost").unwrap();
        let ends = tokio::join!(connector.connect(name, client), Sealed::accept(server, config));
        (ends.0.unwrap(), ends.1.unwrap())
    }

    #[tokio::test]
    async fn a_phone_that_comes_back_resumes_by_its_ticket() {
        let (config, connector) = configs();
        for kind in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
            let (client, server) = sockets().await;
            let name = ServerName::try_from("localhost").unwrap();
            let accepting = Sealed::accept(server, Arc::clone(&config));
            let ends = tokio::join!(connector.connect(name, client), accepting);
            let (mut client, mut server) = (ends.0.unwrap(), ends.1.unwrap());
            assert_eq!(client.get_ref().1.handshake_kind(), Some(kind));
            // The ticket comes before the first answer, and is taken in with it.
            server.write_all(b"!").await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), b'!');
        }
    }

    fn kept(sealed: &Sealed) -> usize {
        sealed.incoming.capacity() + sealed.outgoing.capacity() + sealed.opened.capacity()
    }

    #[tokio::test]
    async fn a_silent_connection_keeps_no_buffer() {
        let (mut client, mut server) = pair().await;
        assert_eq!(kept(&server), 0, "after the handshake");
        let mut heard = [0; 9];
        for _ in 0..3 {
            client.write_all(b"a request").await.unwrap();
            server.read_exact(&mut heard).await.unwrap();
            server.write_all(b"an answer").await.unwrap();
            server.flush().await.unwrap();
            assert_eq!(kept(&server), 0);
            client.read_exact(&mut heard).await.unwrap();
        }
        assert_eq!(&heard, b"an answer");
    }

    #[tokio::test]
    async fn much_goes_both_ways_at_once() {
        const MUCH: usize = 3 * 1024 * 1024 + 17;
        let (client, server) = pair().await;
        let say = |salt: usize| (0..MUCH).map(move |at| (at * 31 / 7 + salt) as u8).collect();
        let talk = |salt: usize| -> (Vec<u8>, Vec<u8>) { (say(salt), vec![0; MUCH]) };
        let ((from_client, mut at_client), (from_server, mut at_server)) = (talk(1), talk(2));
        let (mut client_in, mut client_out) = tokio::io::split(client);
        let (mut server_in, mut server_out) = tokio::io::split(server);
        let heard = tokio::join!(
            async { (client_out.write_all(&from_client).await, client_out.flush().await) },
            async { (server_out.write_all(&from_server).await, server_out.flush().await) },
            client_in.read_exact(&mut at_client),
            server_in.read_exact(&mut at_server),
        );
        assert_eq!((heard.2.unwrap(), heard.3.unwrap()), (MUCH, MUCH));
        assert!(at_server == from_client && at_client == from_server);
    }

    #[tokio::test]
    async fn what_is_not_read_stays_bounded() {
        let (mut client, mut server) = pair().await;
        let flood = tokio::spawn(async move {
            let piece = vec![b'x'; 64 * 1024];
            while client.write_all(&piece).await.is_ok() {}
        });
        let mut some = [0; 100];
        for _ in 0..2_000 {
            server.read_exact(&mut some).await.unwrap();
            assert!(kept(&server) < 8 * RECORD_BYTES_MAX, "{}", kept(&server));
        }
        drop(server);
        flood.await.unwrap();
    }

    #[tokio::test]
    async fn the_end_is_told_from_a_cut() {
        let (mut client, mut server) = pair().await;
        client.write_all(b"last words").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"last words");
        server.write_all(b"heard").await.unwrap();
        server.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"heard", "and our own end is one");

        let (mut client, mut server) = pair().await;
        client.get_mut().0.shutdown().await.unwrap();
        let cut = server.read_u8().await.unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn nonsense_is_answered_by_an_alert() {
        let (config, _) = configs();
        let (mut client, server) = sockets().await;
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(Sealed::accept(server, config).await.is_err());
        assert_eq!(client.read_u8().await.unwrap(), 21, "a record of type alert (RFC 8446, 5.1)");

        let (client, mut server) = pair().await;
        let mut client = client.into_inner().0;
        client.write_all(&[23, 3, 3, 0, 32]).await.unwrap();
        client.write_all(&[7; 32]).await.unwrap();
        let broken = server.read_u8().await.unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::InvalidData);
        let (mut type_and_version, _) = ([0; 3], client.readable().await.unwrap());
        client.read_exact(&mut type_and_version).await.unwrap();
        assert_eq!(type_and_version, [23, 3, 3], "what is said is sealed");
    }
}
