//! Search and Find: what is found, by whom, and what a recall does to it.

use activesync_phone::activesync::command::find;
use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::search::{HitProperties, StoreAnswer};
use activesync_phone::{Exchange, Outcome, Profile};
use retract::recall::{ReasonCode, State};

use super::town::{Handset, Town, folder};

/// "Past the end", "too complex" and so on stand in the store ([MS-ASCMD] 2.2.3.177.14).
const SUCCESS: u16 = 1;
const INVALID: u16 = 2;
const FOLDERS_CHANGED: u16 = 11;

#[tokio::test]
async fn by_words_of_subject_sender_and_body() {
    let town = Town::open().await;
    town.mail("salaries").await;
    town.mail("lunch").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    for (words, found) in [
        ("salaries", &["salaries"][..]),
        ("SALAR", &["salaries"]),
        ("body salaries", &["salaries"]),
        ("bob@b.example", &["lunch", "salaries"]),
        ("alaries", &[]),
        ("salaries lunch", &[]),
    ] {
        let answer = search(&mut phone, |phone| phone.search(None, words)).await;
        assert_eq!((answer.status.0, subjects(&answer)), (SUCCESS, owned(found)), "{words}");
        assert_eq!(answer.total, Some(found.len() as u32), "{words}");
        assert_eq!(answer.range.is_some(), !found.is_empty());
    }
    // Where it is looked for, and where not.
    let (inbox, trash) = (phone.inbox(), folder(phone.phone(), FolderType::DELETED_ITEMS));
    let answer = search(&mut phone, |phone| phone.search(Some(&inbox), "lunch")).await;
    assert_eq!(subjects(&answer), ["lunch"]);
    let answer = search(&mut phone, |phone| phone.search(Some("0"), "lunch")).await;
    assert_eq!(subjects(&answer), ["lunch"]);
    let answer = search(&mut phone, |phone| phone.search(Some(&trash), "lunch")).await;
    assert!(subjects(&answer).is_empty());
    let answer = search(&mut phone, |phone| phone.search(Some("99"), "lunch")).await;
    assert_eq!(answer.status.0, FOLDERS_CHANGED);
    let answer = search(&mut phone, |phone| phone.search(None, " ")).await;
    assert_eq!(answer.status.0, INVALID);
}

#[tokio::test]
async fn a_result_is_opened_by_its_long_id() {
    let town = Town::open().await;
    town.mail("salaries").await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let answer = search(&mut phone, |phone| phone.search(None, "salaries")).await;
    let id = answer.results[0].long_id.as_ref().unwrap().to_string();
    let exchange = phone.phone().fetch_result(&id);
    let Outcome::ItemOperations(response) = phone.ask(exchange).await else { panic!("not it") };
    assert_eq!(response.outcomes.len(), 1);
    assert!(format!("{response:?}").contains("The body of salaries"));
}

/// What was found is a copy outside the folders: the report says so, and after a recall nothing finds it.
#[tokio::test]
async fn inside_search_results() {
    let town = Town::open().await;
    town.mail("secret").await;
    town.mail("other").await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let answer = search(&mut phone, |phone| phone.search(None, "body")).await;
    assert_eq!(subjects(&answer), ["other", "secret"]);
    let order = town.recall("secret").await;
    let answer = search(&mut phone, |phone| phone.search(None, "body")).await;
    assert_eq!((subjects(&answer), answer.total), (owned(&["other"]), Some(1)));
    phone.catch_up().await;
    assert!(!phone.holds("secret"));
    // No key speaks of what was found: it can be deleted from the folder, and not from the screen.
    let pair = town.until_state(order, "ann", State::NotRetractable).await;
    assert_eq!(pair.reason, Some(ReasonCode::SearchCopy));
    assert_eq!(pair.exposure, "H B S");
}

#[tokio::test]
async fn people() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::android()).await;
    let answer = search(&mut phone, |phone| phone.search_people("be")).await;
    let HitProperties::Person(person) = answer.results[0].properties.as_ref().unwrap() else {
        panic!("no person")
    };
    assert_eq!(person.email_address.as_deref(), Some("ben@a.example"));
    assert!(person.first_name.is_some());
    assert_eq!((answer.results.len(), answer.total), (1, Some(1)));
    let nobody = search(&mut phone, |phone| phone.search_people("zz")).await;
    assert_eq!((nobody.status.0, nobody.total), (SUCCESS, Some(0)));
}

/// Find shows less of a mail than Search and is booked the same; a page of it is no copy once the mail is recalled.
#[tokio::test]
async fn page_by_page() {
    let town = Town::open().await;
    for name in ["first", "secret", "last"] {
        town.mail(name).await;
    }
    let mut phone = town.phone("ann", Profile::ios()).await;
    let page = find(&mut phone, |phone| phone.find("a", None, "from:bob body", "0-1")).await;
    assert_eq!((found(&page), page.total), (owned(&["last", "secret"]), Some(3)));
    let order = town.recall("secret").await;
    let page = find(&mut phone, |phone| phone.find("a", None, "from:bob body", "1-9")).await;
    assert_eq!((found(&page), page.total), (owned(&["first"]), Some(2)));
    let page = find(&mut phone, |phone| phone.find("b", None, "from:bob body", "1-9")).await;
    assert_eq!(page.status.0, 4, "another search has no second page before its first");
    phone.catch_up().await;
    let pair = town.until_state(order, "ann", State::NotRetractable).await;
    assert_eq!(pair.reason, Some(ReasonCode::SearchCopy));
    let people = find(&mut phone, |phone| phone.find_people("c", "be")).await;
    assert_eq!((people.results.len(), people.store.as_deref()), (1, Some("GAL")));
}

async fn find(
    phone: &mut Handset,
    ask: impl Fn(&activesync_phone::Phone) -> Exchange,
) -> find::Page {
    let exchange = ask(phone.phone());
    match phone.ask(exchange).await {
        Outcome::Find(response) => response.page.unwrap(),
        other => panic!("not a search: {other:?}"),
    }
}

fn found(page: &find::Page) -> Vec<String> {
    let subject = |hit: &find::Hit| match &hit.properties {
        find::HitProperties::Mail(mail) => mail.subject.clone(),
        find::HitProperties::Person(_) => None,
    };
    let mut subjects: Vec<String> = page.results.iter().filter_map(subject).collect();
    subjects.sort();
    subjects
}

async fn search(
    phone: &mut Handset,
    ask: impl Fn(&activesync_phone::Phone) -> Exchange,
) -> StoreAnswer {
    let exchange = ask(phone.phone());
    match phone.ask(exchange).await {
        Outcome::Search(response) => {
            assert_eq!(response.status.0, SUCCESS);
            response.store.unwrap()
        }
        other => panic!("not a search: {other:?}"),
    }
}

fn subjects(answer: &StoreAnswer) -> Vec<String> {
    let subject = |hit: &activesync_phone::activesync::command::search::Hit| {
        let HitProperties::Item(item) = hit.properties.as_ref()? else { return None };
        item.email()?.subject.clone()
    };
    let mut subjects: Vec<String> = answer.results.iter().filter_map(subject).collect();
    subjects.sort();
    subjects
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
