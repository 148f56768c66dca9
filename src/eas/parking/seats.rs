//! Who may connect: the counters of the listener, and a seat per connection, limited in total and per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::eas::endpoint::Pass;

/// What the listener holds at the moment, and what it has refused since it began.
#[derive(Debug, Default)]
pub struct Gauge {
    connections: AtomicUsize,
    waiting: AtomicUsize,
    handshakes: AtomicUsize,
    body_bytes: AtomicUsize,
    refused: AtomicU64,
    cut: AtomicU64,
}

impl Gauge {
    /// Open connections, of every kind.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections whose phone waits for news.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Connections in their TLS handshake.
    pub fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// Bytes of request bodies in memory.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes.load(Ordering::Relaxed)
    }

    /// Connections refused at the door: too many, or not a trusted proxy.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Answers cut because a fence fell while they were being written.
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    pub(super) fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_waiting(self: &Arc<Self>) -> Counted {
        Counted::new(self, |gauge| &gauge.waiting)
    }

    pub(super) fn count_handshake(self: &Arc<Self>) -> Counted {
        Counted::new(self, |gauge| &gauge.handshakes)
    }

    fn count_connection(self: &Arc<Self>) -> Counted {
        Counted::new(self, |gauge| &gauge.connections)
    }
}

/// One more of something, for as long as this lives.
pub(super) struct Counted {
    gauge: Arc<Gauge>,
    which: fn(&Gauge) -> &AtomicUsize,
}

impl Counted {
    fn new(gauge: &Arc<Gauge>, which: fn(&Gauge) -> &AtomicUsize) -> Counted {
        which(gauge).fetch_add(1, Ordering::Relaxed);
        Counted { gauge: Arc::clone(gauge), which }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.which)(&self.gauge).fetch_sub(1, Ordering::Relaxed);
    }
}

/// The memory for request bodies. Large ones share a part of it, so that the small ones, which is nearly all, always find room.
pub(super) struct Bodies {
    gauge: Arc<Gauge>,
    bytes_max: usize,
    large: Arc<Semaphore>,
    units: usize,
}

impl Bodies {
    pub(super) fn new(gauge: &Arc<Gauge>, bytes_max: usize) -> Bodies {
        let units = (bytes_max / 4 * 3 / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let large = Arc::new(Semaphore::new(units));
        Bodies { gauge: Arc::clone(gauge), bytes_max, large, units }
    }

    /// The share of one request, empty yet.
    pub(super) fn room(&self) -> Room {
        let (gauge, bytes_max) = (Arc::clone(&self.gauge), self.bytes_max);
        Room { gauge, bytes: 0, bytes_max, large: None }
    }

    /// Waits in line until a large body may be read; nobody asks for more than there is.
    pub(super) async fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).clamp(1, self.units));
        Arc::clone(&self.large).acquire_many_owned(units.unwrap_or(u32::MAX)).await.ok()
    }
}

/// The share of one request in the memory for bodies.
pub(super) struct Room {
    gauge: Arc<Gauge>,
    bytes: usize,
    bytes_max: usize,
    large: Option<(Pass, Option<OwnedSemaphorePermit>)>,
}

impl Room {
    /// Keeps what a large body was let in with.
    pub(super) fn hold(&mut self, pass: Pass, reserved: Option<OwnedSemaphorePermit>) {
        self.large = Some((pass, reserved));
    }

    /// Takes `bytes` more; `false` when the memory for bodies is used up.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.gauge.body_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        before.saturating_add(bytes) <= self.bytes_max
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.gauge.body_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What the memory for large bodies is counted in.
const UNIT_BYTES: usize = 64 * 1024;

/// Connections by address; an address without any has no entry.
type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The seats of the listener.
pub(super) struct Seats {
    gauge: Arc<Gauge>,
    by_address: Counts,
    total_max: usize,
    per_address_max: usize,
}

/// A connection's seat, given back when it is dropped.
pub(super) struct Seat {
    _counted: Counted,
    by_address: Option<(IpAddr, Counts)>,
}

impl Seats {
    pub(super) fn new(gauge: Arc<Gauge>, total_max: usize, per_address_max: usize) -> Seats {
        Seats { gauge, by_address: Arc::default(), total_max, per_address_max }
    }

    /// A seat for a peer at `address`, or `None` when there is none left. `exempt` peers count in the total alone.
    pub(super) fn take(&self, address: IpAddr, exempt: bool) -> Option<Seat> {
        if self.gauge.connections() >= self.total_max {
            return None;
        }
        let by_address = if exempt { None } else { Some(self.count(address)?) };
        Some(Seat { _counted: self.gauge.count_connection(), by_address })
    }

    /// The same seat, counted for the phone its proxy speaks for; `None` when that has none left.
    pub(super) fn behind(&self, mut seat: Seat, address: IpAddr) -> Option<Seat> {
        seat.by_address = Some(self.count(address)?);
        Some(seat)
    }

    fn count(&self, address: IpAddr) -> Option<(IpAddr, Counts)> {
        let key = neighbourhood(address);
        let mut counts = self.by_address.lock();
        let count = counts.entry(key).or_insert(0);
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        Some((key, Arc::clone(&self.by_address)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((key, counts)) = &self.by_address else { return };
        let mut counts = counts.lock();
        if let Some(count) = counts.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(key);
            }
        }
    }
}

/// The address that is counted: one IPv4 address, or the /64 that an IPv6 host can choose from freely.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn seats_are_limited_per_address_and_in_total_and_given_back() {
        let gauge = Arc::new(Gauge::default());
        let seats = Seats::new(Arc::clone(&gauge), 3, 2);
        let first = seats.take(ip("192.0.2.1"), false).unwrap();
        let _second = seats.take(ip("::ffff:192.0.2.1"), false).unwrap();
        assert!(seats.take(ip("192.0.2.1"), false).is_none());
        let _third = seats.take(ip("192.0.2.1"), true).unwrap();
        assert!(seats.take(ip("192.0.2.9"), false).is_none(), "three in total");
        drop(first);
        assert_eq!(gauge.connections(), 2);
        assert!(seats.take(ip("192.0.2.1"), false).is_some());
        assert_eq!(seats.by_address.lock().len(), 1);
    }

    #[test]
    fn a_phone_behind_a_proxy_has_seats_of_its_own() {
        let seats = Seats::new(Arc::default(), 9, 1);
        let of = |address| seats.behind(seats.take(ip("10.0.0.1"), true).unwrap(), ip(address));
        let first = of("192.0.2.1").unwrap();
        assert!(of("192.0.2.1").is_none());
        let _other = of("192.0.2.2").unwrap();
        drop(first);
        assert!(of("192.0.2.1").is_some());
        assert_eq!(seats.gauge.connections(), 1);
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let seats = Seats::new(Arc::default(), 9, 1);
        let _seat = seats.take(ip("2001:db8:1:2::1"), false).unwrap();
        assert!(seats.take(ip("2001:db8:1:2:ffff::1"), false).is_none());
        assert!(seats.take(ip("2001:db8:1:3::1"), false).is_some());
    }

    #[test]
    fn room_for_bodies_runs_out_and_comes_back() {
        let gauge = Arc::new(Gauge::default());
        let bodies = Bodies::new(&gauge, 100);
        let mut one = bodies.room();
        assert!(one.grow(60));
        let mut other = bodies.room();
        assert!(!other.grow(60));
        drop(other);
        assert!(one.grow(40));
        drop(one);
        assert_eq!(gauge.body_bytes(), 0);
    }
}
