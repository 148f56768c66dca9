//! One user takes all there is to take: large mails that are asked for and not read, many lines at once, searches. What is held for them has
//! its limit, everybody else is served meanwhile, and afterwards so are they.

use activesync_phone::activesync::command::item_operations::{
    Fetch, FetchOptions, Operation, Request,
};
use activesync_phone::activesync::document::Document as _;
use activesync_phone::activesync::item::body::{BodyPreference, BodyType};
use activesync_phone::activesync::types::{CollectionId, ServerId};
use activesync_phone::{Exchange, Profile};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::in_flight::http;
use super::town::{Handset, PATIENCE, Town, raw};

/// Octets of the mail that nobody reads to its end.
const MAIL_OCTETS: usize = 16 << 20;
/// Octets of a mail that many lines ask for.
const LARGE_OCTETS: usize = 1 << 20;
/// Octets of answers that are held for one user at most (`GatewayLimits::answers_per_user_bytes_max`).
const HELD_OCTETS_MAX: usize = 128 << 20;
/// A receive buffer in which next to nothing of the mail finds room.
const BUFFER_OCTETS: u32 = 16 << 10;
/// Lines that are opened at once.
const LINES: usize = 60;

#[tokio::test]
async fn answers_that_are_not_read() {
    let town = Town::open().await;
    let (phone, mut ben) = with_a_mail_of(MAIL_OCTETS, &town).await;
    // Line after line asks for the mail and reads no more of it than the status.
    let mut unread = Vec::new();
    let refused = loop {
        let (stream, head) = ask(&town, &whole(&phone)).await;
        if head.starts_with("HTTP/1.1 200") {
            unread.push(stream);
            assert!(unread.len() * MAIL_OCTETS <= HELD_OCTETS_MAX, "there is no limit");
        } else {
            break head;
        }
    };
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(unread.len() >= 4, "{} are not enough for anybody", unread.len());
    // Ben is served.
    let (mut stream, head) = ask(&town, &whole(&ben)).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(rest_of(&mut stream).await > MAIL_OCTETS / 2);
    town.mail_to(&["ben"], "lunch").await;
    ben.catch_up().await;
    assert!(ben.holds("lunch"));
    // And Ann, once she has read what she asked for.
    for mut stream in unread {
        assert!(rest_of(&mut stream).await > MAIL_OCTETS / 2);
    }
    let (_, head) = ask(&town, &whole(&phone)).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[tokio::test]
async fn many_lines_at_once() {
    let town = Town::open().await;
    let (mut phone, mut ben) = with_a_mail_of(LARGE_OCTETS, &town).await;
    let wishes = [phone.phone().search(None, "salaries"), small(&phone), small(&phone)];
    let mut asking = tokio::task::JoinSet::new();
    for line in 0..LINES {
        let asked = http(&wishes[line % wishes.len()]);
        let address = town.plain();
        asking.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&asked).await.unwrap();
            status_of(&mut stream).await
        });
    }
    town.mail_to(&["ben"], "lunch").await;
    ben.catch_up().await;
    assert!(ben.holds("lunch"));
    while let Some(answered) = asking.join_next().await {
        let head = answered.unwrap();
        assert!(head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.1 503"), "{head}");
    }
    town.mail("afterwards").await;
    phone.catch_up().await;
    assert!(phone.holds("afterwards"));
}

/// Ann and Ben, each with the large mail on the phone, as far as phones take it.
async fn with_a_mail_of(octets: usize, town: &Town) -> (Handset, Handset) {
    let line = "All the salaries of everybody, year by year, one line for each of them.\r\n";
    let mail = raw("large", &line.repeat(octets / line.len()));
    town.post(&["ann", "ben"], &mail).await;
    let ann = town.phone("ann", Profile::ios()).await;
    (ann, town.phone("ben", Profile::ios()).await)
}

/// A wish for all of the mail.
fn whole(phone: &Handset) -> Exchange {
    fetch(phone, None)
}

/// A wish for the beginning of the mail, for which all of it is read.
fn small(phone: &Handset) -> Exchange {
    fetch(phone, Some(1_000))
}

fn fetch(phone: &Handset, truncation_size: Option<u32>) -> Exchange {
    let preference = BodyPreference { truncation_size, ..BodyPreference::new(BodyType::Plain) };
    let options = FetchOptions { body_preferences: vec![preference], ..FetchOptions::default() };
    let wish = Fetch {
        store: Some("Mailbox".to_owned()),
        collection_id: Some(CollectionId::new(phone.inbox()).unwrap()),
        server_id: Some(ServerId::new(phone.id_of("large")).unwrap()),
        options: Some(options),
        ..Fetch::default()
    };
    let request = Request { operations: vec![Operation::Fetch(Box::new(wish))] };
    let exchange = phone.phone().fetch(&phone.inbox(), &phone.id_of("large"));
    Exchange { body: request.encode(phone.phone().profile.version), ..exchange }
}

/// Asks on a line of its own, and reads the first words of what comes.
async fn ask(town: &Town, exchange: &Exchange) -> (TcpStream, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER_OCTETS).unwrap();
    let mut stream = socket.connect(town.plain()).await.unwrap();
    stream.write_all(&http(exchange)).await.unwrap();
    let head = status_of(&mut stream).await;
    (stream, head)
}

async fn status_of(stream: &mut TcpStream) -> String {
    let mut head = [0; 12];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await;
    read.expect("the line hangs").unwrap();
    String::from_utf8_lossy(&head).into_owned()
}

/// How many octets come until the end.
async fn rest_of(stream: &mut TcpStream) -> usize {
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    read.expect("the line hangs").unwrap();
    rest.len()
}
