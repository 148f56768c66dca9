//! Who is at the other end: the peer itself, or the phone that a trusted reverse proxy speaks for.
//!
//! Guarantee: `X-Forwarded-*` from anyone but a configured proxy on the plain listener changes nothing.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

use crate::eas::endpoint::ConnectionId;

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) tls: bool,
    /// A configured proxy on the plain listener, whose word about the phone is taken.
    pub(super) proxy: bool,
    pub(super) connection: ConnectionId,
}

impl Caller {
    /// The phone's address and whether it speaks TLS.
    pub(super) fn origin(&self, headers: &HeaderMap, proxies: &[IpNet]) -> (SocketAddr, bool) {
        if !self.proxy {
            return (self.peer, self.tls);
        }
        let peer = forwarded_for(headers, proxies).map_or(self.peer, |ip| SocketAddr::new(ip, 0));
        (peer, forwarded_tls(headers))
    }
}

/// Whether `address` is one of the configured proxies.
pub(super) fn trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|net| net.contains(&address))
}

/// The last address in `X-Forwarded-For` that is not itself a trusted proxy: everything before it is the phone's own claim.
fn forwarded_for(headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut farthest = None;
    let fields: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    for entry in fields.iter().rev().filter_map(|v| v.to_str().ok()).flat_map(|v| v.rsplit(',')) {
        let Some(address) = address_of(entry.trim()) else { break };
        farthest = Some(address);
        if !trusted(address, proxies) {
            break;
        }
    }
    farthest
}

/// `ip`, `ip:port` or `[ip]:port`.
fn address_of(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

fn forwarded_tls(headers: &HeaderMap) -> bool {
    let last = headers.get_all("x-forwarded-proto").iter().next_back();
    last.and_then(|value| value.to_str().ok())
        .and_then(|value| value.rsplit(',').next())
        .is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(proxy: bool, fields: &[(&'static str, &'static str)]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let peer = "10.0.0.1:4000".parse().unwrap();
        let caller = Caller { peer, tls: false, proxy, connection: ConnectionId(1) };
        let (peer, secure) = caller.origin(&headers, &["10.0.0.0/8".parse().unwrap()]);
        (peer.ip().to_string(), secure)
    }

    #[test]
    fn only_a_proxy_is_believed() {
        let fields = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https")];
        assert_eq!(origin(true, &fields), ("192.0.2.7".to_owned(), true));
        assert_eq!(origin(false, &fields), ("10.0.0.1".to_owned(), false));
    }

    #[test]
    fn the_last_untrusted_address_is_the_phone() {
        let chain = [("x-forwarded-for", "127.0.0.1, 192.0.2.7, 10.0.0.9")];
        assert_eq!(origin(true, &chain).0, "192.0.2.7");
        let split = [("x-forwarded-for", "203.0.113.5"), ("x-forwarded-for", "[2001:db8::1]:443")];
        assert_eq!(origin(true, &split).0, "2001:db8::1");
        assert_eq!(origin(true, &[("x-forwarded-for", "10.1.1.1, 10.0.0.9")]).0, "10.1.1.1");
        assert_eq!(origin(true, &[("x-forwarded-for", "192.0.2.7, rubbish")]).0, "10.0.0.1");
        assert_eq!(origin(true, &[("x-forwarded-for", "192.0.2.7:55")]).0, "192.0.2.7");
    }
}
