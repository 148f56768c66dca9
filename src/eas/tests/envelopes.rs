//! What a mail says of itself on the wire: who wrote it to whom, of which class it is, what it invites to ([MS-ASEMAIL] 2.2.2).

use activesync::ProtocolVersion;
use activesync::command::CommandName as C;
use activesync::document::Document as _;
use conformance::conforms;

use super::house::*;
use super::wire::*;
use crate::mailbox::{Arrival, FolderKind, Mailbox};

const ADDED: &str = "Sync/Collections/Collection/Commands/Add/ApplicationData";

/// What a Sync of a folder from its beginning tells of the one mail in it.
async fn told_in(house: &House, version: ProtocolVersion, folder: &str) -> Vec<(String, String)> {
    let give = async |key: String| {
        let head = vec![t("SyncKey", key), t("CollectionId", folder.to_owned())];
        let incoming = house.incoming(C::Sync, version.as_str(), document(&one_sync(head)));
        house.give(incoming).await.body
    };
    let begun = give("0".to_owned()).await;
    let key = elements(&begun).into_iter().find(|(path, _)| path.ends_with("/SyncKey")).unwrap().1;
    below(&give(key).await, ADDED)
}

/// The one mail in the Inbox of a house to which it came.
async fn told(raw: &str) -> Vec<(String, String)> {
    let house = House::new().await;
    house.raw(raw).await;
    told_in(&house, V, INBOX).await
}

fn text<'a>(told: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = told.iter().filter(|(path, _)| path == name);
    let text = found.next().map(|(_, text)| text.as_str());
    assert!(found.next().is_none(), "{name} twice");
    text
}

#[tokio::test]
async fn a_mail_says_from_whom_and_to_whom_it_is() {
    let told = told(
        "From: Bob <bob@b.example>\nSender: Zoe <zoe@b.example>\n\
         To: Ann <ann@a.example>, ben@a.example\nCc: Eve <eve@c.example>, mo@c.example\n\
         Reply-To: x@b.example, y@b.example\nSubject: s\nImportance: high\nMessage-ID: <1@b.example>\n\
         Content-Type: text/plain; charset=iso-8859-1\n\nhi\n",
    )
    .await;
    let to = text(&told, "To").unwrap();
    assert_eq!(to.split(',').filter(|one| one.contains('@')).count(), 2, "{to}");
    conforms!("MS-ASEMAIL_R786", "MS-ASEMAIL_R787");
    let cc = text(&told, "Cc").unwrap();
    assert_eq!(cc.split(',').filter(|one| one.contains('@')).count(), 2, "{cc}");
    conforms!("MS-ASEMAIL_R328", "MS-ASEMAIL_R330", "MS-ASEMAIL_R331");
    assert_eq!(text(&told, "DisplayTo"), Some("Ann;ben@a.example"));
    conforms!("MS-ASEMAIL_R399", "MS-ASEMAIL_R400");
    let reply_to = text(&told, "ReplyTo").unwrap();
    assert_eq!(reply_to.split(';').filter(|one| one.contains('@')).count(), 2, "{reply_to}");
    conforms!("MS-ASEMAIL_R710", "MS-ASEMAIL_R711");
    assert!(text(&told, "Sender").unwrap().contains("zoe@b.example"));
    assert!(text(&told, "From").unwrap().contains("bob@b.example"));
    conforms!("MS-ASEMAIL_R721", "MS-ASEMAIL_R722", "MS-ASEMAIL_R724", "MS-ASEMAIL_R1073");
    assert_eq!(text(&told, "ContentClass"), Some("urn:content-classes:message"));
    conforms!("MS-ASEMAIL_R342");
    assert_eq!(
        (text(&told, "Importance"), text(&told, "InternetCPID")),
        (Some("2"), Some("28591"))
    );
    conforms!("MS-ASEMAIL_R496");
    assert_eq!((text(&told, "AccountId"), text(&told, "ReceivedAsBcc")), (None, None));
    conforms!("MS-ASEMAIL_R231", "MS-ASEMAIL_R649");
    assert_eq!(text(&told, "Read"), Some("0"));
    conforms!("MS-ASEMAIL_R641", "MS-ASEMAIL_R642");
    // Nothing is marked, and that is said.
    assert_eq!((text(&told, "Flag"), text(&told, "Categories")), (Some(""), Some("")));
    conforms!("MS-ASEMAIL_R437", "MS-ASEMAIL_R439", "MS-ASEMAIL_R318");
    assert_eq!(text(&told, "IsDraft"), None);
}

#[tokio::test]
async fn a_sender_who_is_the_author_is_told_once() {
    for sender in ["", "Sender: Bob <bob@b.example>\n"] {
        let raw =
            format!("From: Bob <bob@b.example>\n{sender}To: ann@a.example\nSubject: s\n\nhi\n");
        let told = told(&raw).await;
        assert_eq!(text(&told, "Sender"), None);
    }
    conforms!("MS-ASEMAIL_R726", "MS-ASEMAIL_R1065");
    for (importance, told_as) in [("low", "0"), ("normal", "1"), ("high", "2"), ("odd", "1")] {
        let raw = format!("From: b@b.example\nImportance: {importance}\nSubject: s\n\nhi\n");
        assert_eq!(text(&told(&raw).await, "Importance"), Some(told_as));
    }
    conforms!("MS-ASEMAIL_R483");
    let from = format!("\"{}\" <bob@b.example>", "B".repeat(40_000));
    let told = told(&format!("From: {from}\nSubject: s\n\nhi\n")).await;
    assert!(text(&told, "From").is_none_or(|from| from.chars().count() <= 32_768));
    conforms!("MS-ASEMAIL_R477");
}

#[tokio::test]
async fn a_draft_says_that_it_is_one() {
    let house = House::new().await;
    let drafts = house.folder_of_kind(FolderKind::Drafts).await;
    let arrival = Arrival { draft: true, read: true, ..Arrival::default() };
    let raw = "To: bob@b.example\r\nBcc: eve@c.example\r\nSubject: s\r\n\r\nhi\r\n";
    house.store.append(drafts.id, raw.into(), arrival).await.unwrap();
    let told = told_in(&house, V, &drafts.number.to_string()).await;
    assert_eq!((text(&told, "IsDraft"), text(&told, "Read")), (Some("1"), Some("1")));
    conforms!("MS-ASEMAIL_R1277", "MS-ASEMAIL_R1278", "MS-ASEMAIL_R640");
    assert!(text(&told, "Bcc").unwrap().contains("eve@c.example"));
    conforms!("MS-ASEMAIL_R1131");
}

fn report(kind: &str, status: &str) -> String {
    format!(
        "From: mailer@b.example\nSubject: report\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=x; boundary=a\n\n--a\nContent-Type: text/plain\n\n\
         words\n--a\nContent-Type: message/{kind}\n\n{status}\n--a--\n"
    )
}

#[tokio::test]
async fn a_mail_says_of_which_class_it_is() {
    let of = |kind: &str| format!("From: b@b.example\nSubject: s\nContent-Type: {kind}\n\nxx\n");
    let failed = |action: &str| {
        report("delivery-status", &format!("Reporting-MTA: dns; b\n\nAction: {action}\n"))
    };
    let read = |said: &str| {
        report("disposition-notification", &format!("Disposition: manual-action/x; {said}\n"))
    };
    let method = |method: &str| {
        invitation(method, "")
            .replace("METHOD:REQUEST", &format!("METHOD:{method}"))
            .replace("method=REQUEST", &format!("method={method}"))
    };
    let signed = "From: b@b.example\nSubject: s\nMIME-Version: 1.0\nContent-Type: multipart/signed; \
        protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=a\n\n--a\n\
        Content-Type: text/plain\n\nhi\n--a\nContent-Type: application/pkcs7-signature\n\nxx\n--a--\n";
    for (raw, class) in [
        (of("text/plain"), "IPM.Note"),
        (of("application/pkcs7-mime; smime-type=enveloped-data"), "IPM.Note.SMIME"),
        (signed.to_owned(), "IPM.Note.SMIME.MultipartSigned"),
        (method("REQUEST"), "IPM.Schedule.Meeting.Request"),
        (method("CANCEL"), "IPM.Schedule.Meeting.Canceled"),
        (failed("failed"), "REPORT.IPM.NOTE.NDR"),
        (failed("delayed"), "REPORT.IPM.NOTE.DELAYED"),
        (failed("delivered"), "REPORT.IPM.NOTE.DR"),
        (read("displayed"), "REPORT.IPM.NOTE.IPNRN"),
        (read("deleted"), "REPORT.IPM.NOTE.IPNNRN"),
    ] {
        assert_eq!(text(&told(&raw).await, "MessageClass"), Some(class));
    }
    conforms!("MS-ASEMAIL_R587", "MS-ASEMAIL_R588", "MS-ASEMAIL_R601", "MS-ASEMAIL_R602");
    conforms!("MS-ASEMAIL_R603");
}

fn invitation(name: &str, more: &str) -> String {
    format!(
        "From: Bob <bob@b.example>\nTo: ann@a.example\nSubject: {name}\nMessage-ID: <{name}@b.example>\n\
         MIME-Version: 1.0\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\n\n\
         BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:{name}@b.example\nSEQUENCE:0\n\
         DTSTAMP:20261124T080000Z\nDTSTART:20261201T090000Z\nDTEND:20261201T100000Z\n\
         ORGANIZER:mailto:bob@b.example\nATTENDEE;RSVP=TRUE:mailto:ann@a.example\n{more}\
         END:VEVENT\nEND:VCALENDAR\n"
    )
}

#[tokio::test]
async fn an_invitation_is_told_in_the_words_of_each_version() {
    let more = "RRULE:FREQ=WEEKLY;BYDAY=TU\nLOCATION:Room 4\nCLASS:PRIVATE\n";
    for version in ProtocolVersion::ALL {
        let house = House::new().await;
        house.raw(&invitation("plan", more)).await;
        let told = told_in(&house, version, INBOX).await;
        conforms!("MS-ASEMAIL_R16");
        let of = |name: &str| text(&told, &format!("MeetingRequest/{name}"));
        for required in ["DtStamp", "TimeZone", "InstanceType", "Recurrences/Recurrence"] {
            assert!(of(required).is_some(), "{required} of {version}");
        }
        conforms!("MS-ASEMAIL_R401", "MS-ASEMAIL_R781", "MS-ASEMAIL_R897", "MS-ASEMAIL_R908");
        conforms!("MS-ASEMAIL_R652", "MS-ASEMAIL_R682", "MS-ASEMAIL_R684");
        let rule = |name: &str| of(&format!("Recurrences/Recurrence/{name}"));
        assert_eq!(
            (rule("Type"), rule("Interval"), rule("DayOfWeek")),
            (Some("1"), Some("1"), Some("4"))
        );
        conforms!("MS-ASEMAIL_R880");
        let number = |name: &str| of(name).unwrap().parse::<u32>().unwrap();
        assert!(
            number("InstanceType") <= 4 && number("Sensitivity") <= 3 && number("BusyStatus") <= 4
        );
        conforms!("MS-ASEMAIL_R491", "MS-ASEMAIL_R730", "MS-ASEMAIL_R265");
        assert_eq!((of("StartTime").is_some(), of("EndTime").is_some()), (true, true));
        conforms!("MS-ASEMAIL_R896", "MS-ASEMAIL_R898");
        assert_eq!(of("ResponseRequested"), Some("1"));
        conforms!("MS-ASEMAIL_R715");
        // One is told once, however often: it is no exception.
        assert_eq!(of("RecurrenceId"), None);
        conforms!("MS-ASEMAIL_R936");
        let is_new = version >= ProtocolVersion::V16_0;
        assert_eq!((of("UID").is_some(), of("GlobalObjId").is_some()), (is_new, !is_new));
        conforms!("MS-ASEMAIL_R1252", "MS-ASEMAIL_R1253", "MS-ASEMAIL_R12540");
        conforms!("MS-ASEMAIL_R1310", "MS-ASEMAIL_R13110", "MS-ASEMAIL_R1305");
        conforms!("MS-ASEMAIL_R478", "MS-ASEMAIL_R909");
        let place = if is_new { of("Location/DisplayName") } else { of("Location") };
        assert_eq!(place, Some("Room 4"));
        conforms!("MS-ASEMAIL_R1311", "MS-ASEMAIL_R13111", "MS-ASEMAIL_R13001");
        conforms!("MS-ASEMAIL_R13002", "MS-ASEMAIL_R526");
        if version >= ProtocolVersion::V14_1 {
            assert!(number("MeetingMessageType") <= 6);
            conforms!("MS-ASEMAIL_R528", "MS-ASEMAIL_R532", "MS-ASEMAIL_R911");
            assert_eq!(of("DisallowNewTimeProposal").unwrap_or("0"), "0");
        }
    }
}

#[tokio::test]
async fn one_of_many_is_named_by_its_time_and_a_second_invitation_is_an_update() {
    let more = "RECURRENCE-ID:20261201T090000Z\nX-MICROSOFT-DISALLOW-COUNTER:TRUE\n";
    let raw = invitation("plan", more)
        .replace("SEQUENCE:0", "SEQUENCE:3")
        .replace("RSVP=TRUE", "RSVP=FALSE");
    let told = told(&raw).await;
    let of = |name: &str| text(&told, &format!("MeetingRequest/{name}"));
    assert_eq!(of("RecurrenceId"), Some("2026-12-01T09:00:00.000Z"));
    conforms!("MS-ASEMAIL_R935", "MS-ASEMAIL_R679", "MS-ASEMAIL_R1350", "MS-ASEMAIL_R1493");
    conforms!("MS-ASEMAIL_R1355", "MS-ASEMAIL_R13550");
    assert_eq!((of("InstanceType"), of("MeetingMessageType")), (Some("3"), Some("2")));
    conforms!("MS-ASEMAIL_R535");
    assert_eq!((of("DisallowNewTimeProposal"), of("ResponseRequested")), (Some("1"), Some("0")));
    conforms!("MS-ASEMAIL_R390", "MS-ASEMAIL_R716");
    let place = format!("LOCATION:{}\n", "x".repeat(40_000));
    let house = House::new().await;
    house.raw(&invitation("plan", &place)).await;
    let long = told_in(&house, ProtocolVersion::V14_1, INBOX).await;
    assert!(text(&long, "MeetingRequest/Location").unwrap().chars().count() <= 32_768);
    conforms!("MS-ASEMAIL_R527");
}

/// Each of the commands that bring mail brings it where the specification has it ([MS-ASEMAIL] 3.2.5).
#[tokio::test]
async fn four_commands_bring_mail_each_in_its_place() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let sync = told_in(&house, V, INBOX).await;
    assert_eq!(text(&sync, "Subject"), Some("one"));
    conforms!("MS-ASEMAIL_R55", "MS-ASEMAIL_R70", "MS-ASEMAIL_R71", "MS-ASEMAIL_R72");
    let answers = async |command, node: Node| {
        let body = house.send(command, document(&node)).await.body;
        assert!(body.starts_with(b"\x03\x01\x6a\x00"));
        conforms!("MS-ASEMAIL_R108", "MS-ASEMAIL_R109", "MS-ASEMAIL_R51", "MS-ASEMAIL_R53");
        body
    };
    let fetch = |options: Vec<Node>| {
        let ids = vec![
            t("Store", "Mailbox"),
            t("AirSync:CollectionId", INBOX),
            t("AirSync:ServerId", format!("{INBOX}:{item}")),
        ];
        e("ItemOperations:ItemOperations", [e("Fetch", both(ids, options))])
    };
    const FETCHED: &str = "ItemOperations/Response/Fetch/Properties";
    let fetched = below(&answers(C::ItemOperations, fetch(vec![])).await, FETCHED);
    assert_eq!(text(&fetched, "Subject"), Some("one"));
    conforms!("MS-ASEMAIL_R59", "MS-ASEMAIL_R61", "MS-ASEMAIL_R62", "MS-ASEMAIL_R64");
    let schema = e("Options", [e("Schema", [e("Email:Subject", []), e("Email:From", [])])]);
    let fetched = below(&answers(C::ItemOperations, fetch(vec![schema])).await, FETCHED);
    let names: Vec<&str> = fetched.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.iter().all(|name| ["Subject", "From"].contains(name)), "{names:?}");
    conforms!("MS-ASEMAIL_R63");

    let searches = |more: Vec<Node>| {
        let and = both(vec![t("AirSync:Class", "Email"), t("FreeText", "body")], more);
        let parts = [t("Name", "Mailbox"), e("Query", [e("And", and)]), e("Options", [])];
        e("Search:Search", [e("Store", parts)])
    };
    let found = answers(C::Search, searches(vec![])).await;
    let found = below(&found, "Search/Response/Store/Result/Properties");
    assert_eq!(text(&found, "Subject"), Some("one"));
    conforms!("MS-ASEMAIL_R57", "MS-ASEMAIL_R66", "MS-ASEMAIL_R67");

    let criterion = e("MailBoxSearchCriterion", [e("Query", [t("FreeText", "body")])]);
    let find = e("Find:Find", [t("SearchId", "1"), e("ExecuteSearch", [criterion])]);
    let found = below(&answers(C::Find, find).await, "Find/Response/Result/Properties");
    assert_eq!(text(&found, "Subject"), Some("one"));
    conforms!("MS-ASEMAIL_R6000", "MS-ASEMAIL_R6001");
}

/// Whatever changed beside marks, the whole mail is told again ([MS-ASEMAIL] 3.2.5.4.1).
#[tokio::test]
async fn a_draft_that_was_written_anew_is_told_whole_whatever_else_changed() {
    use crate::mailbox::{Flag, StateChange};
    for combination in 0..8_u8 {
        let has = |bit: u8| combination & bit != 0;
        let house = House::new().await;
        let drafts = house.folder_of_kind(FolderKind::Drafts).await;
        let arrival = Arrival { draft: true, ..Arrival::default() };
        let raw = |text: &str| format!("To: bob@b.example\r\nSubject: {text}\r\n\r\nhi\r\n");
        let item = house.store.append(drafts.id, raw("old").into(), arrival).await.unwrap();
        let id = activesync::types::CollectionId::new(drafts.number.to_string()).unwrap();
        let mut collection =
            activesync::command::sync::Collection::new(id, activesync::types::SyncKey::initial());
        for _ in 0..2 {
            collection.sync_key = house.sync_one(collection.clone()).await.sync_key;
        }
        let marked = StateChange {
            read: has(1).then_some(true),
            flag: has(2).then(|| Some(Flag { status: 2, ..Flag::default() })),
            categories: has(4).then(|| vec!["red".to_owned()]),
            verb: None,
        };
        house.store.set_state(drafts.id, item, marked).await.unwrap();
        house.store.replace_draft(drafts.id, item, raw("new").into()).await.unwrap();
        let seen = house.send(C::Sync, just(collection).encode(V)).await;
        let told = below(&seen.body, "Sync/Collections/Collection/Commands/Change/ApplicationData");
        for name in ["To", "DateReceived", "Read", "Flag", "Categories", "Body"] {
            assert!(text(&told, name).is_some(), "{name} of {combination}");
        }
        assert_eq!(text(&told, "Subject"), Some("new"));
    }
    conforms!("MS-ASEMAIL_R77", "MS-ASEMAIL_R94", "MS-ASEMAIL_R98", "MS-ASEMAIL_R102");
    conforms!("MS-ASEMAIL_R106", "MS-ASEMAIL_R10602", "MS-ASEMAIL_R10606");
    conforms!("MS-ASEMAIL_R10610", "MS-ASEMAIL_R10614");
}
