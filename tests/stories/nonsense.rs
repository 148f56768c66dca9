//! What no phone should say, and what some say: a clear answer, nothing lost, and everybody else is served meanwhile.

use activesync_phone::activesync::command::sync;
use activesync_phone::activesync::document::Document as _;
use activesync_phone::activesync::status::Status;
use activesync_phone::activesync::types::{CollectionId, SyncKey};
use activesync_phone::{Exchange, Outcome, Phone, Profile, SyncAsk, Waits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::in_flight::http;
use super::town::{Handset, PATIENCE, Town};

/// [MS-ASCMD] 2.2.2 and 2.2.3.177.17.
const INVALID_SYNC_KEY: Status = Status(3);
const OBJECT_NOT_FOUND: Status = Status(8);
const FOLDERS_CHANGED: Status = Status(12);

/// A town with a mail on a phone, to see afterwards that nothing was lost.
async fn town_and_phone() -> (Town, Handset) {
    let town = Town::open().await;
    town.mail("one").await;
    let phone = town.phone("ann", Profile::ios()).await;
    (town, phone)
}

async fn all_is_well(town: &Town, phone: &mut Handset) {
    town.mail("two").await;
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["one", "two"]);
}

fn a_sync(phone: &Handset) -> Exchange {
    phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::No)
}

/// Bodies that are no documents: HTTP 200 with a Status, or 400; never a crash, never 500.
#[tokio::test]
async fn garbage() {
    let (town, mut phone) = town_and_phone().await;
    let good = a_sync(&phone).body;
    let mut bodies = vec![
        b"hello, is this the mail?".to_vec(),
        b"<?xml version=\"1.0\"?><Sync xmlns=\"AirSync\"/>".to_vec(),
        vec![0; 64],
        vec![0xff; 4_096],
        // A thousand elements deep: Sync, Collections, Collections, ..
        [&[0x03, 0x01, 0x6a, 0x00, 0x45][..], &[0x5c; 1_000]].concat(),
        // A string without an end.
        [&[0x03, 0x01, 0x6a, 0x00, 0x45, 0x5c, 0x4f, 0x4b, 0x03][..], &[b'1'; 100]].concat(),
        // Opaque data of four gigabytes, announced.
        vec![0x03, 0x01, 0x6a, 0x00, 0x45, 0xc3, 0x8f, 0xff, 0xff, 0xff, 0x7f],
    ];
    bodies.extend((1..good.len()).map(|end| good[..end].to_vec()));
    for body in bodies {
        let exchange = Exchange { body: body.clone(), ..a_sync(&phone) };
        let answer = phone.driver.send(&exchange).await.unwrap();
        assert!(matches!(answer.status, 200 | 400), "{} for {body:02x?}", answer.status);
        if answer.status == 200 {
            let read = sync::Response::decode(phone.phone().profile.version, &answer.body);
            let status = read.unwrap().status.expect("a Status").0;
            assert!(matches!(status, 4 | 13 | 101..=103), "{status} for {body:02x?}");
        }
    }
    all_is_well(&town, &mut phone).await;
}

#[tokio::test]
async fn the_wrong_type_of_body() {
    let (town, mut phone) = town_and_phone().await;
    let mut exchange = a_sync(&phone);
    for (name, value) in &mut exchange.headers {
        if name == "content-type" {
            *value = "text/html".to_owned();
        }
    }
    let answer = phone.driver.send(&exchange).await.unwrap();
    let read = sync::Response::decode(phone.phone().profile.version, &answer.body).unwrap();
    assert_eq!((answer.status, read.status), (200, Some(Status(101))));
    all_is_well(&town, &mut phone).await;
}

/// Unknown commands are 501, versions that are not announced 400, whatever else the query holds.
#[tokio::test]
async fn unknown_commands_and_versions() {
    let (town, mut phone) = town_and_phone().await;
    let good = a_sync(&phone);
    let with =
        |from: &str, to: &str| Exchange { target: good.target.replace(from, to), ..good.clone() };
    let version = |version: &str| {
        let mut exchange = good.clone();
        for (name, value) in &mut exchange.headers {
            if name.eq_ignore_ascii_case("ms-asprotocolversion") {
                *value = version.to_owned();
            }
        }
        exchange
    };
    for (exchange, status) in [
        (with("Cmd=Sync", "Cmd=Frobnicate"), 501),
        (with("Cmd=Sync", "Cmd="), 501),
        (with("?", "?%ff%00&"), 200),
        (version("19.1"), 400),
        (version("twelve"), 400),
        (version(""), 400),
        (
            Exchange { target: good.target.split('?').next().unwrap().to_owned(), ..good.clone() },
            400,
        ),
        (with("/Microsoft-Server-ActiveSync", "/owa"), 404),
    ] {
        let answer = phone.driver.send(&exchange).await.unwrap();
        assert_eq!(answer.status, status, "{}", exchange.target);
    }
    all_is_well(&town, &mut phone).await;
}

/// Without credentials, or with the wrong ones, a stranger learns that a password is wanted.
#[tokio::test]
async fn strangers() {
    let (town, mut phone) = town_and_phone().await;
    for authorization in [None, Some("Basic %%%"), Some("Basic YW5uOndyb25n"), Some("Bearer x")] {
        let mut exchange = a_sync(&phone);
        exchange.headers.retain(|(name, _)| name != "authorization");
        if let Some(value) = authorization {
            exchange.headers.push(("authorization".to_owned(), value.to_owned()));
        }
        let answer = phone.driver.send(&exchange).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (401, 0));
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    }
    all_is_well(&town, &mut phone).await;
}

/// Keys that nobody issued begin the folder anew; those of another folder and of another phone too.
#[tokio::test]
async fn illegal_sync_keys() {
    let (town, mut phone) = town_and_phone().await;
    let mut other = town.phone("ben", Profile::ios()).await;
    let inbox = phone.inbox();
    let bens = other.phone().cache.collections[&other.inbox()].key.clone().unwrap();
    let keys = ["1", "7.AAAAAAAAAAAAAAAAAAAAAA", "-1", "4294967296", "key", "2.", bens.as_str()];
    for key in keys {
        let mut stranger = phone.driver.phone.clone();
        let collection = stranger.cache.collections.get_mut(&inbox).unwrap();
        collection.key = Some(SyncKey::new(key).unwrap());
        let exchange = stranger.sync(&[SyncAsk::of(&inbox)], Waits::No);
        let answer = phone.driver.send(&exchange).await.unwrap();
        let read = sync::Response::decode(stranger.profile.version, &answer.body).unwrap();
        assert_eq!(read.collections[0].status, INVALID_SYNC_KEY, "{key}");
        assert!(read.collections[0].commands.is_empty());
    }
    // The phone's own key is as good as before.
    all_is_well(&town, &mut phone).await;
    other.catch_up().await;
}

/// Folders and items that never were, and those of somebody else.
#[tokio::test]
async fn other_peoples_folders_and_items_that_never_were() {
    let (town, mut phone) = town_and_phone().await;
    town.mail_to(&["ben"], "private").await;
    let ben = town.phone("ben", Profile::android()).await;
    assert!(ben.holds("private"));
    let (inbox, theirs) = (phone.inbox(), ben.id_of("private"));
    for id in [theirs.as_str(), "1:999", "99:1", "::", "1:-1", "0", "../../etc/passwd"] {
        let commands = [Phone::sync_fetch(id), Phone::read(id, true)];
        for command in commands {
            let mine = phone.id_of("one") == id;
            let Some(answer) = phone.sync_with(SyncAsk::of(&inbox).with(command)).await else {
                panic!("no answer about {id}")
            };
            if !mine {
                assert_eq!(answer.replies[0].status, OBJECT_NOT_FOUND, "{id}");
                assert_eq!(answer.replies[0].data, None);
            }
        }
    }
    for folder in ["99", "4294967296", "RI", "-1", "1;drop table"] {
        let key = SyncKey::initial();
        let collection = sync::Collection::new(CollectionId::new(folder).unwrap(), key);
        let request = sync::Request { collections: vec![collection], ..Default::default() };
        let version = phone.phone().profile.version;
        let exchange = Exchange { body: request.encode(version), ..a_sync(&phone) };
        let answer = phone.driver.send(&exchange).await.unwrap();
        let read = sync::Response::decode(version, &answer.body).unwrap();
        let status = read.status.or(read.collections.first().map(|c| c.status));
        assert!(matches!(status, Some(OBJECT_NOT_FOUND | FOLDERS_CHANGED)), "{folder}: {read:?}");
    }
    let exchange = phone.phone().fetch("1", "1:999");
    let Outcome::ItemOperations(got) = phone.ask(exchange).await else { panic!("another answer") };
    assert_eq!(got.outcomes.len(), 1);
    assert!(phone.phone().copies.is_empty());
    all_is_well(&town, &mut phone).await;
}

/// A hundred megabytes are announced: they are refused before they are read, in words that keep the phone from trying for ever.
#[tokio::test]
async fn a_hundred_megabytes() {
    let (town, mut phone) = town_and_phone().await;
    let exchange = a_sync(&phone);
    let mut head = http(&exchange);
    head.truncate(head.len() - exchange.body.len());
    let head = String::from_utf8(head).unwrap();
    let announced = format!("content-length: {}", exchange.body.len());
    let head = head.replace(&announced, "content-length: 104857600");
    let told = spoken(&town, head.as_bytes(), &[b'x'; 4_096]).await;
    let told = String::from_utf8_lossy(&told);
    assert!(told.starts_with("HTTP/1.1 200") || told.starts_with("HTTP/1.1 413"), "{told}");
    all_is_well(&town, &mut phone).await;
}

/// Lines that hang up in the middle of a word, or say only half of it and wait.
#[tokio::test]
async fn half_closed_lines() {
    let (town, mut phone) = town_and_phone().await;
    let whole = http(&a_sync(&phone));
    // The phone closes its half after the request: it gets its answer.
    let told = spoken(&town, &whole, b"").await;
    assert!(told.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&told));
    // It stops in the middle: nothing happens, and the line is closed.
    for end in [1, 10, whole.len() / 2, whole.len() - 1] {
        let told = spoken(&town, &whole[..end], b"").await;
        assert!(
            told.is_empty() || told.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&told)
        );
    }
    // Lines that began and say nothing more do not keep others waiting.
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(town.plain()).await.unwrap();
        stream.write_all(&whole[..30]).await.unwrap();
        silent.push(stream);
    }
    all_is_well(&town, &mut phone).await;
}

/// No HTTP at all.
#[tokio::test]
async fn not_even_http() {
    let (town, mut phone) = town_and_phone().await;
    let long = [b"GET /".to_vec(), vec![b'a'; 200_000], b" HTTP/1.1\r\n\r\n".to_vec()].concat();
    let many = [&b"GET / HTTP/1.1\r\n"[..], &b"x: y\r\n".repeat(10_000), b"\r\n"].concat();
    for said in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"EHLO there\r\n\r\n", &long, &many]
    {
        let told = spoken(&town, said, b"").await;
        assert!(
            told.is_empty() || told.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&told)
        );
    }
    all_is_well(&town, &mut phone).await;
}

/// A mail that cannot be shown is left out, alone: the folder goes on, and the phone is not said to hold it.
#[tokio::test]
async fn a_mail_that_cannot_be_shown() {
    let (town, mut phone) = town_and_phone().await;
    broken_mail(&town).await;
    all_is_well(&town, &mut phone).await;
    let order = town.recall("broken").await;
    town.until_state(order, "ann", retract::recall::State::Prevented).await;
}

/// A mail that could not be shown is tried again after a while, though nothing about it has changed in the folder; and an answer that is lost
/// does not lose it again.
#[tokio::test]
async fn a_mail_that_can_be_shown_after_all() {
    let town = Town::on_a_manual_clock().await;
    town.mail("one").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let kept = broken_mail(&town).await;
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["one"]);
    // Still broken an hour later; whole again a day after that.
    town.clock.advance(HOUR);
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["one"]);
    let bodies = &town.server.house.bodies;
    kept.iter().for_each(|octets| drop(bodies.put(octets).unwrap()));
    town.clock.advance(HOUR);
    assert!(phone.sync().await.is_none(), "not every hour");
    town.clock.advance(24 * HOUR);
    let lost = phone.lose_sync().await.unwrap();
    assert_eq!(super::town::adds(&lost), ["broken"]);
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["broken", "one"]);
    assert!(phone.sync().await.is_none(), "it is not shown again");
}

/// A mail comes in, and the disk loses its body; gives what was lost.
async fn broken_mail(town: &Town) -> Vec<bytes::Bytes> {
    let bodies = &town.server.house.bodies;
    let before = bodies.hashes().unwrap();
    town.mail("broken").await;
    let mut lost = Vec::new();
    loop {
        // On its way in a mail may lie there twice for a moment, as it came and as it is delivered, and is held until it has arrived.
        let now = bodies.hashes().unwrap();
        let Some(new) = now.into_iter().find(|hash| !before.contains(hash)) else { return lost };
        if let Ok(octets) = bodies.get(new) {
            lost.push(octets);
        }
        bodies.remove(new).unwrap();
        tokio::task::yield_now().await;
    }
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// Says something on a line of its own and closes that half; gives what comes back until the line ends.
pub(crate) async fn spoken(town: &Town, first: &[u8], then: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(town.plain()).await.unwrap();
    // The other side may have hung up already.
    let _said = stream.write_all(first).await;
    let _said = stream.write_all(then).await;
    let _closed = stream.shutdown().await;
    let mut told = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut told)).await;
    let _read = ended.expect("the line hangs");
    told
}
