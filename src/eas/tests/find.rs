//! Find: pages of mail and people, each hit on the books as a search copy.

use activesync::command::CommandName;
use activesync::command::find::{
    Criterion, HitProperties, MailSummary, MailboxCriterion, MailboxOptions, MailboxQuery, Page,
    PeopleCriterion, Request, Response,
};
use activesync::item::gal::PictureOptions;
use activesync::types::{ClassName, CollectionId, RangeText, SearchId};
use activesync::{Document, ProtocolVersion};
use conformance::conforms;

use super::house::*;
use crate::ledger::Exposure;
use crate::mailbox::{FolderKind, Mailbox};

fn query(words: &str) -> MailboxQuery {
    MailboxQuery { free_text: Some(words.into()), ..MailboxQuery::default() }
}

fn range(range: &str) -> Option<MailboxOptions> {
    let range = (!range.is_empty()).then(|| RangeText::new(range).unwrap());
    Some(MailboxOptions { range, ..MailboxOptions::default() })
}

fn request(id: &str, criterion: Criterion) -> Vec<u8> {
    Request { search_id: SearchId::new(id).unwrap(), criterion }.encode(V)
}

fn mail(query: MailboxQuery, options: Option<MailboxOptions>) -> Criterion {
    Criterion::Mailbox(MailboxCriterion { query: Some(query), options })
}

async fn answer(house: &House, id: &str, criterion: Criterion) -> Response {
    house.send(CommandName::Find, request(id, criterion)).await.read()
}

async fn find(house: &House, query: MailboxQuery, options: Option<MailboxOptions>) -> Page {
    let response = answer(house, "one", mail(query, options)).await;
    assert_eq!(response.status.0, 1);
    response.page.unwrap()
}

fn summaries(page: &Page) -> Vec<&MailSummary> {
    let mail = page.results.iter().map(|hit| match &hit.properties {
        HitProperties::Mail(mail) => &**mail,
        HitProperties::Person(_) => panic!("a person"),
    });
    mail.collect()
}

fn subjects(page: &Page) -> Vec<&str> {
    summaries(page).into_iter().filter_map(|mail| mail.subject.as_deref()).collect()
}

#[tokio::test]
async fn a_hit_is_told_as_a_list_shows_it_and_booked_as_a_search_copy() {
    let house = House::new().await;
    let number = house.mail("plan").await;
    let page = find(&house, query("subject:plan from:bob"), None).await;
    assert_eq!((page.store.as_deref(), page.status.0), (Some("Mailbox"), 1));
    assert_eq!((page.total, page.range.unwrap().to_string()), (Some(1), "0-0".into()));
    conforms!(
        "MS-ASCMD_R45251807",
        "MS-ASCMD_R72172509",
        "MS-ASCMD_R72172520",
        "MS-ASCMD_R38391804",
        "MS-ASCMD_R65591902"
    );
    let hit = &page.results[0];
    assert_eq!(hit.server_id.as_ref().unwrap().as_str(), format!("{INBOX}:{number}"));
    assert_eq!(hit.collection_id.as_ref().unwrap().as_str(), INBOX);
    assert_eq!(hit.class.as_ref().unwrap().as_str(), "Email");
    conforms!("MS-ASCMD_R9010602", "MS-ASCMD_R9820602");
    let shown = summaries(&page)[0];
    assert_eq!(shown.subject.as_deref(), Some("plan"));
    assert_eq!(shown.preview.as_deref(), Some("The body of plan."));
    assert_eq!((shown.read, shown.has_attachments), (Some(false), Some(false)));
    assert!(shown.from.as_ref().unwrap().contains("bob@b.example"));
    let exposure = house.exposure(house.inbox_folder().await, number).await;
    assert!(exposure.contains(Exposure::SEARCHED | Exposure::HEADER | Exposure::PART));
    assert!(!exposure.intersects(Exposure::BODY));
}

#[tokio::test]
async fn pages_begin_at_zero_and_count_all_there_are() {
    let house = House::new().await;
    for name in ["one", "two", "three"] {
        house.mail(name).await;
    }
    // Before its first page a search has no second one.
    let response = answer(&house, "new", mail(query("body"), range("1-2"))).await;
    let page = response.page.unwrap();
    assert_eq!((response.status.0, page.status.0, page.results.len()), (1, 4, 0));
    conforms!("MS-ASCMD_R72172518");
    let page = find(&house, query("body"), range("0-1")).await;
    assert_eq!((subjects(&page), page.total), (vec!["three", "two"], Some(3)));
    let page = find(&house, query("body"), range("2-9")).await;
    assert_eq!((subjects(&page), page.total), (vec!["one"], Some(3)));
    assert_eq!(page.range.unwrap().to_string(), "2-2");
    conforms!("MS-ASCMD_R37071816");
    let page = find(&house, query("body"), range("3-9")).await;
    assert!(page.results.is_empty() && page.range.is_none());
    let page = find(&house, query("nowhere"), None).await;
    assert_eq!((page.status.0, page.results.len(), page.total), (1, 0, Some(0)));
    conforms!("MS-ASCMD_R38391805");
    for bad in ["0-1000", "5-1", "x"] {
        let response = answer(&house, "one", mail(query("body"), range(bad))).await;
        assert_eq!((response.status.0, response.page.is_none()), (2, true), "{bad}");
    }
    conforms!("MS-ASCMD_R72172512", "MS-ASCMD_R37071812");
    let response = answer(&house, "one", mail(query(" "), None)).await;
    assert_eq!(response.status.0, 2);
}

#[tokio::test]
async fn a_folder_limits_it_and_deep_traversal_looks_below() {
    let house = House::new().await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    house.store.create_folder(house.mailbox, trash.number, "below").await.unwrap();
    let all = house.store.folders(house.mailbox).await.unwrap();
    let below = all.iter().find(|folder| folder.parent == trash.number).unwrap();
    house.mail("here").await;
    house.mail_to(below.id, "below").await;
    let inside = |number: String| MailboxQuery {
        collection_id: Some(CollectionId::new(number).unwrap()),
        ..query("body")
    };
    let deep = || Some(MailboxOptions { deep_traversal: true, ..MailboxOptions::default() });
    let trash = trash.number.to_string();
    assert_eq!(subjects(&find(&house, query("body"), None).await), ["below", "here"]);
    assert_eq!(subjects(&find(&house, inside(INBOX.into()), deep()).await), ["here"]);
    assert!(subjects(&find(&house, inside(trash.clone()), None).await).is_empty());
    assert_eq!(subjects(&find(&house, inside(trash), deep()).await), ["below"]);
    let response = answer(&house, "one", mail(inside("999".into()), None)).await;
    assert_eq!((response.status.0, response.page.is_none()), (3, true));
    conforms!("MS-ASCMD_R72172515");
    let class = Some(ClassName::new("Calendar").unwrap());
    let page = find(&house, MailboxQuery { class, ..query("body") }, None).await;
    assert_eq!(page.total, Some(0));
}

#[tokio::test]
async fn what_an_order_covers_is_neither_shown_nor_counted() {
    let house = House::new().await;
    let secret = house.mail("secret").await;
    house.mail("other").await;
    house.fences("secret").await;
    for _ in 0..2 {
        let page = find(&house, query("body"), None).await;
        assert_eq!((subjects(&page), page.total), (vec!["other"], Some(1)));
        house.recall.work_off().await.unwrap();
    }
    let exposure = house.exposure(house.inbox_folder().await, secret).await;
    assert!(!exposure.intersects(Exposure::SEARCHED));
}

#[tokio::test]
async fn people_come_by_name_with_the_status_of_their_pictures() {
    let house = House::new().await;
    for name in ["anton", "andrea"] {
        house.neighbour(name).await;
    }
    let people = |query: &str, range: &str| {
        Criterion::People(PeopleCriterion {
            query: query.into(),
            range: RangeText::new(range).ok(),
            picture: Some(PictureOptions { max_size: Some(4096), max_pictures: Some(2) }),
        })
    };
    let response = answer(&house, "p", people("an", "0-1")).await;
    let page = response.page.unwrap();
    assert_eq!((page.store.as_deref(), page.total), (Some("GAL"), Some(3)));
    conforms!("MS-ASCMD_R131999", "MS-ASCMD_R10031995", "MS-ASCMD_R132000");
    let names: Vec<&str> = page
        .results
        .iter()
        .map(|hit| match &hit.properties {
            HitProperties::Person(person) => {
                assert_eq!(person.picture.as_ref().unwrap().status.unwrap().0, 173);
                assert!(person.email_address.is_some());
                person.alias.as_deref().unwrap()
            }
            HitProperties::Mail(_) => panic!("a mail"),
        })
        .collect();
    assert_eq!(names, ["andrea", "ann"]);
    conforms!("MS-ASCMD_R132004", "MS-ASCMD_R61641062", "MS-ASCMD_R1002501");
    let page = answer(&house, "p", people("an", "2-5")).await.page.unwrap();
    assert_eq!((page.results.len(), page.total), (1, Some(3)));
    assert_eq!(answer(&house, "p", people(" ", "0-1")).await.status.0, 2);
}

#[tokio::test]
async fn before_16_1_there_is_no_such_command() {
    let house = House::new().await;
    for version in ["14.0", "14.1", "16.0"] {
        let body = request("one", mail(query("body"), None));
        let seen = house.give(house.incoming(CommandName::Find, version, body)).await;
        let response = Response::decode(ProtocolVersion::V16_1, &seen.body).unwrap();
        assert_eq!(response.status.0, 138, "{version}");
    }
}
