//! Writing one answer by hand onto the bare stream, chunk by chunk, the gate asked before each.
//!
//! Guarantees: the gate is asked before any byte of a chunk is handed on, and again every [`FENCE_TICK`] while a chunk is
//! stuck; a chunk is flushed through TLS before the next begins. So when a fence falls, what can still leave this process is
//! one chunk of [`CHUNK_BYTES`], and what can still leave the machine is the kernel's send buffer
//! (`Limits::send_buffer_bytes`, which Linux doubles) until the cut resets the connection and empties it. Both are in the
//! total that `Draining::wrote` was told.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

use super::line::Line;
use crate::clock::Timestamp;
use crate::eas::endpoint::{Answer, Body};

/// How the connection goes on after an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Whether it stays open.
    pub(super) keep: bool,
    /// Whether the request was HTTP/1.0, which has to be told that it stays open.
    pub(super) old: bool,
    /// Whether some of the request was left unread, which must be drained before the close.
    pub(super) unread: bool,
}

/// What became of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Every byte was handed to the kernel.
    Whole,
    /// The gate forbade the rest.
    Cut,
    /// The peer is gone or takes nothing.
    Broken,
}

/// Writes `answer`; `stall` is the longest time for one chunk.
pub(super) async fn write(
    line: &mut Line,
    mut answer: Answer,
    manner: Manner,
    stall: Duration,
    now: Timestamp,
) -> Written {
    let bytes = match &answer.body {
        Body::Empty => Bytes::new(),
        Body::Plain(plain) => plain.bytes().clone(),
        Body::Released(content) => content.bytes().clone(),
    };
    let mut opening = head(&answer, bytes.len(), manner, now);
    let first = bytes.len().min(CHUNK_BYTES.saturating_sub(opening.len()));
    opening.extend_from_slice(&bytes[..first]);
    let written = write_chunks(line, &answer.body, &opening, first, &bytes, stall).await;
    if let Body::Released(content) = &mut answer.body {
        content.finish(written == Written::Whole);
    }
    written
}

async fn write_chunks(
    line: &mut Line,
    body: &Body,
    opening: &[u8],
    first: usize,
    bytes: &[u8],
    stall: Duration,
) -> Written {
    let mut total = first;
    let mut chunk = opening;
    loop {
        if !may_continue(body) {
            return Written::Cut;
        }
        let sent = write_chunk(line, chunk, body, stall).await;
        if let Body::Released(content) = body {
            content.wrote(total);
        }
        if sent != Written::Whole || total == bytes.len() {
            return sent;
        }
        chunk = &bytes[total..bytes.len().min(total + CHUNK_BYTES)];
        total += chunk.len();
    }
}

/// Hands one chunk to the kernel. A chunk that did not go through counts as gone all the same, for a part of it may be.
async fn write_chunk(line: &mut Line, chunk: &[u8], body: &Body, stall: Duration) -> Written {
    let began = Instant::now();
    let mut handing = std::pin::pin!(async {
        line.write_all(chunk).await?;
        line.flush().await
    });
    loop {
        match timeout(FENCE_TICK.min(stall), &mut handing).await {
            Ok(Ok(())) => return Written::Whole,
            Ok(Err(_)) => return Written::Broken,
            Err(_) if !may_continue(body) => return Written::Cut,
            Err(_) if began.elapsed() >= stall => return Written::Broken,
            Err(_) => {}
        }
    }
}

fn may_continue(body: &Body) -> bool {
    match body {
        Body::Released(content) => content.may_continue(),
        Body::Empty | Body::Plain(_) => true,
    }
}

fn head(answer: &Answer, length: usize, manner: Manner, now: Timestamp) -> Vec<u8> {
    let mut head = Vec::with_capacity(512 + length.min(CHUNK_BYTES));
    let (code, reason) = (answer.status.as_u16(), reason(answer.status));
    let date = imf_date(now);
    let _ =
        write!(head, "HTTP/1.1 {code} {reason}\r\nDate: {date}\r\nContent-Length: {length}\r\n");
    if !answer.headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
        // Empty answers too: some clients want it there, none minds.
        head.extend_from_slice(b"Content-Type: application/vnd.ms-sync.wbxml\r\n");
    }
    for (name, value) in &answer.headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(piece);
        }
    }
    match manner {
        Manner { keep: false, .. } => head.extend_from_slice(b"Connection: close\r\n"),
        Manner { old: true, .. } => head.extend_from_slice(b"Connection: keep-alive\r\n"),
        Manner { .. } => {}
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn reason(status: StatusCode) -> &'static str {
    match status.as_u16() {
        449 => "Retry With", // [MS-ASHTTP] 2.2.2.1.1
        _ => status.canonical_reason().unwrap_or("Status"),
    }
}

/// `Tue, 24 Nov 2026 08:00:00 GMT`, the date of RFC 9110, 5.6.7.
fn imf_date(now: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(now.ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Bytes written between two questions to the gate; also the most a TLS record holds.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;

/// How often the gate is asked while a chunk is stuck.
const FENCE_TICK: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{HeaderValue, RETRY_AFTER};

    fn text(answer: &Answer, manner: Manner) -> String {
        String::from_utf8(head(answer, 3, manner, Timestamp(1_795_507_200_000))).unwrap()
    }

    #[test]
    fn a_head_holds_what_phones_need() {
        let answer = Answer::empty(StatusCode::SERVICE_UNAVAILABLE)
            .with(RETRY_AFTER, HeaderValue::from_static("60"));
        let closing = Manner { keep: false, old: false, unread: false };
        assert_eq!(
            text(&answer, closing),
            "HTTP/1.1 503 Service Unavailable\r\nDate: Tue, 24 Nov 2026 08:00:00 GMT\r\n\
             Content-Length: 3\r\nContent-Type: application/vnd.ms-sync.wbxml\r\nretry-after: 60\r\n\
             Connection: close\r\n\r\n"
        );
    }

    #[test]
    fn an_own_type_replaces_ours_and_old_clients_are_told_to_stay() {
        let answer =
            Answer::empty(StatusCode::OK).with(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        let head = text(&answer, Manner { keep: true, old: true, unread: false });
        assert!(!head.contains("vnd.ms-sync"));
        assert!(head.contains("content-type: text/xml\r\n"));
        assert!(head.ends_with("Connection: keep-alive\r\n\r\n"));
    }
}
