//! What must hold for any octets at all that a proxy says of a phone, or a phone in its name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, ReadBuf};

use super::forwarded::{Forwarding, trusted};
use super::proxy::{self, Bad, HEADER_BYTES_MAX, Header};

/// Reads `octets` as the beginning of a proxy's connection, and as what a proxy and the phone behind it write into a head.
///
/// # Panics
/// If a promise of this room is broken.
pub fn proxy_header(octets: &[u8]) {
    connection(octets);
    fields(octets);
}

/// However the octets arrive, the same is read, and nothing behind the header decides.
fn connection(octets: &[u8]) {
    let (whole, taken) = read(octets, usize::MAX);
    assert!(taken <= HEADER_BYTES_MAX, "{taken} octets were read");
    let (single, taken_singly) = read(octets, 1);
    match (whole, single) {
        (Ok(header), Ok(again)) => {
            assert_eq!((header, taken), (again, taken_singly));
            let (alone, all) = read(&octets[..taken], 7);
            assert_eq!((alone.ok(), all), (Some(header), taken));
            assert!(header.source.is_none_or(|source| source.ip() == source.ip().to_canonical()));
        }
        (Err(why), Err(_)) => assert!(!why.to_string().is_empty()),
        (whole, single) => panic!("{whole:?} at once, {single:?} one by one"),
    }
}

fn read(octets: &[u8], at_once: usize) -> (Result<Header, Bad>, usize) {
    let mut stream = Drip { octets, at_once };
    let read = {
        let reading = std::pin::pin!(proxy::read(&mut stream));
        reading.poll(&mut Context::from_waker(Waker::noop()))
    };
    let Poll::Ready(read) = read else { panic!("octets that are there are waited for") };
    (read, octets.len() - stream.octets.len())
}

/// Octets that are all there and come a few at a time.
struct Drip<'a> {
    octets: &'a [u8],
    at_once: usize,
}

impl AsyncRead for Drip<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let count = self.at_once.min(buffer.remaining()).min(self.octets.len());
        let (now, later) = self.octets.split_at(count);
        buffer.put_slice(now);
        self.octets = later;
        Poll::Ready(Ok(()))
    }
}

/// Whatever stands in the head, and whatever of it the proxy repeats in quotes, the address the proxy saw is the phone's.
fn fields(octets: &[u8]) {
    let lines: Vec<&[u8]> = octets.split(|&octet| octet == b'\n').take(LINES_MAX).collect();
    let proxies = ["10.0.0.0/8".parse().expect("a net")];
    let phone = address(octets);
    let repeated = lines.first().copied().unwrap_or_default();
    for (how, name, added) in [
        (Forwarding::XForwarded, "x-forwarded-for", phone.to_string()),
        (Forwarding::Forwarded, "forwarded", element(phone, repeated)),
    ] {
        let name = HeaderName::from_static(name);
        let mut head = HeaderMap::new();
        for value in lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()) {
            head.append(&name, value);
        }
        let claimed = how.read(&head, &proxies).address;
        assert!(claimed.is_none_or(|ip| ip == ip.to_canonical()));
        let Ok(added) = HeaderValue::from_bytes(added.as_bytes()) else { continue };
        // As a line of its own, and behind a comma in the last.
        let mut joined = head.clone();
        if let Some(last) = lines.last().filter(|last| balanced(last)) {
            let line = [last, &b", "[..], added.as_bytes()].concat();
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                joined.append(&name, line);
                assert_eq!(how.read(&joined, &proxies).address, Some(phone), "{joined:?}");
            }
        }
        head.append(&name, added);
        assert_eq!(how.read(&head, &proxies).address, Some(phone), "{head:?}");
    }
    assert!(!trusted(phone, &proxies));
}

/// An address that is no proxy's, of either family.
fn address(octets: &[u8]) -> IpAddr {
    match octets {
        [a, b, c, ..] if a % 2 == 0 => Ipv4Addr::new(192, *a, *b, *c).into(),
        [a, b, ..] => Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, u16::from(*a), u16::from(*b)).into(),
        _ => Ipv4Addr::new(192, 0, 2, 7).into(),
    }
}

/// An element as a careful proxy writes it (RFC 7239 4): what the phone chose stands in quotes.
fn element(phone: IpAddr, host: &[u8]) -> String {
    let node = match phone {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("\"[{ip}]:4711\""),
    };
    let mut quoted = String::new();
    for octet in host.iter().filter(|octet| octet.is_ascii_graphic() || **octet == b' ') {
        if matches!(octet, b'"' | b'\\') {
            quoted.push('\\');
        }
        quoted.push(char::from(*octet));
    }
    format!("host=\"{quoted}\";for={node};proto=https")
}

/// Whether every quote that is opened is closed; behind one that is not, no comma separates.
fn balanced(line: &[u8]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for octet in line {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

/// Lines of a head.
const LINES_MAX: usize = 16;
