//! The PROXY protocol, versions 1 and 2: what a balancer says of the phone whose connection it passes on, before the phone's first
//! byte.
//!
//! Guarantees: at most [`HEADER_BYTES_MAX`] are read, and not one byte beyond the header; whatever octets come, the result is a
//! [`Header`] or a reason for the log. Who is believed is decided by the caller: named proxies alone.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a proxy says of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// Whose it is; none for one of the proxy's own, such as a look whether we are there.
    pub(super) source: Option<SocketAddr>,
    /// Whether the phone speaks TLS to the proxy, as far as it says so.
    pub(super) tls: bool,
}

/// Why a connection of a proxy is closed.
#[derive(Debug)]
pub(super) enum Bad {
    /// It closed before it said anything: a look whether we are there.
    Nothing,
    /// It ended or broke within the header.
    Line(io::Error),
    /// It does not begin with a header.
    Missing,
    /// The header is none.
    Malformed(&'static str),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Nothing => f.write_str("closed before a PROXY header"),
            Bad::Line(error) => write!(f, "the PROXY header does not end: {error}"),
            Bad::Missing => {
                f.write_str("no PROXY header: the proxy must send one (proxy_protocol)")
            }
            Bad::Malformed(what) => write!(f, "malformed PROXY header: {what}"),
        }
    }
}

impl From<io::Error> for Bad {
    fn from(error: io::Error) -> Bad {
        Bad::Line(error)
    }
}

/// Reads a header of either version. The shortest of both have more bytes than are read first.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Header, Bad> {
    let mut first = [0; SIGNATURE.len()];
    let count = stream.read(&mut first).await?;
    if count == 0 {
        return Err(Bad::Nothing);
    }
    if !SIGNATURE.starts_with(&first[..count])
        && !PREFIX.starts_with(&first[..count.min(PREFIX.len())])
    {
        return Err(Bad::Missing);
    }
    stream.read_exact(&mut first[count..]).await?;
    if first == SIGNATURE {
        return read_binary(stream).await;
    }
    if !first.starts_with(PREFIX) {
        return Err(Bad::Missing);
    }
    let mut line = first.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE_BYTES_MAX {
            return Err(Bad::Malformed("the line is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    text(&line)
}

/// Version 1: `PROXY TCP4 192.0.2.7 192.0.2.1 56324 443`.
fn text(line: &[u8]) -> Result<Header, Bad> {
    let line = std::str::from_utf8(line).map_err(|_| Bad::Malformed("it is not ASCII"))?;
    let mut words = line.trim_end_matches("\r\n").split(' ').skip(1);
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        return Ok(Header::default());
    }
    let words: Vec<&str> = words.collect();
    let &[source, target, source_port, target_port] = words.as_slice() else {
        return Err(Bad::Malformed("it has too few words, or too many"));
    };
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    let (Some(source), Some(_)) = (address(source), address(target)) else {
        return Err(Bad::Malformed("its addresses are none of its family"));
    };
    let (Ok(port), Ok(_)) = (source_port.parse::<u16>(), target_port.parse::<u16>()) else {
        return Err(Bad::Malformed("its ports are none"));
    };
    Ok(Header { source: Some(SocketAddr::new(source.to_canonical(), port)), tls: false })
}

/// Version 2, behind its signature.
async fn read_binary(stream: &mut (impl AsyncRead + Unpin)) -> Result<Header, Bad> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if length > HEADER_BYTES_MAX - SIGNATURE.len() - 4 {
        return Err(Bad::Malformed("it is too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    binary(command, family, &rest)
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Result<Header, Bad> {
    match command {
        LOCAL => return Ok(Header::default()),
        PROXY => {}
        _ => return Err(Bad::Malformed("neither version nor command is known")),
    }
    let octets: usize = match family {
        TCP4 => 4,
        TCP6 => 16,
        // Unix sockets, datagrams, and what is not said: nothing is known of the phone.
        _ => return Ok(Header::default()),
    };
    let addresses = rest.get(..2 * octets + 4);
    let addresses = addresses.ok_or(Bad::Malformed("its addresses are cut short"))?;
    let short = Bad::Malformed("its addresses are cut short");
    let ip = match family {
        TCP4 => <[u8; 4]>::try_from(&addresses[..4]).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(&addresses[..16]).ok().map(IpAddr::from),
    };
    let ip = ip.ok_or(short)?.to_canonical();
    let port = u16::from_be_bytes([addresses[2 * octets], addresses[2 * octets + 1]]);
    let tls = says_tls(&rest[2 * octets + 4..]);
    Ok(Header { source: Some(SocketAddr::new(ip, port)), tls })
}

/// Whether the values that follow say that the phone speaks TLS; what cannot be read says nothing.
fn says_tls(mut values: &[u8]) -> bool {
    while let [kind, high, low, rest @ ..] = values {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(value) = rest.get(..length) else { return false };
        if *kind == TLS_VALUE {
            return value.first().is_some_and(|client| client & CLIENT_TLS != 0);
        }
        values = &rest[length..];
    }
    false
}

/// How version 1 begins.
const PREFIX: &[u8] = b"PROXY ";
/// How version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, in octets.
const LINE_BYTES_MAX: usize = 107;
/// The longest header that is read, in octets; those with a certificate in them are longer than others.
pub(super) const HEADER_BYTES_MAX: usize = 4096;
/// Version 2: a connection of the proxy's own.
const LOCAL: u8 = 0x20;
/// Version 2: a connection of somebody else.
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// The value about TLS, and the bit in it that says that the phone speaks it.
const TLS_VALUE: u8 = 0x20;
const CLIENT_TLS: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(bytes: &[u8]) -> Result<(Header, Vec<u8>), Bad> {
        let mut stream = bytes;
        let header = read(&mut stream).await?;
        Ok((header, stream.to_vec()))
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest, b"after"].concat()
    }

    #[tokio::test]
    async fn the_first_version_is_a_line() {
        let (header, after) =
            of(b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\nafter").await.unwrap();
        assert_eq!(header.source, Some("192.0.2.7:56324".parse().unwrap()));
        assert_eq!(after, b"after", "not a byte more is read");
        let (header, _) = of(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n").await.unwrap();
        assert_eq!(header.source, Some("[2001:db8::1]:1".parse().unwrap()));
        let (header, after) = of(b"PROXY UNKNOWN\r\nafter").await.unwrap();
        assert_eq!((header.source, &after[..]), (None, &b"after"[..]));
        assert_eq!(of(b"PROXY UNKNOWN a b c\r\n").await.unwrap().0, Header::default());
    }

    #[tokio::test]
    async fn the_second_version_is_binary() {
        let four = [192, 0, 2, 7, 192, 0, 2, 1, 0xDC, 0x04, 1, 187];
        let (header, after) = of(&version_2(PROXY, TCP4, &four)).await.unwrap();
        assert_eq!(header.source, Some("192.0.2.7:56324".parse().unwrap()));
        assert!(!header.tls);
        assert_eq!(after, b"after");
        let tls = [&four[..], &[3, 0, 1, 9], &[TLS_VALUE, 0, 5, 1, 0, 0, 0, 0]].concat();
        assert!(of(&version_2(PROXY, TCP4, &tls)).await.unwrap().0.tls);
        let broken = [&four[..], &[TLS_VALUE, 9, 9, 1]].concat();
        assert!(!of(&version_2(PROXY, TCP4, &broken)).await.unwrap().0.tls);
        let mut six = [0; 36];
        (six[0], six[1], six[15], six[33]) = (0x20, 1, 1, 7);
        let (header, _) = of(&version_2(PROXY, TCP6, &six)).await.unwrap();
        assert_eq!(header.source, Some("[2001::1]:7".parse().unwrap()));
        for (command, family) in [(LOCAL, 0), (LOCAL, TCP4), (PROXY, 0), (PROXY, 0x31)] {
            let (header, after) = of(&version_2(command, family, &four)).await.unwrap();
            assert_eq!((header.source, &after[..]), (None, &b"after"[..]));
        }
    }

    #[tokio::test]
    async fn everything_else_is_refused_and_says_why() {
        assert!(matches!(of(b"").await, Err(Bad::Nothing)));
        for stranger in
            [&b"POST / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01", b"PROXZ TCP4 a b"]
        {
            assert!(matches!(of(stranger).await, Err(Bad::Missing)), "{stranger:?}");
        }
        for cut in
            [&b"PROXY TCP4 192.0.2.7"[..], b"PROXY", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c123"]
        {
            assert!(matches!(of(cut).await, Err(Bad::Line(_))), "{cut:?}");
        }
        for line in [
            "PROXY TCP4 192.0.2.7 192.0.2.1 56324\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 56324 443 1\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 70000\r\n",
            "PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
            "PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n",
        ] {
            assert!(matches!(of(line.as_bytes()).await, Err(Bad::Malformed(_))), "{line}");
        }
        let long = format!("PROXY {}", "x".repeat(5000));
        assert!(matches!(of(long.as_bytes()).await, Err(Bad::Malformed(_))));
        assert!(matches!(of(&version_2(PROXY, TCP4, &[1; 5])).await, Err(Bad::Malformed(_))));
        assert!(matches!(of(&version_2(0x31, TCP4, &[1; 12])).await, Err(Bad::Malformed(_))));
        let long = version_2(PROXY, TCP4, &[1; HEADER_BYTES_MAX]);
        assert!(matches!(of(&long).await, Err(Bad::Malformed(_))));
    }
}
