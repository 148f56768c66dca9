//! The mail is on its way to the phone, byte by byte, when it is recalled: the line is cut, and what left counts as sent.

use activesync_phone::{Profile, SyncAsk, Waits};
use retract::recall::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::town::{Town, raw};

/// Octets of the mail: far more than what lies in buffers between us and a phone that reads slowly.
const MAIL_OCTETS: usize = 6 << 20;
/// The phone's receive buffer.
const BUFFER_OCTETS: u32 = 16 << 10;

#[tokio::test]
async fn an_answer_still_draining_is_cut() {
    let town = Town::open().await;
    let mut phone =
        town.phone("ann", Profile { truncation_size: u32::MAX, ..Profile::ios() }).await;
    let line = "All the salaries of everybody, year by year, one line for each of them.\r\n";
    town.post(&["ann"], &raw("secret", &line.repeat(MAIL_OCTETS / line.len()))).await;
    let exchange = phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::No);
    // A phone on a bad line: it reads the head of the answer, and then a little.
    let mut stream = slow(&town).await;
    stream.write_all(&http(&exchange)).await.unwrap();
    let mut seen = vec![0; 2_000];
    stream.read_exact(&mut seen).await.unwrap();
    let head = String::from_utf8_lossy(&seen).to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let promised: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|number| number.trim().parse().ok())
        .expect("a length");
    assert!(promised > MAIL_OCTETS);
    let order = town.recall("secret").await;
    // It reads on, as fast as it can: the line ends before the mail does.
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(super::town::PATIENCE, stream.read_to_end(&mut rest)).await;
    let _cut = ended.expect("the line hangs");
    assert!(seen.len() + rest.len() < promised, "{} of {promised}", seen.len() + rest.len());
    // It counts as sent: the phone may have kept what it read. So it is deleted there.
    let pair = town.until_state(order, "ann", State::Queued).await;
    assert!(pair.exposure.contains('B'), "{}", pair.exposure);
    let answer = phone.sync().await.expect("the Delete");
    assert_eq!(answer.commands.len(), 1);
    phone.sync().await;
    town.until_state(order, "ann", State::Acknowledged).await;
    assert!(phone.subjects().is_empty());
}

/// Another answer drains at the same time; nobody cuts it.
#[tokio::test]
async fn an_answer_without_it_is_not_cut() {
    let town = Town::open().await;
    let phone = town.phone("ann", Profile { truncation_size: u32::MAX, ..Profile::ios() }).await;
    town.mail_to(&["ben"], "secret").await;
    let line = "Nothing anybody would mind.\r\n";
    town.post(&["ann"], &raw("long", &line.repeat(MAIL_OCTETS / line.len()))).await;
    let exchange = phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::No);
    let mut stream = slow(&town).await;
    stream.write_all(&http(&exchange)).await.unwrap();
    let mut seen = vec![0; 2_000];
    stream.read_exact(&mut seen).await.unwrap();
    town.recall("secret").await;
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(seen.len() + rest.len() > MAIL_OCTETS);
}

async fn slow(town: &Town) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER_OCTETS).unwrap();
    socket.connect(town.plain()).await.unwrap()
}

/// A request as it stands on the line.
pub(crate) fn http(exchange: &activesync_phone::Exchange) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: gw\r\n", exchange.method, exchange.target);
    for (name, value) in &exchange.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", exchange.body.len()));
    [head.into_bytes(), exchange.body.clone()].concat()
}
