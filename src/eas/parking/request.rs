//! Reading one request: hyper parses it over the bare stream and is taken apart again before anything is answered.
//!
//! Guarantees: hyper exists only between the first byte of a request and the last byte of its body; what it read beyond that
//! goes back to the [`Line`]; a body over the limit is never buffered; a peer that dribbles is given up.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use activesync::http::Query;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming as Arriving};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::Manner;
use super::caller::Caller;
use super::line::Line;
use super::place::{Place, tidy};
use super::seats::Room;
use super::{House, come_again};
use crate::eas::endpoint::{Answer, Incoming, Limits};

/// What reading came to.
pub(super) enum Read {
    /// A request, with what to make of it.
    Arrived(Box<Arrived>),
    /// The head did not come in time.
    TooSlow,
    /// The peer closed, broke off, or sent no HTTP (which hyper has answered with 400 or 431).
    Over,
}

/// A request whose head is here, and what to make of it.
pub(super) struct Arrived {
    pub(super) verdict: Verdict,
    pub(super) manner: Manner,
    /// The body's share of memory.
    pub(super) room: Room,
}

/// What to make of a request before anyone looks into it.
pub(super) enum Verdict {
    /// It goes to the handler, whole.
    Take(Incoming),
    /// Its body is over the limit; the handler words the answer.
    TooLarge(Incoming),
    /// It is answered so.
    Refuse(Answer),
}

#[derive(Default)]
struct Slot {
    head_seen: bool,
    arrived: Option<Box<Arrived>>,
}

/// Reads one request whose first byte is there.
pub(super) async fn read(line: Line, caller: Caller, house: &Arc<House>) -> (Line, Read) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    let service = service_fn(|request: Request<Arriving>| {
        let (slot, house) = (Arc::clone(&slot), Arc::clone(house));
        Box::pin(async move {
            slot.lock().head_seen = true;
            let arrived = arrive(request, caller, &house).await;
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
fn keeps_alive(head: &Parts) -> bool {
    let says = |token: &str| {
        let fields =
            head.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        fields.flat_map(|value| value.split(',')).any(|it| it.trim().eq_ignore_ascii_case(token))
    };
    !says("close") && (head.version == Version::HTTP_11 || says("keep-alive"))
}

fn parser() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.half_close(true).header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX);
    builder
}

async fn arrive(request: Request<Arriving>, caller: Caller, house: &House) -> Arrived {
    let (parts, mut body) = request.into_parts();
    let mut room = house.bodies.room();
    let (old, stays) = (parts.version == Version::HTTP_10, keeps_alive(&parts));
    let verdict = match incoming(parts, caller, house) {
        Ok(incoming) => take_in(incoming, &mut body, house, &mut room).await,
        Err(refusal) => Verdict::Refuse(refusal),
    };
    let unread = !matches!(verdict, Verdict::Take(_)) && !body.is_end_stream();
    Arrived { verdict, manner: Manner { keep: stays && !unread, old, unread }, room }
}

/// The request without its body, if its path and method are ours.
fn incoming(parts: Parts, caller: Caller, house: &House) -> Result<Incoming, Answer> {
    let path = tidy(parts.uri.path());
    // [MS-ASHTTP] 2.2.2.1.1: what no place here can do.
    if !Place::any_knows(&parts.method) {
        return Err(Answer::empty(StatusCode::NOT_IMPLEMENTED));
    }
    let place = Place::of(&path).ok_or_else(|| Answer::empty(StatusCode::NOT_FOUND))?;
    if !place.knows(&parts.method) {
        let allow = HeaderValue::from_static(place.methods());
        return Err(Answer::empty(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, allow));
    }
    let (peer, secure) = caller.origin(&parts.headers, house.forwarding, &house.proxies);
    Ok(Incoming {
        place,
        method: parts.method,
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: Bytes::new(),
        peer,
        secure,
        connection: caller.connection,
    })
}

async fn take_in(
    incoming: Incoming,
    body: &mut Arriving,
    house: &House,
    room: &mut Room,
) -> Verdict {
    let unfit = match collect(&incoming, body, house, room).await {
        Ok(body) => return Verdict::Take(Incoming { body, ..incoming }),
        Err(unfit) => unfit,
    };
    let (answer, reason) = match unfit {
        // Who words the answer, logs it too.
        Unfit::TooLarge => return Verdict::TooLarge(incoming),
        Unfit::Unwelcome(answer) => return Verdict::Refuse(answer),
        Unfit::Stalled => (Answer::empty(StatusCode::REQUEST_TIMEOUT), "the body came too slowly"),
        Unfit::Broken => (Answer::empty(StatusCode::BAD_REQUEST), "the body broke off"),
        Unfit::NoRoom => (come_again(), "too much of what others send is in memory"),
    };
    let device = Query::device_key_in(&incoming.query).unwrap_or_default();
    tracing::info!(peer = %incoming.peer.ip(), %device, reason, "refused");
    Verdict::Refuse(answer)
}

/// Why a body was not taken in.
enum Unfit {
    TooLarge,
    Stalled,
    NoRoom,
    Broken,
    Unwelcome(Answer),
}

/// Reads a body whole. Asking hyper for the first frame is what sends `100 Continue`, so a refused body is never invited.
async fn collect(
    incoming: &Incoming,
    body: &mut Arriving,
    house: &House,
    room: &mut Room,
) -> Result<Bytes, Unfit> {
    let bytes_max = house.limits.body_bytes_max;
    let declared =
        body.size_hint().exact().map_or(0, |it| usize::try_from(it).unwrap_or(usize::MAX));
    if declared > bytes_max {
        return Err(Unfit::TooLarge);
    }
    let mut bytes = Vec::with_capacity(declared.min(FREE_BYTES_MAX));
    let mut pace = Pace::new(&house.limits);
    let mut asked = false;
    let mut expected = declared;
    loop {
        if expected > FREE_BYTES_MAX && !std::mem::replace(&mut asked, true) {
            let asking = timeout(house.limits.handle, house.handler.admits(incoming)).await;
            let pass = asking.unwrap_or_else(|_| Err(come_again())).map_err(Unfit::Unwelcome)?;
            // Nothing more is read before there is room for all of it; a chunked body may become as large as any.
            let whole = if declared > 0 { declared } else { bytes_max };
            let reserving = timeout(house.limits.turn, house.bodies.reserve(whole)).await;
            room.hold(pass, reserving.map_err(|_| Unfit::NoRoom)?);
            pace = Pace::new(&house.limits);
        }
        let frame = match timeout_at(pace.due, body.frame()).await {
            Err(_) => return Err(Unfit::Stalled),
            Ok(None) => return Ok(Bytes::from(bytes.into_boxed_slice())),
            Ok(Some(Err(_))) => return Err(Unfit::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        expected = bytes.len() + data.len();
        if expected > bytes_max {
            return Err(Unfit::TooLarge);
        }
        if !room.grow(data.len()) {
            return Err(Unfit::NoRoom);
        }
        pace.note(data.len());
        bytes.extend_from_slice(&data);
    }
}

/// The slowest a body may come: a quota of bytes per period, whatever came before.
struct Pace {
    due: Instant,
    got: usize,
    quota: usize,
    period: Duration,
}

impl Pace {
    fn new(limits: &Limits) -> Pace {
        let quota = f64::from(limits.body_rate_min) * limits.body_stall.as_secs_f64();
        let period = limits.body_stall;
        Pace { due: Instant::now() + period, got: 0, quota: quota as usize, period }
    }

    fn note(&mut self, bytes: usize) {
        self.got += bytes;
        if self.got >= self.quota {
            *self = Pace { due: Instant::now() + self.period, got: 0, ..*self };
        }
    }
}

/// Longest request head, in bytes; Autodiscover and cookies stay far below.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Bytes of a body that are taken in, and reserved on the word of `Content-Length`, before the handler is asked.
const FREE_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn stays(version: Version, connection: Option<&str>) -> bool {
        let mut request = Request::builder().version(version);
        if let Some(connection) = connection {
            request = request.header(CONNECTION, connection);
        }
        keeps_alive(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn keep_alive_is_the_rule_of_the_version() {
        assert!(stays(Version::HTTP_11, None));
        assert!(!stays(Version::HTTP_10, None));
        assert!(stays(Version::HTTP_10, Some("Keep-Alive")));
        assert!(!stays(Version::HTTP_11, Some("TE, Close")));
    }

    #[test]
    fn a_body_earns_time_only_by_its_quota() {
        let limits = Limits { body_rate_min: 100, ..Limits::default() };
        let mut pace = Pace::new(&limits);
        let first = pace.due;
        pace.note(2_999);
        assert_eq!(pace.due, first);
        pace.note(1);
        assert!(pace.due > first);
        assert_eq!(pace.got, 0);
    }
}
