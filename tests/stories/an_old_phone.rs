//! A phone that speaks 12.1, the version before mail was sent in WBXML: its life from the first OPTIONS to a recall and a wipe.

use activesync_phone::activesync::command::CommandName;
use activesync_phone::driver::DriveError;
use activesync_phone::{Outcome, Profile};
use retract::ids::DeviceId;
use retract::policy::{WipeKind, WipeOrder};
use retract::recall::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::asked_after_a_recall::with_a_file;
use super::in_flight::http;
use super::town::{Handset, PATIENCE, Town};
use super::what_options_announce::file;

/// A mail that may leave.
const MAIL: &[u8] = b"From: ann@a.example\r\nTo: ben@a.example\r\nSubject: Hello\r\n\r\nHello\r\n";
/// Octets of a file: far more than what lies in buffers between us and a phone that reads slowly.
const FILE_OCTETS: usize = 6 << 20;

#[tokio::test]
async fn it_is_sent_to_provision_by_449_and_then_lives_as_any_other() {
    let town = Town::open().await;
    town.post(&["ann"], &with_a_file("secret")).await;
    town.mail("harmless").await;
    let mut phone = town.new_phone("ann", Profile::oldest());
    let exchange = phone.phone().folder_sync();
    let answer = phone.driver.send(&exchange).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (449, 0));
    phone.driver.set_up().await.unwrap();
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["harmless", "secret"]);

    // It opens the file, answers the mail, and its line breaks before it hears that the answer went.
    let (inbox, item) = (phone.inbox(), phone.id_of("secret"));
    let reference = file(phone.phone(), &inbox, &item);
    let exchange = phone.phone().get_attachment(&reference);
    let Outcome::Attachment(octets) = phone.ask(exchange.clone()).await else { panic!("no file") };
    assert!(octets.starts_with(b"name,salary"));
    let name = phone.driver.phone.next_client_id();
    let reply = phone.phone().smart(CommandName::SmartReply, &name, (&inbox, &item), MAIL);
    for _ in 0..2 {
        assert_eq!(phone.ask(reply.clone()).await, Outcome::Sent(None));
    }
    let mut ben = town.phone("ben", Profile::oldest()).await;
    let answers = async |ben: &mut Handset| {
        ben.catch_up().await;
        ben.subjects().iter().filter(|subject| *subject == "Hello").count()
    };
    let arrived = async {
        while answers(&mut ben).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.expect("the reply never came");
    assert_eq!(answers(&mut ben).await, 1, "once");

    // Recalled: the file is not found, a forward is refused in a way that does not make the app send its own copy.
    let order = town.recall("secret").await;
    assert_eq!(phone.driver.send(&exchange).await.unwrap().status, 404);
    let forward = phone.phone().smart(CommandName::SmartForward, &name, (&inbox, &item), MAIL);
    for _ in 0..2 {
        assert_eq!(phone.driver.send(&forward).await.unwrap().status, 400);
    }
    phone.catch_up().await;
    assert_eq!(phone.subjects(), ["harmless"]);
    let pair = town.until_state(order, "ann", State::Acknowledged).await;
    assert!(pair.exposure.contains('A'), "{}", pair.exposure);
}

#[tokio::test]
async fn a_file_still_draining_is_cut_and_counts_as_sent() {
    let town = Town::open().await;
    let rows = "Alice,91000,Alice,91000,Alice,91000,Alice,91000,Alice,91000\r\n";
    let big =
        with_a_file("secret").replace("Alice,91000\r\n", &rows.repeat(FILE_OCTETS / rows.len()));
    town.post(&["ann"], &big).await;
    let mut phone = town.phone("ann", Profile::oldest()).await;
    let (inbox, item) = (phone.inbox(), phone.id_of("secret"));
    let exchange = phone.phone().get_attachment(&file(phone.phone(), &inbox, &item));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut stream = socket.connect(town.plain()).await.unwrap();
    stream.write_all(&http(&exchange)).await.unwrap();
    let mut seen = vec![0; 2_000];
    stream.read_exact(&mut seen).await.unwrap();
    assert!(seen.starts_with(b"HTTP/1.1 200"));
    let order = town.recall("secret").await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    let _cut = ended.expect("the line hangs");
    assert!(seen.len() + rest.len() < FILE_OCTETS, "{}", rest.len());
    let pair = town.until_state(order, "ann", State::Queued).await;
    assert!(pair.exposure.contains('A'), "{}", pair.exposure);
    phone.catch_up().await;
    town.until_state(order, "ann", State::Acknowledged).await;
}

#[tokio::test]
async fn a_wipe_reaches_it_by_449() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::oldest()).await;
    let order = WipeOrder {
        device: DeviceId(1),
        kind: WipeKind::Device,
        typed_id: Some(phone.phone().device_id.clone()),
        block_after: false,
        by: "root".to_owned(),
        second: None,
    };
    town.server.house.policies.wipe(order).await.unwrap();
    let inbox = phone.inbox();
    assert!(matches!(phone.driver.catch_up(&inbox).await, Err(DriveError::Wiped)));
    assert!(phone.phone().wiped);
}

#[tokio::test]
async fn errors_of_the_query_and_the_body_are_http() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile { base64_query: true, ..Profile::oldest() }).await;
    phone.driver.set_server(town.plain_line());
    let mut exchange = phone.phone().send_mail(&Default::default(), MAIL);
    exchange.headers.retain(|(name, _)| name != "content-type");
    exchange.headers.push(("content-type".to_owned(), "text/plain".to_owned()));
    assert_eq!(phone.driver.send(&exchange).await.unwrap().status, 400);
    let mut exchange = phone.phone().get_item_estimate(&phone.inbox());
    exchange.body = b"not wbxml".to_vec();
    assert_eq!(phone.driver.send(&exchange).await.unwrap().status, 400);
}
