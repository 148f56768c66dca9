//! Ranges that have a least as well as a most: waits, windows, filters, pages of results ([MS-ASCMD] 2.2.3).

use activesync::command::{CommandName as C, ping, search as searching, sync};
use conformance::conforms;

use super::house::*;
use super::wire::*;

/// The least there may be, and what is complained of in less.
#[tokio::test]
async fn waits_have_a_least_and_a_most_and_the_nearest_is_told() {
    let house = House::new().await;
    let key = house.begin().await;
    let hang = |name: &'static str, value: u32| {
        let collection = e("Collection", [t("SyncKey", key.as_str()), t("CollectionId", INBOX)]);
        document(&e("AirSync:Sync", [e("Collections", [collection]), t(name, value.to_string())]))
    };
    for (name, value, limit) in [
        ("Wait", 0, 1),
        ("Wait", 60, 59),
        ("HeartbeatInterval", 59, 60),
        ("HeartbeatInterval", 3541, 3540),
    ] {
        let said: sync::Response = house.send(C::Sync, hang(name, value)).await.read();
        assert_eq!((said.status.unwrap().0, said.limit), (14, Some(limit)), "{name} {value}");
        assert!(said.collections.is_empty());
    }
    conforms!("MS-ASCMD_R3228", "MS-ASCMD_R3229", "MS-ASCMD_R3230", "MS-ASCMD_R4746");
    conforms!("MS-ASCMD_R3160", "MS-ASCMD_R4459", "MS-ASCMD_R5780", "MS-ASCMD_R4460");
    conforms!("MS-ASCMD_R5781", "MS-ASCMD_R4461", "MS-ASCMD_R5782");
    for (name, value) in
        [("Wait", 1), ("Wait", 59), ("HeartbeatInterval", 60), ("HeartbeatInterval", 3540)]
    {
        house.wait(C::Sync, hang(name, value)).await;
    }
    let watch = |value: u32| {
        let folder = e("Folder", [t("Id", INBOX), t("Class", "Email")]);
        let heartbeat = t("HeartbeatInterval", value.to_string());
        document(&e("Ping:Ping", [heartbeat, e("Folders", [folder])]))
    };
    for (value, bound) in [(59, 60), (0, 60), (3541, 3540)] {
        let said: ping::Response = house.send(C::Ping, watch(value)).await.read();
        assert_eq!((said.status.0, said.heartbeat_s), (5, Some(bound)), "{value}");
    }
    conforms!("MS-ASCMD_R5690", "MS-ASCMD_R5691");
    house.wait(C::Ping, watch(60)).await;
    house.wait(C::Ping, watch(3540)).await;
}

/// A window of 0 or of more than 512 is one of 512, and none one of 100 ([MS-ASCMD] 2.2.3.199).
#[tokio::test]
async fn a_window_holds_100_if_nothing_is_said_and_512_at_most() {
    let house = House::new().await;
    for number in 0..520 {
        house.mail(&format!("mail{number}")).await;
    }
    let key = house.begin().await;
    for (window, count) in
        [(None, 100), (Some(5), 5), (Some(512), 512), (Some(0), 512), (Some(513), 512)]
    {
        let size = window.map(|size: u32| t("WindowSize", size.to_string()));
        let head = vec![t("SyncKey", key.as_str()), t("CollectionId", INBOX), t("GetChanges", "1")];
        let body = document(&one_sync(both(head, size.into_iter().collect())));
        let said: sync::Response = house.send(C::Sync, body).await.read();
        let collection = &said.collections[0];
        assert_eq!(
            (collection.commands.len(), collection.more_available),
            (count, true),
            "{window:?}"
        );
    }
}

/// Which filter a mail collection has, and which it has not ([MS-ASCMD] 2.2.3.68).
#[tokio::test]
async fn filters_of_mail_are_0_to_5() {
    let house = House::new().await;
    for filter in 0..=9 {
        let text = filter.to_string();
        let options = e("Options", [t("FilterType", text.clone())]);
        let body = document(&in_inbox(vec![options]));
        let said = complaint(&house.send(C::Sync, body).await.body);
        assert_eq!(said, if filter <= 5 { None } else { Some(4) }, "{filter}");
        let key = house.begin().await;
        let options = e("AirSync:Options", [t("FilterType", text)]);
        let head = [t("AirSync:SyncKey", key.as_str()), t("CollectionId", INBOX), options];
        let body = document(&estimate(head.into_iter().collect()));
        let said = complaint(&house.send(C::GetItemEstimate, body).await.body);
        let expected = match filter {
            0..=5 => None,
            6..=8 => Some(110),
            _ => Some(103),
        };
        assert_eq!(said, expected, "{filter}");
    }
    conforms!("MS-ASCMD_R3035", "MS-ASCMD_R3036", "MS-ASCMD_R3037", "MS-ASCMD_R3038");
    conforms!("MS-ASCMD_R3039", "MS-ASCMD_R3040", "MS-ASCMD_R3041", "MS-ASCMD_R3042");
    conforms!("MS-ASCMD_R3043", "MS-ASCMD_R3080", "MS-ASCMD_R2984");
    conforms!("MS-ASCMD_R2999", "MS-ASCMD_R3000", "MS-ASCMD_R3001", "MS-ASCMD_R3002");
    conforms!("MS-ASCMD_R3003", "MS-ASCMD_R3004", "MS-ASCMD_R3005", "MS-ASCMD_R3006");
    conforms!("MS-ASCMD_R3007");
}

/// Results of a search in the mailbox and of one for people: 100, and 12 for who asks for more ([MS-ASCMD] 2.2.3.143.3).
#[tokio::test]
async fn a_search_has_100_results() {
    let house = House::new().await;
    for number in 0..103 {
        house.mail(&format!("mail{number}")).await;
        house.neighbour(&format!("anton{number}")).await;
    }
    let mailbox = |range: Option<&str>| {
        let and = e("And", [t("AirSync:Class", "Email"), t("FreeText", "mail")]);
        let options = range.map(|range| t("Range", range.to_owned()));
        let options = e("Options", options);
        let parts = [t("Name", "Mailbox"), e("Query", [and]), options];
        document(&e("Search:Search", [e("Store", parts)]))
    };
    let people = |range: Option<&str>| {
        let options = range.map(|range| t("Range", range.to_owned()));
        document(&search("GAL", "anton", options.into_iter().collect()))
    };
    for is_mail in [true, false] {
        let make = |range| if is_mail { mailbox(range) } else { people(range) };
        for (range, status, count, told) in [
            (None, 1, 100, Some("0-99")),
            (Some("0-99"), 1, 100, Some("0-99")),
            (Some("0-0"), 1, 1, Some("0-0")),
            (Some("98-99"), 1, 2, Some("98-99")),
            (Some("0-100"), 12, 100, Some("0-99")),
        ] {
            let seen = house.send(C::Search, make(range)).await;
            let store = seen.read::<searching::Response>().store.unwrap();
            let range_told = store.range.map(|range| range.to_string());
            let said = (store.status.0, store.results.len(), range_told.as_deref());
            assert_eq!(said, (status, count, told), "{range:?}");
        }
        for wrong in ["1-0", "x", "-1", "0"] {
            let seen = house.send(C::Search, make(Some(wrong))).await;
            assert_eq!(seen.read::<searching::Response>().store.unwrap().status.0, 2, "{wrong}");
        }
    }
    conforms!("MS-ASCMD_R3733", "MS-ASCMD_R3735", "MS-ASCMD_R3736", "MS-ASCMD_R3729");
    conforms!("MS-ASCMD_R3725", "MS-ASCMD_R416");
}
