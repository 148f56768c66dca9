//! The bare stream of a connection, with the bytes that were read ahead and belong to the next request.
//!
//! Guarantees: no byte that was read is lost; at most [`KEPT_BYTES_MAX`] are read ahead; while a phone idles or waits the
//! buffer to read into lives on the stack of one poll, not in the task.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use super::sealed::Sealed;

/// A connection to a phone, or to a proxy.
pub(super) struct Line {
    io: Io,
    kept: Bytes,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<Sealed>),
}

impl Line {
    pub(super) fn plain(stream: TcpStream) -> Line {
        Line { io: Io::Plain(stream), kept: Bytes::new() }
    }

    pub(super) fn tls(stream: Box<Sealed>) -> Line {
        Line { io: Io::Tls(stream), kept: Bytes::new() }
    }

    /// Puts bytes back in front that were read and not used. They are copied, so that no larger buffer is kept alive.
    pub(super) fn unread(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.kept = Bytes::from([bytes, &self.kept[..]].concat());
        }
    }

    /// Waits for the first byte of a request; `false` when the peer closed or broke the connection.
    pub(super) async fn first_byte(&mut self) -> bool {
        std::future::poll_fn(|cx| {
            if self.kept.is_empty() {
                return self.poll_ahead(cx).map(|alive| alive && !self.kept.is_empty());
            }
            Poll::Ready(true)
        })
        .await
    }

    /// Ends when the peer has closed or broken the connection. What it sends meanwhile is kept, up to a limit; beyond that
    /// it is left with the peer, and the end is noticed when the answer is written.
    pub(super) async fn gone(&mut self) {
        std::future::poll_fn(|cx| {
            while self.kept.len() < KEPT_BYTES_MAX {
                if !ready!(self.poll_ahead(cx)) {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// Reads some bytes ahead; `false` at the end of the stream.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut space = [0; AHEAD_BYTES];
        let mut read = ReadBuf::new(&mut space);
        let alive = match ready!(self.io.poll_read(cx, &mut read)) {
            Ok(()) => !read.filled().is_empty(),
            Err(_) => false,
        };
        if alive {
            self.kept = Bytes::from([&self.kept[..], read.filled()].concat());
        }
        Poll::Ready(alive)
    }

    /// Tells the peer that nothing more comes (close_notify, FIN). The peer may still be sending.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.shutdown().await
    }

    /// Breaks the connection at once: what the kernel still holds is thrown away, and the peer sees a reset.
    pub(super) fn cut(self) {
        let _ = match &self.io {
            Io::Plain(stream) => stream.set_zero_linger(),
            Io::Tls(stream) => stream.socket().set_zero_linger(),
        };
    }
}

impl Io {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Io::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, into),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.kept.is_empty() {
            return self.io.poll_read(cx, into);
        }
        let count = self.kept.len().min(into.remaining());
        into.put_slice(&self.kept[..count]);
        self.kept.advance(count);
        if self.kept.is_empty() {
            self.kept = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

/// Bytes read ahead at once.
const AHEAD_BYTES: usize = 1024;

/// Bytes of following requests that are kept while one waits.
const KEPT_BYTES_MAX: usize = 16 * 1024;
