//! Lock-out: how long somebody who guesses wrong must wait. Pure; one ledger for names, one for networks.
//!
//! The first few wrong guesses are free, then each one doubles the wait up to a limit. A quiet hour forgives everything.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::memory::Memory;
use crate::clock::Timestamp;

/// How patient a ledger of wrong guesses is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Wrong guesses before anybody has to wait.
    pub(super) free: u32,
    /// The first wait; each further wrong guess doubles it.
    pub(super) first_wait: Duration,
    /// The longest wait.
    pub(super) longest_wait: Duration,
}

/// Wrong guesses by key.
#[derive(Debug)]
pub(super) struct Lockout<K> {
    strikes: Memory<K, Strikes>,
    patience: Patience,
}

#[derive(Clone, Copy, Debug)]
struct Strikes {
    count: u32,
    last: Timestamp,
    until: Timestamp,
}

impl<K: Hash + Eq + Clone> Lockout<K> {
    pub(super) fn new(patience: Patience) -> Lockout<K> {
        Lockout { strikes: Memory::new(KEYS_MAX, KEPT), patience }
    }

    /// How long this key still has to wait.
    pub(super) fn wait(&self, key: &K, now: Timestamp) -> Option<Duration> {
        let strikes = self.strikes.get(key, now)?;
        let left = strikes.until.since(now);
        // A clock that was set back must not lock anybody out for longer than a lock-out lasts.
        (!left.is_zero() && left <= self.patience.longest_wait).then_some(left)
    }

    /// Counts a wrong guess.
    pub(super) fn strike(&mut self, key: K, now: Timestamp) {
        let old = self.strikes.get(&key, now).copied();
        let count = match old {
            Some(strikes) if now.since(strikes.last) < FORGIVEN_AFTER => strikes.count + 1,
            _ => 1,
        };
        let until = now.after(self.wait_after(count));
        self.strikes.put(key, Strikes { count, last: now, until }, now);
    }

    /// Forgives everything.
    pub(super) fn forgive(&mut self, key: &K) {
        self.strikes.remove(key);
    }

    fn wait_after(&self, count: u32) -> Duration {
        let Some(doublings) = count.checked_sub(self.patience.free) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.patience.first_wait.saturating_mul(factor).min(self.patience.longest_wait)
    }
}

/// The network a guess comes from: an IPv4 address, or the 64 bits of IPv6 that one subscriber has.
pub(super) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

const KEYS_MAX: usize = 65_536;
const FORGIVEN_AFTER: Duration = Duration::from_secs(60 * 60);
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PATIENCE: Patience =
        Patience { free: 3, first_wait: SECOND, longest_wait: Duration::from_secs(8) };

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let mut lockout = Lockout::new(PATIENCE);
        let mut waits = Vec::new();
        for _ in 0..40 {
            lockout.strike("ann", Timestamp(0));
            waits.push(lockout.wait(&"ann", Timestamp(0)).map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(waits[..8], [0, 0, 1, 2, 4, 8, 8, 8]);
        assert_eq!(waits[39], 8);
        assert_eq!(lockout.wait(&"bob", Timestamp(0)), None);
        assert_eq!(lockout.wait(&"ann", Timestamp(8_000)), None);
        lockout.forgive(&"ann");
        assert_eq!(lockout.wait(&"ann", Timestamp(0)), None);
    }

    #[test]
    fn a_quiet_hour_forgives() {
        let mut lockout = Lockout::new(PATIENCE);
        (0..9).for_each(|_| lockout.strike("ann", Timestamp(0)));
        let later = Timestamp(0).after(FORGIVEN_AFTER);
        lockout.strike("ann", later);
        assert_eq!(lockout.wait(&"ann", later), None);
    }

    #[test]
    fn one_subscriber_is_one_network() {
        let net = |text: &str| network(text.parse().unwrap());
        assert_eq!(net("2001:db8:1:2:3::4"), net("2001:db8:1:2:ffff::"));
        assert_ne!(net("2001:db8:1:2::4"), net("2001:db8:1:3::4"));
        assert_eq!(net("::ffff:192.0.2.1"), net("192.0.2.1"));
        assert_ne!(net("192.0.2.1"), net("192.0.2.2"));
    }
}
