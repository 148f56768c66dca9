//! Who is at the other end: the peer itself, or the phone that a named proxy speaks for.
//!
//! Guarantee: a PROXY header, `Forwarded` or `X-Forwarded-*` from anyone but a configured proxy changes nothing.

use std::net::SocketAddr;

use http::HeaderMap;
use ipnet::IpNet;

use super::forwarded::{Forwarding, trusted};
use super::proxy::Header;
use crate::eas::endpoint::ConnectionId;

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) tls: bool,
    /// A configured proxy, whose word about the phone is taken.
    pub(super) proxy: bool,
    pub(super) connection: ConnectionId,
}

impl Caller {
    /// The phone's address and whether it speaks TLS.
    pub(super) fn origin(
        &self,
        headers: &HeaderMap,
        how: Forwarding,
        proxies: &[IpNet],
    ) -> (SocketAddr, bool) {
        if !self.proxy {
            return (self.peer, self.tls);
        }
        let said = how.read(headers, proxies);
        let peer = said.address.map_or(self.peer, |ip| SocketAddr::new(ip, 0));
        (peer, said.tls.unwrap_or(self.tls))
    }

    /// The same, once a named proxy has said whose connection it is. Behind a balancer that knows nothing of HTTP, the fields of a
    /// request are the phone's own, unless the balancer passes on what another named proxy sends.
    pub(super) fn behind(self, header: &Header, proxies: &[IpNet]) -> Caller {
        let named = header.source.is_some_and(|source| trusted(source.ip(), proxies));
        let proxy = named && !self.tls;
        let peer = header.source.unwrap_or(self.peer);
        Caller { peer, proxy, tls: self.tls || header.tls, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(proxy: bool, tls: bool) -> Caller {
        let peer = "10.0.0.1:4000".parse().unwrap();
        Caller { peer, tls, proxy, connection: ConnectionId(1) }
    }

    fn origin(caller: Caller, fields: &[(&'static str, &'static str)]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let (peer, secure) = caller.origin(&headers, Forwarding::XForwarded, &proxies);
        (peer.ip().to_string(), secure)
    }

    #[test]
    fn only_a_proxy_is_believed() {
        let fields = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https")];
        assert_eq!(origin(caller(true, false), &fields), ("192.0.2.7".to_owned(), true));
        assert_eq!(origin(caller(false, false), &fields), ("10.0.0.1".to_owned(), false));
        assert_eq!(origin(caller(true, true), &fields[..1]), ("192.0.2.7".to_owned(), true));
    }

    #[test]
    fn behind_a_balancer_the_fields_are_the_phones_own() {
        let fields = [("x-forwarded-for", "198.51.100.1")];
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let of = |source: &str| {
            let header = Header { source: source.parse().ok(), tls: false };
            origin(caller(true, false).behind(&header, &proxies), &fields).0
        };
        assert_eq!(of("192.0.2.7:1"), "192.0.2.7");
        assert_eq!(of("10.0.0.2:1"), "198.51.100.1", "another named proxy sent it");
        assert_eq!(of("nothing is said"), "10.0.0.1");
    }
}
