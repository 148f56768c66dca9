//! Reading one request: hyper parses it over the bare stream and is taken apart again before anything is answered.
//!
//! Guarantees: hyper exists only between the first byte of a request and the last byte of its body; what it read beyond that
//! goes back to the [`Line`]; a body over the limit is never buffered; a peer that dribbles is given up.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap};
use http::request::Parts;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming as Arriving};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::House;
use super::line::Line;
use super::place::{Place, tidy};
use super::seats::Room;

/// What reading came to.
pub(super) enum Read {
    /// A request, with what to make of it.
    Arrived(Box<Arrived>),
    /// The head did not come in time.
    TooSlow,
    /// The peer closed, broke off, or sent no HTTP (which hyper has answered with 400 or 431).
    Over,
}

/// A request whose head is here, and its body unless the verdict says otherwise.
pub(super) struct Arrived {
    pub(super) parts: Parts,
    pub(super) path: String,
    pub(super) verdict: Verdict,
    /// Whether some of the body was left unread.
    pub(super) unread: bool,
    /// The body's share of memory.
    pub(super) room: Room,
}

/// What to make of a request before anyone looks into it.
pub(super) enum Verdict {
    /// It goes to the handler.
    Take(Place, Bytes),
    /// Its body is over the limit.
    TooLarge(Place),
    /// The path names nothing.
    NotFound,
    /// The path does not know the method.
    WrongMethod(Place),
    /// The body did not come in time.
    Stalled,
    /// The memory for bodies is used up.
    NoRoom,
    /// The body broke off, or its framing is wrong.
    Broken,
}

#[derive(Default)]
struct Slot {
    head_seen: bool,
    arrived: Option<Box<Arrived>>,
}

/// Reads one request whose first byte is there.
pub(super) async fn read(line: Line, house: &Arc<House>) -> (Line, Read) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    let service = service_fn(|request: Request<Arriving>| {
        let (slot, house) = (Arc::clone(&slot), Arc::clone(house));
        Box::pin(async move {
            slot.lock().head_seen = true;
            let arrived = arrive(request, &house).await;
            slot.lock().arrived = Some(Box::new(arrived));
            pending::<Result<Response<Empty<Bytes>>, Infallible>>().await
        })
    });
    let mut hyper = parser().serve_connection(TokioIo::new(line), service);
    let mut ended = false;
    let mut until = async |done: fn(&Slot) -> bool| {
        std::future::poll_fn(|cx| {
            ended = ended || hyper.poll_without_shutdown(cx).is_ready();
            if ended || done(&slot.lock()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    };
    let in_time = timeout(house.limits.head, until(|slot| slot.head_seen)).await.is_ok();
    if in_time {
        until(|slot| slot.arrived.is_some()).await;
    }
    let parts = hyper.into_parts();
    let mut line = parts.io.into_inner();
    line.unread(&parts.read_buf);
    let arrived = slot.lock().arrived.take();
    (line, arrived.map_or(if in_time { Read::Over } else { Read::TooSlow }, Read::Arrived))
}

/// Whether the connection stays open after this request (RFC 9112, 9.3).
pub(super) fn keeps_alive(version: Version, headers: &HeaderMap) -> bool {
    let says = |token: &str| {
        let fields = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        fields.flat_map(|value| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(token))
    };
    if version == Version::HTTP_11 { !says("close") } else { says("keep-alive") && !says("close") }
}

fn parser() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.half_close(true).header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX);
    builder
}

async fn arrive(request: Request<Arriving>, house: &House) -> Arrived {
    let (parts, mut body) = request.into_parts();
    let path = tidy(parts.uri.path());
    let mut room = Room::new(&house.gauge, house.limits.bodies_bytes_max);
    let verdict = match Place::of(&path) {
        None => Verdict::NotFound,
        Some(place) if !place.knows(&parts.method) => Verdict::WrongMethod(place),
        Some(place) => match collect(&mut body, house, &mut room).await {
            Ok(bytes) => Verdict::Take(place, bytes),
            Err(Unfit::TooLarge) => Verdict::TooLarge(place),
            Err(Unfit::Stalled) => Verdict::Stalled,
            Err(Unfit::NoRoom) => Verdict::NoRoom,
            Err(Unfit::Broken) => Verdict::Broken,
        },
    };
    let unread = !body.is_end_stream() && !matches!(verdict, Verdict::Take(..));
    Arrived { parts, path, verdict, unread, room }
}

enum Unfit {
    TooLarge,
    Stalled,
    NoRoom,
    Broken,
}

/// Reads a body whole. Asking hyper for the first frame is what sends `100 Continue`, so a refused body is never invited.
async fn collect(body: &mut Arriving, house: &House, room: &mut Room) -> Result<Bytes, Unfit> {
    let limits = &house.limits;
    let bytes_max = limits.body_bytes_max;
    let declared = body.size_hint().exact().unwrap_or(0);
    if declared > bytes_max as u64 {
        return Err(Unfit::TooLarge);
    }
    let began = Instant::now();
    let mut bytes = Vec::with_capacity(declared.min(FIRST_BYTES_MAX) as usize);
    loop {
        let allowed = limits.body_stall + rate_time(bytes.len(), limits.body_rate_min);
        let left = allowed.saturating_sub(began.elapsed()).min(limits.body_stall);
        let frame = match timeout(left, body.frame()).await {
            Err(_) => return Err(Unfit::Stalled),
            Ok(None) => return Ok(Bytes::from(bytes.into_boxed_slice())),
            Ok(Some(Err(_))) => return Err(Unfit::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(Unfit::TooLarge);
        }
        if !room.grow(data.len()) {
            return Err(Unfit::NoRoom);
        }
        bytes.extend_from_slice(&data);
    }
}

/// The time that `bytes` may take at the slowest rate.
fn rate_time(bytes: usize, rate_min: u32) -> Duration {
    Duration::from_secs_f64(bytes as f64 / f64::from(rate_min.max(1)))
}

/// Longest request head, in bytes; Autodiscover and cookies stay far below.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Bytes reserved on the word of `Content-Length` alone.
const FIRST_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(connection: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, connection.parse().unwrap());
        headers
    }

    #[test]
    fn keep_alive_is_the_rule_of_the_version() {
        let none = HeaderMap::new();
        assert!(keeps_alive(Version::HTTP_11, &none));
        assert!(!keeps_alive(Version::HTTP_10, &none));
        assert!(keeps_alive(Version::HTTP_10, &headers("Keep-Alive")));
        assert!(!keeps_alive(Version::HTTP_11, &headers("TE, Close")));
    }

    #[test]
    fn a_slow_body_earns_time_by_its_bytes() {
        assert_eq!(rate_time(0, 512), Duration::ZERO);
        assert_eq!(rate_time(5120, 512), Duration::from_secs(10));
    }
}
