//! ResolveRecipients and ValidateCert: who is meant, and whose certificate is good; a status for all there is not.

use activesync::command::CommandName;
use activesync::command::resolve_recipients::{
    AvailabilityOptions, CertificateRetrieval, Options, RECIPIENTS_MAX, RecipientKind, Request,
    Resolved, Response,
};
use activesync::command::validate_cert;
use activesync::item::gal::PictureOptions;
use activesync::types::{DateTime, RecipientText};
use activesync::{Document, ProtocolVersion};
use conformance::conforms;

use super::house::*;

fn to(names: &[&str], options: Option<Options>) -> Request {
    let to = names.iter().map(|name| RecipientText::new(*name).unwrap()).collect();
    Request { to, options }
}

async fn resolve(house: &House, request: Request) -> Response {
    house.send(CommandName::ResolveRecipients, request.encode(V)).await.read()
}

async fn resolved(house: &House, names: &[&str], options: Options) -> Vec<Resolved> {
    let response = resolve(house, to(names, Some(options))).await;
    assert_eq!(response.status.0, 1);
    conforms!("MS-ASCMD_R4268", "MS-ASCMD_R3809");
    response.responses
}

fn everything() -> Options {
    Options {
        certificate_retrieval: Some(CertificateRetrieval::Full),
        availability: Some(AvailabilityOptions {
            start_time: DateTime::parse("2026-11-24T08:00:00.000Z").ok(),
            end_time: DateTime::parse("2026-11-24T10:00:00.000Z").ok(),
        }),
        picture: Some(PictureOptions { max_size: Some(4096), max_pictures: None }),
        ..Options::default()
    }
}

fn addresses(resolved: &Resolved) -> Vec<&str> {
    resolved.recipients.iter().map(|one| one.email_address.as_str()).collect()
}

async fn full_house() -> House {
    let house = House::new().await;
    for name in ["anton", "andrea", "bert"] {
        house.neighbour(name).await;
    }
    house
}

#[tokio::test]
async fn names_are_answered_in_their_order_each_with_its_own_status() {
    let house = full_house().await;
    let names = ["bert", "an", "zoe", "Ann <ANN@a.example>", "someone@else.example"];
    let answers = resolved(&house, &names, Options::default()).await;
    let said: Vec<u16> = answers.iter().map(|answer| answer.status.0).collect();
    assert_eq!(said, [1, 2, 4, 1, 4]);
    assert!(answers.iter().zip(names).all(|(answer, name)| answer.to.as_str() == name));
    conforms!("MS-ASCMD_R4275", "MS-ASCMD_R4620", "MS-ASCMD_R4287", "MS-ASCMD_R3825");
    assert_eq!(addresses(&answers[0]), ["bert@a.example"]);
    assert_eq!(answers[0].recipients[0].kind, RecipientKind::AddressList);
    assert_eq!(addresses(&answers[1]), ["andrea@a.example", "ann@a.example", "anton@a.example"]);
    assert_eq!(answers[1].recipient_count, Some(3));
    conforms!("MS-ASCMD_R3761", "MS-ASCMD_R3762");
    assert!(answers[2].recipients.is_empty());
    assert_eq!(addresses(&answers[3]), ["ann@a.example"]);
    let bare = &answers[0].recipients[0];
    assert!(bare.certificates.is_none() && bare.availability.is_none());
    assert!(bare.pictures.is_empty(), "nobody asked");
    conforms!("MS-ASCMD_R856");
}

#[tokio::test]
async fn what_there_is_not_has_a_status_for_the_one_who_is_meant() {
    let house = full_house().await;
    let answers = resolved(&house, &["bert", "an"], everything()).await;
    let bert = &answers[0].recipients[0];
    let certificates = bert.certificates.as_ref().unwrap();
    assert_eq!(certificates.status.unwrap().0, 7);
    assert_eq!((certificates.certificate_count, certificates.certificates.len()), (Some(0), 0));
    conforms!("MS-ASCMD_R4304", "MS-ASHTTP_R507");
    let availability = bert.availability.as_ref().unwrap();
    assert_eq!((availability.status.unwrap().0, &availability.merged_free_busy), (163, &None));
    conforms!("MS-ASCMD_R4298", "MS-ASCMD_R3338");
    assert_eq!(bert.pictures[0].status.unwrap().0, 173);
    conforms!("MS-ASCMD_R4311", "MS-ASCMD_R3287");
    for one in &answers[1].recipients {
        assert!(one.certificates.is_none() && one.availability.is_none());
    }
    conforms!("MS-ASCMD_R4279", "MS-ASCMD_R4617", "MS-ASCMD_R4618", "MS-ASCMD_R4623");
}

#[tokio::test]
async fn many_candidates_are_told_in_part() {
    let house = full_house().await;
    let at_most = |most| Options { max_ambiguous_recipients: Some(most), ..Options::default() };
    let answers = resolved(&house, &["an"], at_most(2)).await;
    assert_eq!((answers[0].status.0, answers[0].recipient_count), (3, Some(3)));
    assert_eq!(answers[0].recipients.len(), 2);
    conforms!("MS-ASCMD_R4284");
    let answers = resolved(&house, &["an"], at_most(0)).await;
    assert_eq!((answers[0].status.0, answers[0].recipients.len()), (3, 0));
    for number in 0..30 {
        house.neighbour(&format!("an{number}")).await;
    }
    let answers = resolved(&house, &["an"], Options::default()).await;
    assert_eq!((answers[0].status.0, answers[0].recipient_count), (3, Some(33)));
    assert_eq!(answers[0].recipients.len(), 20);
}

#[tokio::test]
async fn limits_and_times_out_of_range_are_a_protocol_error() {
    let house = full_house().await;
    let time = |text: &str| DateTime::parse(text).ok();
    let span = |start_time, end_time| Options {
        availability: Some(AvailabilityOptions { start_time, end_time }),
        ..Options::default()
    };
    let start = time("2026-11-24T08:00:00.000Z");
    for options in [
        span(None, start),
        span(start, time("2026-11-24T08:29:59.000Z")),
        span(start, time("2026-11-23T08:00:00.000Z")),
        span(start, time("2027-01-05T08:00:01.000Z")),
        Options { max_certificates: Some(10_000), ..Options::default() },
        Options { max_ambiguous_recipients: Some(10_000), ..Options::default() },
    ] {
        let response = resolve(&house, to(&["bert"], Some(options))).await;
        assert_eq!((response.status.0, response.responses.len()), (5, 0));
    }
    conforms!(
        "MS-ASCMD_R2264",
        "MS-ASCMD_R2266",
        "MS-ASCMD_R5430",
        "MS-ASCMD_R5175",
        "MS-ASCMD_R3986",
        "MS-ASCMD_R4269",
        "MS-ASCMD_R4270"
    );
    for end in [None, time("2026-11-24T08:30:00.000Z"), time("2027-01-05T08:00:00.000Z")] {
        assert_eq!(resolve(&house, to(&["bert"], Some(span(start, end)))).await.status.0, 1);
    }
    conforms!("MS-ASCMD_R2265");
    let names = vec!["bert"; RECIPIENTS_MAX];
    assert_eq!(resolve(&house, to(&names, None)).await.status.0, 1);
    let names = vec!["bert"; RECIPIENTS_MAX + 1];
    assert_eq!(resolve(&house, to(&names, None)).await.status.0, 5);
    conforms!("MS-ASCMD_R5656", "MS-ASCMD_R4614", "MS-ASCMD_R7501", "MS-ASCMD_R5671");
    let seen = house.give(house.incoming(
        CommandName::ResolveRecipients,
        "14.0",
        to(&["bert"], Some(everything())).encode(ProtocolVersion::V14_1),
    ));
    let refused = Response::decode(ProtocolVersion::V14_0, &seen.await.body).unwrap();
    assert_eq!(refused.status.0, 5, "14.0 has no pictures");
}

async fn validate(house: &House, request: validate_cert::Request) -> validate_cert::Response {
    house.send(CommandName::ValidateCert, request.encode(V)).await.read()
}

#[tokio::test]
async fn each_certificate_has_its_own_verdict() {
    let house = House::new().await;
    let (good, other) = (house_certificate(), stranger_certificate());
    let odd = validate_cert::Certificate("??".into());
    let request = validate_cert::Request {
        chain: vec![odd.clone()],
        certificates: vec![
            validate_cert::Certificate::new(&good),
            odd,
            validate_cert::Certificate::new(&other),
            validate_cert::Certificate::new(b"junk"),
        ],
        check_crl: Some(false),
    };
    let response = validate(&house, request.clone()).await;
    let said: Vec<u16> = response.certificates.iter().map(|status| status.0).collect();
    assert_eq!((response.status.0, &said[..]), (1, &[1, 10, 4, 10][..]));
    conforms!(
        "MS-ASCMD_R4474",
        "MS-ASCMD_R4482",
        "MS-ASCMD_R4500",
        "MS-ASCMD_R686",
        "MS-ASCMD_R895",
        "MS-ASCMD_R5387"
    );
    let strict = validate_cert::Request { check_crl: Some(true), ..request.clone() };
    let response = validate(&house, strict).await;
    assert_eq!(response.certificates[0].0, 16);
    conforms!("MS-ASCMD_R893");
    let one = validate_cert::Certificate::new(&good);
    let many = validate_cert::Request {
        certificates: vec![one.clone(); validate_cert::CERTIFICATES_MAX + 1],
        ..request.clone()
    };
    let response = validate(&house, many).await;
    assert_eq!((response.status.0, response.certificates.len()), (2, 0));
    conforms!("MS-ASCMD_R5662", "MS-ASCMD_R4476");
    house.clock.advance(std::time::Duration::from_secs(400 * 86_400));
    let late = validate_cert::Request { certificates: vec![one], ..request };
    assert_eq!(validate(&house, late).await.certificates[0].0, 7);
    conforms!("MS-ASCMD_R4491");
}
