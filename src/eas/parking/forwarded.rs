//! What a named proxy writes into the head of a request: the address of the phone, and whether it speaks TLS.
//!
//! A proxy writes one of two families of fields and passes the other on as the phone sent it. So which of them is read is
//! configured ([`Forwarding`]), never guessed.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// Which fields the named proxies write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The address of the phone.
    pub(super) address: Option<IpAddr>,
    /// Whether it speaks TLS.
    pub(super) tls: Option<bool>,
}

impl Forwarding {
    /// Reads the fields. The address is the last one that is not itself a trusted proxy: everything before it is the phone's own
    /// claim.
    pub(super) fn read(self, headers: &HeaderMap, proxies: &[IpNet]) -> Said {
        match self {
            Forwarding::XForwarded => {
                let entries = fields(headers, "x-forwarded-for");
                let entries = entries.iter().rev().flat_map(|field| field.rsplit(','));
                let proto = fields(headers, "x-forwarded-proto");
                let proto = proto.last().and_then(|field| field.rsplit(',').next());
                Said {
                    address: farthest(entries.map(|entry| address_of(entry.trim())), proxies),
                    tls: proto.map(is_https),
                }
            }
            Forwarding::Forwarded => {
                let fields = fields(headers, "forwarded");
                let elements: Vec<Element> =
                    fields.iter().flat_map(|field| split(field, ',')).map(Element::read).collect();
                let addresses = elements.iter().rev().map(|element| element.address);
                Said {
                    address: farthest(addresses, proxies),
                    tls: elements.last().and_then(|element| element.tls),
                }
            }
        }
    }
}

/// The lines of a field. One that is no text is read as far as it is: the proxy's own word may stand behind what the phone wrote.
fn fields<'h>(headers: &'h HeaderMap, name: &str) -> Vec<Cow<'h, str>> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect()
}

fn farthest(addresses: impl Iterator<Item = Option<IpAddr>>, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut farthest = None;
    for address in addresses {
        let Some(address) = address else { break };
        farthest = Some(address);
        if !trusted(address, proxies) {
            break;
        }
    }
    farthest
}

/// Whether `address` is one of the configured proxies.
pub(super) fn trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|net| net.contains(&address))
}

/// One hop of `Forwarded`.
#[derive(Default)]
struct Element {
    address: Option<IpAddr>,
    tls: Option<bool>,
}

impl Element {
    fn read(text: &str) -> Element {
        let mut element = Element::default();
        for pair in split(text, ';') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            if name.trim().eq_ignore_ascii_case("for") {
                element.address = address_of(value);
            } else if name.trim().eq_ignore_ascii_case("proto") {
                element.tls = Some(is_https(value));
            }
        }
        element
    }
}

/// The parts of a field between separators that do not stand in quotes; a quote behind a backslash ends none (RFC 9110 5.6.4).
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, sign) in text.char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if sign == separator && !quoted => {
                parts.push(&text[begin..at]);
                begin = at + sign.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// `ip`, `ip:port` or `[ip]:port`.
fn address_of(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

fn is_https(scheme: &str) -> bool {
    scheme.trim().eq_ignore_ascii_case("https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(how: Forwarding, fields: &[(&'static str, &'static str)]) -> (String, Option<bool>) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let said = how.read(&headers, &["10.0.0.0/8".parse().unwrap()]);
        (said.address.map_or_else(String::new, |ip| ip.to_string()), said.tls)
    }

    #[test]
    fn the_last_untrusted_address_is_the_phone() {
        let of = |fields: &[(&'static str, &'static str)]| read(Forwarding::XForwarded, fields).0;
        assert_eq!(of(&[("x-forwarded-for", "127.0.0.1, 192.0.2.7, 10.0.0.9")]), "192.0.2.7");
        let split = [("x-forwarded-for", "203.0.113.5"), ("x-forwarded-for", "[2001:db8::1]:443")];
        assert_eq!(of(&split), "2001:db8::1");
        assert_eq!(of(&[("x-forwarded-for", "10.1.1.1, 10.0.0.9")]), "10.1.1.1");
        assert_eq!(of(&[("x-forwarded-for", "192.0.2.7, rubbish")]), "");
        assert_eq!(of(&[("x-forwarded-for", "192.0.2.7:55")]), "192.0.2.7");
    }

    #[test]
    fn the_standard_field_says_the_same() {
        let of = |value| read(Forwarding::Forwarded, &[("forwarded", value)]);
        assert_eq!(
            of("for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\";proto=https;by=10.0.0.1"),
            ("2001:db8:cafe::17".to_owned(), Some(true))
        );
        assert_eq!(of("for=192.0.2.7;proto=http, for=10.0.0.9;proto=https").0, "192.0.2.7");
        assert_eq!(of("for=192.0.2.7, for=_hidden"), (String::new(), None));
        assert_eq!(of("for=192.0.2.7, for=unknown, for=10.0.0.9").0, "10.0.0.9");
        assert_eq!(of("host=\"a,b;for=1.1.1.1\";for=192.0.2.7").0, "192.0.2.7");
    }

    #[test]
    fn a_phone_cannot_choose_its_address_by_quotes_in_its_host_or_octets_that_are_no_text() {
        let of = |value| read(Forwarding::Forwarded, &[("forwarded", value)]).0;
        assert_eq!(of(r#"for=192.0.2.7;host="a\", for=1.1.1.1; x=\"""#), "192.0.2.7");
        let mut headers = HeaderMap::new();
        let value = http::HeaderValue::from_bytes(b"\xff, 192.0.2.7").unwrap();
        headers.append("x-forwarded-for", value);
        let said = Forwarding::XForwarded.read(&headers, &[]);
        assert_eq!(said.address, Some("192.0.2.7".parse().unwrap()));
    }

    #[test]
    fn the_family_that_is_not_configured_says_nothing() {
        let both = [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=192.0.2.8;proto=http"),
        ];
        assert_eq!(read(Forwarding::XForwarded, &both), ("192.0.2.7".to_owned(), Some(true)));
        assert_eq!(read(Forwarding::Forwarded, &both), ("192.0.2.8".to_owned(), Some(false)));
    }
}
