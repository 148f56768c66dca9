//! A connection's life: idle, read, handled, parked while its phone waits, answered; a waiting phone costs a socket.
//!
//! Guarantees: while a phone idles or waits its task holds the bare stream and, when waiting, the [`Waiting`] future, and
//! nothing of HTTP; a phone that goes away while it waits is noticed by the end of its stream, also by half-closing, and its
//! future dropped; bytes that arrive meanwhile are the start of the next request; a stop lets everyone go in their turn.

mod answer;
mod caller;
pub(in crate::eas) mod check;
mod forwarded;
mod line;
mod place;
mod proxy;
mod request;
mod sealed;
mod seats;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use ipnet::IpNet;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use self::answer::{Manner, Written};
use self::caller::Caller;
use self::forwarded::trusted;
use self::line::Line;
use self::request::{Arrived, Read, Verdict};
use self::sealed::Sealed;
use self::seats::{Bodies, Room, Seat, Seats};
use super::endpoint::{
    Answer, BoxFuture, ConnectionId, Handler, Incoming, Limits, Outcome, Settings, Stopping,
    Waiting,
};
use crate::clock::Clock;

pub use self::forwarded::Forwarding;
pub use self::place::Place;
pub use self::seats::Gauge;

/// A door of the house.
#[derive(Clone)]
pub(super) struct Door {
    /// How it lets phones in.
    pub(super) entrance: Entrance,
    /// Whether a named proxy says first whose connection it is.
    pub(super) proxy_protocol: bool,
}

/// How a listener lets phones in.
#[derive(Clone)]
pub(super) enum Entrance {
    /// Through TLS.
    Tls(Arc<ServerConfig>),
    /// Without, for loopback and the trusted proxies.
    Plain,
}

/// What all connections share.
pub(super) struct House {
    handler: Arc<dyn Handler>,
    limits: Limits,
    proxies: Vec<IpNet>,
    forwarding: Forwarding,
    clock: Clock,
    gauge: Arc<Gauge>,
    seats: Seats,
    told: watch::Receiver<Option<Stopping>>,
    connections: AtomicU64,
    handlers: Arc<Semaphore>,
    bodies: Bodies,
}

impl House {
    pub(super) fn new(
        handler: Arc<dyn Handler>,
        settings: Settings,
        clock: Clock,
        told: watch::Receiver<Option<Stopping>>,
    ) -> House {
        let Settings { limits, trusted_proxies, forwarding, .. } = settings;
        let gauge = Arc::new(Gauge::default());
        let seats =
            Seats::new(Arc::clone(&gauge), limits.connections_max, limits.connections_per_ip_max);
        House {
            connections: AtomicU64::new(1),
            handlers: Arc::new(Semaphore::new(limits.requests_max)),
            bodies: Bodies::new(&gauge, limits.bodies_bytes_max),
            handler,
            limits,
            proxies: trusted_proxies,
            forwarding,
            clock,
            gauge,
            seats,
            told,
        }
    }

    pub(super) fn gauge(&self) -> &Arc<Gauge> {
        &self.gauge
    }

    /// Ends when the gateway stops; at once when the endpoint itself was dropped.
    async fn told_to_stop(&self) -> Stopping {
        let mut told = self.told.clone();
        let stopping = told.wait_for(Option::is_some).await.ok().and_then(|stopping| *stopping);
        stopping.unwrap_or(Stopping { spread: Duration::ZERO, patience: Duration::ZERO })
    }

    /// Ends when it is this connection's turn to be let go. Every connection keeps this future: its timer is made when needed.
    async fn turn_to_leave(&self, connection: ConnectionId) {
        let stopping = self.told_to_stop().await;
        Box::pin(tokio::time::sleep(stopping.spread.mul_f64(turn_of(connection)))).await;
    }

    fn is_stopping(&self) -> bool {
        self.told.borrow().is_some() || self.told.has_changed().is_err()
    }
}

/// Accepts connections until the gateway stops, then waits for them to end.
pub(super) async fn listen(listener: TcpListener, door: Door, house: Arc<House>) {
    let mut attended = JoinSet::new();
    let stopping = loop {
        tokio::select! {
            biased;
            stopping = house.told_to_stop() => break stopping,
            Some(ended) = attended.join_next() => note_end(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => welcome(stream, peer, &door, &house, &mut attended),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    };
    drop(listener);
    let all_gone = async {
        while let Some(ended) = attended.join_next().await {
            note_end(ended);
        }
    };
    if timeout(stopping.spread.saturating_add(stopping.patience), all_gone).await.is_err() {
        tracing::warn!(left = attended.len(), "cutting the connections that did not end in time");
        attended.shutdown().await;
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a phone's connection ended badly");
    }
}

/// Gives a new connection its seat and its task, or refuses it without either.
fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    door: &Door,
    house: &Arc<House>,
    attended: &mut JoinSet<()>,
) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let tls = matches!(door.entrance, Entrance::Tls(_));
    let named = trusted(peer.ip(), &house.proxies);
    let announces = named && door.proxy_protocol;
    if !tls && !named && !peer.ip().is_loopback() {
        return refuse(&stream, FORBIDDEN, house);
    }
    let Some(seat) = house.seats.take(peer.ip(), announces || (named && !tls)) else {
        return refuse(&stream, if tls { TLS_REFUSAL } else { BUSY }, house);
    };
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_send_buffer_size(house.limits.send_buffer_bytes);
    let connection = ConnectionId(house.connections.fetch_add(1, Ordering::Relaxed));
    let caller = Caller { peer, tls, proxy: named && !tls, connection };
    let opening = Opening { stream, caller, seat, entrance: door.entrance.clone() };
    attended.spawn(serve(opening, announces, Arc::clone(house)));
}

/// A connection at the door.
struct Opening {
    stream: TcpStream,
    caller: Caller,
    seat: Seat,
    entrance: Entrance,
}

/// A connection that is let in.
struct Opened {
    line: Line,
    caller: Caller,
    seat: Seat,
}

/// Hears from a named proxy whose connection it is. From then on it is that phone's: in the log, in the throttle, in its seat.
async fn announced(opening: Opening, house: Arc<House>) -> Option<Opened> {
    let Opening { mut stream, caller, seat, entrance } = opening;
    let proxy = caller.peer;
    let header = match timeout(house.limits.handshake, proxy::read(&mut stream)).await {
        Ok(Ok(header)) => header,
        Ok(Err(proxy::Bad::Nothing)) => return None,
        Ok(Err(error)) => {
            tracing::warn!(%proxy, %error, "a connection of a proxy is closed");
            return None;
        }
        Err(_) => {
            tracing::warn!(%proxy, error = "the PROXY header does not come", "a connection of a proxy is closed");
            return None;
        }
    };
    let caller = caller.behind(&header, &house.proxies);
    let seat = match header.source {
        Some(source) if !caller.proxy => match house.seats.behind(seat, source.ip()) {
            Some(seat) => seat,
            None => {
                let tls = matches!(entrance, Entrance::Tls(_));
                refuse(&stream, if tls { TLS_REFUSAL } else { BUSY }, &house);
                return None;
            }
        },
        _ => seat,
    };
    open(Opening { stream, caller, seat, entrance }, house).await
}

async fn open(opening: Opening, house: Arc<House>) -> Option<Opened> {
    let Opening { stream, caller, seat, entrance } = opening;
    let line = match entrance {
        Entrance::Plain => Line::plain(stream),
        Entrance::Tls(config) => shake_hands(stream, config, house).await?,
    };
    Some(Opened { line, caller, seat })
}

/// Says why in one packet and closes; nothing is read and nothing kept.
fn refuse(stream: &TcpStream, why: &[u8], house: &House) {
    house.gauge.note_refused();
    let _ = SockRef::from(stream).send(why);
}

async fn shake_hands(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    house: Arc<House>,
) -> Option<Line> {
    let _counted = house.gauge.count_handshake();
    match timeout(house.limits.handshake, Sealed::accept(stream, config)).await {
        Ok(Ok(stream)) => Some(Line::tls(stream)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no TLS handshake");
            None
        }
        Err(_) => None,
    }
}

/// One connection, from its first byte to its close. This future is what a connection costs beside its TLS, so it is written for
/// size, as [`park`] is: an `async fn` would hold each of its arguments twice.
fn serve(opening: Opening, announces: bool, house: Arc<House>) -> impl Future<Output = ()> + Send {
    let opening: BoxFuture<'static, Option<Opened>> = match announces {
        true => Box::pin(announced(opening, Arc::clone(&house))),
        false => Box::pin(open(opening, Arc::clone(&house))),
    };
    async move {
        let Some(Opened { mut line, caller, seat }) = opening.await else { return };
        let connection = caller.connection;
        while idle(&mut line, connection, &house).await {
            let answered = match Box::pin(turn(line, caller, &house)).await {
                Next::Idle(line) => Some(line),
                Next::Over => None,
                Next::Park(parked) => park(parked, connection, &house).await,
            };
            match answered {
                Some(back) => line = back,
                None => return,
            }
        }
        Box::pin(close(line, false)).await;
        drop(seat);
    }
}

/// Waits for the next request on the bare stream; `false` when there will be none.
async fn idle(line: &mut Line, connection: ConnectionId, house: &House) -> bool {
    tokio::select! {
        biased;
        first = timeout(house.limits.idle, line.first_byte()) => first.unwrap_or(false),
        () = house.turn_to_leave(connection) => false,
    }
}

/// What follows a request.
enum Next {
    Idle(Line),
    Park(Parked),
    Over,
}

struct Parked {
    line: Line,
    waiting: Box<dyn Waiting>,
    manner: Manner,
}

/// Reads a request and answers it, unless it waits.
async fn turn(line: Line, caller: Caller, house: &Arc<House>) -> Next {
    let (line, read) = request::read(line, caller, house).await;
    let arrived = match read {
        Read::Over => {
            tracing::info!(peer = %caller.peer.ip(), reason = "no whole request came", "refused");
            close(line, true).await;
            return Next::Over;
        }
        Read::TooSlow => {
            tracing::info!(peer = %caller.peer.ip(), reason = "the head came too slowly", "refused");
            let manner = Manner { keep: false, old: false, unread: true };
            let late = Answer::empty(StatusCode::REQUEST_TIMEOUT);
            return reply(line, late, manner, house).await.map_or(Next::Over, Next::Idle);
        }
        Read::Arrived(arrived) => *arrived,
    };
    let Arrived { verdict, manner, room } = arrived;
    let answer = match verdict {
        Verdict::Take(incoming) => match handle(incoming, room, house).await {
            Outcome::Answer(answer) => answer,
            Outcome::Wait(waiting) => {
                return Next::Park(Parked { line, waiting, manner });
            }
        },
        Verdict::TooLarge(incoming) => {
            drop(room);
            let worded = timeout(house.limits.handle, house.handler.too_large(incoming)).await;
            worded.unwrap_or_else(|_| come_again())
        }
        Verdict::Refuse(answer) => {
            drop(room);
            answer
        }
    };
    reply(line, answer, manner, house).await.map_or(Next::Over, Next::Idle)
}

/// Runs the handler in a task of its own: it outlives the connection, and a panic in it is one failed answer. When thousands of
/// phones are woken at once they are served some at a time: they are not served later for it, and need less memory. Work that
/// goes on after its answer was given up keeps its turn, and its body the room it takes.
async fn handle(incoming: Incoming, room: Room, house: &House) -> Outcome {
    let asking = Arc::clone(&house.handlers).acquire_owned();
    let Ok(turn) = timeout(house.limits.turn, asking).await else {
        tracing::warn!("a request's turn did not come in time; the phone is told to come again");
        return Outcome::Answer(come_again());
    };
    let handling = house.handler.handle(incoming);
    let work = tokio::spawn(async move {
        let _held = (turn, room);
        handling.await
    });
    match timeout(house.limits.handle, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => {
            tracing::error!(%error, "a request's handler ended badly");
            Outcome::Answer(come_again())
        }
        Err(_) => {
            tracing::warn!("a request's handler takes too long; the phone is told to come again");
            Outcome::Answer(come_again())
        }
    }
}

fn come_again() -> Answer {
    Answer::empty(StatusCode::SERVICE_UNAVAILABLE)
        .with(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S))
}

/// How a wait ends.
enum End {
    Answer(Answer),
    Close,
    /// The phone went.
    Gone,
}

/// Waits on the bare stream, then answers.
fn park(
    parked: Parked,
    connection: ConnectionId,
    house: &House,
) -> impl Future<Output = Option<Line>> + Send {
    let Parked { mut line, waiting, manner } = parked;
    let counted = house.gauge.count_waiting();
    let farewell = waiting.farewell();
    let mut news = waiting.wait();
    async move {
        let end = tokio::select! {
            biased;
            answer = &mut news => End::Answer(answer),
            () = line.gone() => End::Gone,
            () = house.turn_to_leave(connection) => farewell.map_or(End::Close, End::Answer),
        };
        drop((news, counted));
        match end {
            End::Answer(answer) => Box::pin(reply(line, answer, manner, house)).await,
            End::Close => {
                Box::pin(close(line, false)).await;
                None
            }
            End::Gone => None,
        }
    }
}

/// Writes an answer; the line comes back if the connection stays open.
async fn reply(mut line: Line, answer: Answer, manner: Manner, house: &House) -> Option<Line> {
    let manner = Manner { keep: manner.keep && !house.is_stopping(), ..manner };
    let (stall, now) = (house.limits.write_stall, house.clock.now());
    match answer::write(&mut line, answer, manner, stall, now).await {
        Written::Whole if manner.keep => return Some(line),
        Written::Whole => close(line, manner.unread).await,
        Written::Broken => {}
        Written::Cut => {
            house.gauge.note_cut();
            line.cut();
        }
    }
    None
}

/// Closes in order. Where the peer may still be sending, its bytes are read and thrown away for a while: closing over them
/// would reset the connection and could take our answer with it.
async fn close(mut line: Line, still_sending: bool) {
    let _ = timeout(LINGER_MAX, async {
        let closed = line.close().await;
        if still_sending && closed.is_ok() {
            let mut waste = vec![0; WASTE_BYTES];
            while matches!(line.read(&mut waste).await, Ok(1..)) {}
        }
    })
    .await;
}

/// Where in the spread of a stop a connection's turn is: from 0 to 1, as if drawn by lot.
fn turn_of(connection: ConnectionId) -> f64 {
    let mixed = connection.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    mixed as f64 / 4_294_967_296.0
}

/// Pause after a failed accept, mostly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a peer that is still sending is listened to after its answer.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// Bytes thrown away at a time.
const WASTE_BYTES: usize = 16 * 1024;

/// When to come again after an answer that only lacked resources, in seconds.
const RETRY_AFTER_S: &str = "60";

/// Refuses a peer that is neither loopback nor a trusted proxy.
const FORBIDDEN: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Refuses a connection too many.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// Refuses a connection too many before a handshake: the fatal alert `internal_error` (RFC 8446, 6.2).
const TLS_REFUSAL: &[u8] = &[21, 3, 3, 0, 2, 2, 80];
