//! Bodies and files that come as parts beside the document ([MS-ASCMD] 2.2.1.10.1), as phones with little memory ask for them.

use std::io::Read as _;

use activesync_phone::activesync::command::item_operations::{Fetched, Outcome as Done, Response};
use activesync_phone::activesync::document::Document as _;
use activesync_phone::activesync::{http, multipart};
use activesync_phone::{Exchange, HttpAnswer, Profile};
use conformance::conforms;
use flate2::read::GzDecoder;
use retract::recall::State;

use super::town::{Handset, Town};

const WITH_FILE: &str = "From: bob@b.example\r\nTo: ann@a.example\r\nSubject: file\r\n\
    Message-ID: <file@b.example>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\n\
    See the plan.\r\n--a\r\nContent-Type: application/pdf; name=plan.pdf\r\n\
    Content-Disposition: attachment; filename=plan.pdf\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nMDEyMzQ1Njc4OQ==\r\n--a--\r\n";

/// The answer's parts, unpacked where they came packed, and what the document says of each fetch.
async fn fetched(phone: &mut Handset, exchange: &Exchange) -> (HttpAnswer, Vec<Fetched>) {
    let mut answer = phone.driver.send(exchange).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some(http::MULTIPART));
    match answer.header("content-encoding") {
        None => {}
        Some("gzip") => {
            conforms!("MS-ASHTTP_R197", "MS-ASHTTP_R214");
            let mut unpacked = Vec::new();
            GzDecoder::new(&answer.body[..]).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked.len() > answer.body.len());
            answer.body = unpacked;
        }
        Some(other) => panic!("{other}"),
    }
    let parts = multipart::decode(&answer.body).unwrap();
    let response = Response::decode(phone.phone().profile.version, parts[0]).unwrap();
    assert_eq!(response.status.0, 1);
    let one = |done| match done {
        Done::Fetch(fetched) => *fetched,
        other => panic!("{other:?}"),
    };
    let fetched = response.outcomes.into_iter().map(one).collect();
    (answer, fetched)
}

/// The number of the part in which the fetch's octets came.
fn part_of(fetched: &Fetched) -> Option<u32> {
    let properties = fetched.properties.as_ref()?;
    let body = properties.item.as_ref().and_then(|item| item.email()?.body.as_ref());
    properties.file.part.or(body.and_then(|body| body.part))
}

#[tokio::test]
async fn each_fetch_names_its_part() {
    let town = Town::open().await;
    town.mail("one").await;
    town.mail("two").await;
    town.post(&["ann"], WITH_FILE).await;
    for profile in Profile::families() {
        let mut phone = town.phone("ann", profile).await;
        let (inbox, one, two) = (phone.inbox(), phone.id_of("one"), phone.id_of("two"));
        let file = format!("{}:0", phone.id_of("file"));
        let gone = format!("{inbox}:999");
        let exchange =
            phone.phone().fetch_in_parts(&inbox, &[&one, &gone, &two], &[&file, "nonsense"]);
        let (answer, fetched) = fetched(&mut phone, &exchange).await;
        let said: Vec<u16> = fetched.iter().map(|one| one.status.unwrap().0).collect();
        assert_eq!(said, [1, 6, 1, 1, 15]);
        let named: Vec<Option<u32>> = fetched.iter().map(part_of).collect();
        assert_eq!(named, [Some(1), None, Some(2), Some(3), None]);
        let parts = multipart::decode(&answer.body).unwrap();
        assert_eq!(parts.len(), 4);
        assert!(
            parts[1].starts_with(b"The body of one") && parts[2].starts_with(b"The body of two")
        );
        assert_eq!(parts[3], b"0123456789");
        // The table is exact: the parts follow each other and fill the body.
        let table = 4 + 8 * parts.len();
        assert_eq!(table + parts.iter().map(|part| part.len()).sum::<usize>(), answer.body.len());
        assert!(!fetched.iter().any(|one| {
            let item = one.properties.as_ref().and_then(|all| all.item.as_ref());
            item.and_then(|item| item.email()?.body.as_ref()).is_some_and(|b| b.data.is_some())
        }));
    }
}

/// A part is content like any other: what an order covers has none.
#[tokio::test]
async fn a_recalled_mail_has_no_part() {
    let town = Town::open().await;
    town.mail("other").await;
    town.post(&["ann"], WITH_FILE).await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, other, mail) = (phone.inbox(), phone.id_of("other"), phone.id_of("file"));
    let file = format!("{mail}:0");
    let order = town.recall("file").await;
    let exchange = phone.phone().fetch_in_parts(&inbox, &[&mail, &other], &[&file]);
    let (answer, fetched) = fetched(&mut phone, &exchange).await;
    let said: Vec<u16> = fetched.iter().map(|one| one.status.unwrap().0).collect();
    assert_eq!(said, [6, 1, 15]);
    assert!(!String::from_utf8_lossy(&answer.body).contains("plan"));
    phone.catch_up().await;
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// What is long comes in gzip to who takes it, and is the same, and on the books as the octets that left; to who does not, it comes as it is.
#[tokio::test]
async fn a_long_mail_comes_in_gzip_to_who_takes_it() {
    let town = Town::open().await;
    let body = "It was a long winter, and nobody wrote. ".repeat(5_000);
    let raw = format!(
        "From: bob@b.example\r\nTo: ann@a.example\r\nSubject: long\r\nMessage-ID: <long@b.example>\r\n\r\n{body}\r\n"
    );
    town.post(&["ann"], &raw).await;
    for profile in Profile::families() {
        let mut phone = town.phone("ann", profile).await;
        let (inbox, long) = (phone.inbox(), phone.id_of("long"));
        let packing = phone.phone().fetch_in_parts(&inbox, &[&long], &[]);
        let mut plain = packing.clone();
        plain.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("accept-encoding"));
        let (answer, packed) = fetched(&mut phone, &packing).await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let (whole, unpacked) = fetched(&mut phone, &plain).await;
        assert_eq!(whole.header("content-encoding"), None);
        conforms!("MS-ASHTTP_R412", "MS-ASHTTP_R215");
        assert_eq!((answer.body, packed), (whole.body, unpacked));
        // Beside the document or in it.
        let mut inline = packing.clone();
        inline
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case(http::MS_AS_ACCEPT_MULTI_PART));
        let answer = phone.driver.send(&inline).await.unwrap();
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let mut document = Vec::new();
        GzDecoder::new(&answer.body[..]).read_to_end(&mut document).unwrap();
        assert!(Response::decode(phone.phone().profile.version, &document).is_ok());
        // Another command is not packed.
        let mut sync = phone.phone().folder_sync();
        sync.headers.push(("Accept-Encoding".to_owned(), "gzip".to_owned()));
        assert_eq!(phone.driver.send(&sync).await.unwrap().header("content-encoding"), None);
    }
}

/// A recall that comes in while a packed answer is made is in it as in any other: not at all.
#[tokio::test]
async fn a_recalled_mail_is_in_no_packed_answer() {
    let town = Town::open().await;
    let body = "secret ".repeat(5_000);
    for name in ["kept", "taken"] {
        let raw = format!(
            "To: ann@a.example\r\nSubject: {name}\r\nMessage-ID: <{name}@b.example>\r\n\r\n{name} {body}\r\n"
        );
        town.post(&["ann"], &raw).await;
    }
    let mut phone = town.phone("ann", Profile::ios()).await;
    let (inbox, kept, taken) = (phone.inbox(), phone.id_of("kept"), phone.id_of("taken"));
    town.recall("taken").await;
    let exchange = phone.phone().fetch_in_parts(&inbox, &[&kept, &taken], &[]);
    let (answer, fetched) = fetched(&mut phone, &exchange).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let said: Vec<u16> = fetched.iter().map(|one| one.status.unwrap().0).collect();
    assert_eq!(said, [1, 6]);
    assert!(!String::from_utf8_lossy(&answer.body).contains("taken secret"));
}
