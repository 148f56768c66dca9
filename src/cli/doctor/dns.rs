//! What the doctor asks the DNS: addresses of a name, and the service record of Autodiscover.
//!
//! Addresses come from the system's resolver unless a server is named; service records the system does not look up, so they are
//! asked for here, over UDP. Guarantees: an answer is at most [`ANSWER_BYTES_MAX`] long, names in it at most [`NAME_BYTES_MAX`], and
//! whatever octets come, the result is an answer or an error.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver {
    /// The server that is named; the system's where none is.
    pub(super) named: Option<SocketAddr>,
}

/// A service record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) target: String,
}

/// Why there is no answer. That a name does not exist is one: nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("the resolver does not answer: {0}")]
    Line(#[from] io::Error),
    #[error("the resolver does not answer in time")]
    Late,
    #[error("the resolver answers {0}")]
    Refused(u8),
    #[error("the resolver's answer cannot be read")]
    Unreadable,
    #[error("the name cannot be asked for")]
    Name,
    #[error("no resolver is known: name one with --resolver")]
    NoResolver,
}

impl Resolver {
    /// The addresses of a name; none where it has none.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        // RFC 6761, 6.3: nobody is asked for it.
        if name.eq_ignore_ascii_case("localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
        }
        let Some(server) = self.named else { return system(name).await };
        let mut found = Vec::new();
        for kind in [A, AAAA] {
            let records = ask(server, name, kind).await?;
            found.extend(records.into_iter().filter_map(|record| match record {
                Record::Address(address) => Some(address),
                Record::Service(_) => None,
            }));
        }
        Ok(found)
    }

    /// The service records of a name, the best first.
    pub(super) async fn services(&self, name: &str) -> Result<Vec<Service>, NoAnswer> {
        let server = match self.named {
            Some(server) => server,
            None => configured().ok_or(NoAnswer::NoResolver)?,
        };
        let mut found: Vec<Service> = ask(server, name, SRV)
            .await?
            .into_iter()
            .filter_map(|record| match record {
                Record::Service(service) => Some(service),
                Record::Address(_) => None,
            })
            .collect();
        found.sort_by_key(|service| (service.priority, u16::MAX - service.weight));
        Ok(found)
    }
}

/// The system does not say why a name has no address, so every failure of it is "none".
async fn system(name: &str) -> Result<Vec<IpAddr>, NoAnswer> {
    let looking = tokio::net::lookup_host((name, 0));
    let found = timeout(PATIENCE, looking).await.map_err(|_| NoAnswer::Late)?;
    Ok(found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default())
}

/// The first server of the system's configuration.
fn configured() -> Option<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let mut servers = servers.filter_map(|rest| rest.trim().parse::<IpAddr>().ok());
    servers.next().map(|address| SocketAddr::new(address, PORT))
}

async fn ask(server: SocketAddr, name: &str, kind: u16) -> Result<Vec<Record>, NoAnswer> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|error| io::Error::other(error.to_string()))?;
    let question = question(u16::from_be_bytes(id), name, kind).ok_or(NoAnswer::Name)?;
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    for _ in 0..TRIES {
        socket.send(&question).await?;
        let answered = timeout(PATIENCE, async {
            let mut answer = vec![0; ANSWER_BYTES_MAX];
            loop {
                let length = socket.recv(&mut answer).await?;
                // What does not answer this question is somebody else's.
                if answer[..length].starts_with(&id) {
                    answer.truncate(length);
                    return Ok::<_, io::Error>(answer);
                }
            }
        });
        if let Ok(answer) = answered.await {
            return read(&answer?, kind);
        }
    }
    Err(NoAnswer::Late)
}

/// RFC 1035, 4.1: one question, for which the server is to ask others.
pub(super) fn question(id: u16, name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut octets = id.to_be_bytes().to_vec();
    octets.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        octets.push(length);
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets.extend(kind.to_be_bytes());
    octets.extend(INTERNET.to_be_bytes());
    // The header before it, and kind and class behind it, are no part of the name (RFC 1035, 3.1).
    (octets.len() <= 12 + NAME_BYTES_MAX + 4).then_some(octets)
}

/// What an answer holds.
pub(super) enum Record {
    Address(IpAddr),
    Service(Service),
}

/// The records of a kind in an answer; aliases have been followed by the server.
pub(super) fn read(answer: &[u8], kind: u16) -> Result<Vec<Record>, NoAnswer> {
    let mut cursor = Cursor { octets: answer, at: 2 };
    let flags = cursor.number().ok_or(NoAnswer::Unreadable)?;
    match flags & 15 {
        0 => {}
        NO_SUCH_NAME => return Ok(Vec::new()),
        code => return Err(NoAnswer::Refused(u8::try_from(code).unwrap_or(u8::MAX))),
    }
    cursor.records(kind).ok_or(NoAnswer::Unreadable)
}

struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.octets.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let octets = self.take(2)?;
        Some(u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn records(&mut self, kind: u16) -> Option<Vec<Record>> {
        let (questions, answers) = (self.number()?, self.number()?);
        self.take(4)?;
        for _ in 0..questions {
            self.name()?;
            self.take(4)?;
        }
        let mut found = Vec::new();
        for _ in 0..answers {
            self.name()?;
            let is = self.number()?;
            self.take(6)?;
            let length = usize::from(self.number()?);
            let end = self.at.checked_add(length).filter(|end| *end <= self.octets.len())?;
            if is == kind {
                found.push(self.record(kind, length)?);
            }
            self.at = end;
        }
        Some(found)
    }

    fn record(&mut self, kind: u16, length: usize) -> Option<Record> {
        Some(match kind {
            SRV => {
                let (priority, weight, port) = (self.number()?, self.number()?, self.number()?);
                Record::Service(Service { priority, weight, port, target: self.name()? })
            }
            A => Record::Address(<[u8; 4]>::try_from(self.take(length)?).ok()?.into()),
            _ => Record::Address(<[u8; 16]>::try_from(self.take(length)?).ok()?.into()),
        })
    }

    /// RFC 1035, 4.1.4. A pointer leads back only, so every name ends.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let (mut at, mut back) = (self.at, None);
        loop {
            let length = usize::from(*self.octets.get(at)?);
            if length >= POINTER {
                let low = usize::from(*self.octets.get(at + 1)?);
                let target = (length - POINTER) * 256 + low;
                back.get_or_insert(at + 2);
                at = Some(target).filter(|target| *target < at)?;
                continue;
            }
            if length == 0 {
                self.at = back.unwrap_or(at + 1);
                return Some(name);
            }
            let label = self.octets.get(at + 1..at + 1 + length)?;
            if !name.is_empty() {
                name.push('.');
            }
            name.extend(label.iter().map(|octet| shown(*octet)));
            if name.chars().count() > NAME_BYTES_MAX {
                return None;
            }
            at += 1 + length;
        }
    }
}

/// A sign of a name, as a terminal may show it; names of hosts have no others.
fn shown(octet: u8) -> char {
    match octet {
        b'.' => '\u{FFFD}',
        graphic if graphic.is_ascii_graphic() => char::from(graphic),
        _ => '\u{FFFD}',
    }
}

/// How long a server may take, each time it is asked.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is asked.
const TRIES: usize = 2;
/// Octets of an answer.
const ANSWER_BYTES_MAX: usize = 4096;
/// Octets of a name.
pub(super) const NAME_BYTES_MAX: usize = 255;
/// Where servers listen.
const PORT: u16 = 53;
const INTERNET: u16 = 1;
pub(super) const A: u16 = 1;
const AAAA: u16 = 28;
pub(super) const SRV: u16 = 33;
/// What is asked for.
pub(super) const KINDS: [u16; 3] = [A, AAAA, SRV];
const NO_SUCH_NAME: u16 = 3;
/// What makes a length a pointer.
const POINTER: usize = 0xC0;

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A server that knows these names, and no others.
    pub(in crate::cli::doctor) async fn server(
        names: BTreeMap<&'static str, (u16, Vec<u8>)>,
    ) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut asked = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut asked).await {
                let mut cursor = Cursor { octets: &asked[..length], at: 12 };
                let name = cursor.name().unwrap();
                let kind = cursor.number().unwrap();
                let found = names.get(name.as_str()).filter(|(is, _)| *is == kind);
                let mut answer = asked[..length].to_vec();
                answer[2] = 0x81;
                answer[3] = if names.contains_key(name.as_str()) { 0x80 } else { 0x83 };
                if let Some((kind, data)) = found {
                    answer[7] = 1;
                    answer.extend([0xC0, 12]);
                    answer.extend(kind.to_be_bytes());
                    answer.extend([0, 1, 0, 0, 0, 60]);
                    answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
                    answer.extend(data);
                }
                let _ = socket.send_to(&answer, peer).await;
            }
        });
        address
    }

    pub(in crate::cli::doctor) fn loopback() -> (u16, Vec<u8>) {
        (A, vec![127, 0, 0, 1])
    }

    pub(in crate::cli::doctor) fn service(port: u16, target: &str) -> (u16, Vec<u8>) {
        let mut data = vec![0, 0, 0, 5];
        data.extend(port.to_be_bytes());
        let asked = question(0, target, SRV).unwrap();
        data.extend(&asked[12..asked.len() - 4]);
        (SRV, data)
    }

    #[tokio::test]
    async fn addresses_and_services_are_found() {
        let names = BTreeMap::from([
            ("mail.a.example", loopback()),
            ("_autodiscover._tcp.a.example", service(8443, "mail.a.example")),
        ]);
        let resolver = Resolver { named: Some(server(names).await) };
        let found = resolver.addresses("mail.a.example").await.unwrap();
        assert_eq!(found, [IpAddr::from([127, 0, 0, 1])]);
        assert!(resolver.addresses("nothing.a.example").await.unwrap().is_empty());
        assert_eq!(resolver.addresses("::1").await.unwrap().len(), 1);
        assert!(resolver.addresses("localhost").await.unwrap()[0].is_loopback());
        let services = resolver.services("_autodiscover._tcp.a.example").await.unwrap();
        let (target, port) = (services[0].target.as_str(), services[0].port);
        assert_eq!((target, port), ("mail.a.example", 8443));
        assert!(resolver.services("mail.a.example").await.unwrap().is_empty());
    }

    #[test]
    fn no_answer_is_too_odd() {
        let question = question(7, "a.example", A).unwrap();
        assert!(super::question(7, "a..example", A).is_none());
        assert!(super::question(7, &"a.".repeat(200), A).is_none());
        let mut answer = question.clone();
        (answer[3], answer[7]) = (0, 1);
        assert!(matches!(read(&answer, A), Err(NoAnswer::Unreadable)), "it promises a record");
        answer[3] = 5;
        assert!(matches!(read(&answer, A), Err(NoAnswer::Refused(5))));
        // A name that points at itself.
        let mut round = question.clone();
        (round[3], round[12], round[13]) = (0, 0xC0, 12);
        assert!(matches!(read(&round, A), Err(NoAnswer::Unreadable)));
        for end in 0..question.len() {
            let _ = read(&question[..end], A);
        }
    }

    #[test]
    fn an_answer_says_nothing_to_the_terminal() {
        let (_, mut data) = service(443, "mail.a.example");
        (data[7], data[8]) = (0x1B, b'.');
        let mut answer = question(7, "a.example", SRV).unwrap();
        (answer[2], answer[7]) = (0x81, 1);
        answer.extend([0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
        answer.extend(data);
        let records = read(&answer, SRV).unwrap();
        let [Record::Service(service)] = &records[..] else { panic!("one service") };
        assert_eq!(service.target, "\u{FFFD}\u{FFFD}il.a.example");
    }
}
