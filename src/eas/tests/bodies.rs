//! Bodies, parts of bodies and attachments as a phone asks for them, in each of the commands that bring them ([MS-ASAIRS]).

use activesync::command::CommandName as C;
use conformance::{conforms, shown};

use super::house::*;
use super::wire::*;
use crate::ids::ItemNumber;

const HTML: &str = "From: bob@b.example\nTo: ann@a.example\nSubject: plan\nMessage-ID: <plan@b.example>\n\
    Content-Type: text/html; charset=utf-8\n\n\
    <html><body><p>The plan, and all that is in it.</p></body></html>\n";
const FILES: &str = "From: bob@b.example\nSubject: files\nMIME-Version: 1.0\n\
    Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/related; boundary=b\n\n\
    --b\nContent-Type: text/html\n\n<img src=\"cid:pic@b\">\n--b\nContent-Type: image/png; name=pic.png\n\
    Content-ID: <pic@b>\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\nMDEyMw==\n\
    --b--\n--a\nContent-Type: application/pdf; name=plan.pdf\n\
    Content-Disposition: attachment; filename=plan.pdf\nContent-Transfer-Encoding: base64\n\n\
    MDEyMzQ1Njc4OQ==\n--a--\n";

/// The elements of a mail that a command brings.
type Told = Vec<(String, String)>;

/// The commands that bring bodies.
const COMMANDS: [C; 3] = [C::Search, C::Sync, C::ItemOperations];

/// What a command brings of the one mail there is, with these wishes.
async fn brings(house: &House, command: C, item: ItemNumber, wishes: Vec<Node>) -> Told {
    let options = e("Options", wishes);
    match command {
        C::Sync => {
            let begun = house.send(C::Sync, document(&in_inbox(vec![options]))).await.body;
            let path = |(path, _): &(String, String)| path.ends_with("/SyncKey");
            let key = elements(&begun).into_iter().find(path).unwrap().1;
            let body = document(&one_sync(vec![t("SyncKey", key), t("CollectionId", INBOX)]));
            let seen = house.send(C::Sync, body).await;
            below(&seen.body, "Sync/Collections/Collection/Commands/Add/ApplicationData")
        }
        C::ItemOperations => {
            let id = t("AirSync:ServerId", format!("{INBOX}:{item}"));
            let parts = [t("Store", "Mailbox"), t("AirSync:CollectionId", INBOX), id, options];
            let body = document(&e("ItemOperations:ItemOperations", [e("Fetch", parts)]));
            let seen = house.send(command, body).await;
            below(&seen.body, "ItemOperations/Response/Fetch/Properties")
        }
        _ => {
            let and = e("And", [t("AirSync:Class", "Email"), t("FreeText", "plan")]);
            let parts = [t("Name", "Mailbox"), e("Query", [and]), options];
            let body = document(&e("Search:Search", [e("Store", parts)]));
            let seen = house.send(C::Search, body).await;
            below(&seen.body, "Search/Response/Store/Result/Properties")
        }
    }
}

fn text<'a>(told: &'a Told, path: &str) -> Option<&'a str> {
    let mut found = told.iter().filter(|(at, _)| at == path);
    let text = found.next().map(|(_, text)| text.as_str());
    assert!(found.next().is_none(), "{path} twice");
    text
}

/// The names of the children of an element.
fn children<'a>(told: &'a Told, parent: &str) -> Vec<&'a str> {
    let within = told.iter().filter_map(|(path, _)| path.strip_prefix(parent)?.strip_prefix('/'));
    within.filter(|name| !name.contains('/')).collect()
}

fn wish(element: &'static str, kind: &str, octets: Option<u32>, whole: Option<bool>) -> Node {
    let mut children = vec![t("AirSyncBase:Type", kind)];
    children.extend(octets.map(|octets| t("AirSyncBase:TruncationSize", octets.to_string())));
    children.extend(whole.map(|whole| t("AirSyncBase:AllOrNone", if whole { "1" } else { "0" })));
    e(element, children)
}

/// Whether the children stand in this order, of which the first ones have to be there.
fn is_in_order(children: &[&str], required: &[&str], optional: &[&str]) -> bool {
    let order = [required, optional].concat();
    let places: Option<Vec<usize>> =
        children.iter().map(|child| order.iter().position(|name| name == child)).collect();
    children.starts_with(required)
        && places.is_some_and(|places| places.windows(2).all(|pair| pair[0] < pair[1]))
}

/// What is asked for with AllOrNone and a size, and the requirements that say what comes, command by command.
struct Case {
    whole: Option<bool>,
    is_cut: bool,
    body: [&'static [&'static str]; 3],
    part: [&'static [&'static str]; 3],
}

const CASES: &[Case] = &[
    Case {
        whole: Some(true),
        is_cut: false,
        body: [&["MS-ASAIRS_R53"], &["MS-ASAIRS_R373"], &["MS-ASAIRS_R54"]],
        part: [&[], &[], &[]],
    },
    Case {
        whole: Some(true),
        is_cut: true,
        body: [&["MS-ASAIRS_R375"], &["MS-ASAIRS_R376"], &["MS-ASAIRS_R377"]],
        part: [&[], &[], &[]],
    },
    Case {
        whole: Some(false),
        is_cut: true,
        body: [&["MS-ASAIRS_R55"], &["MS-ASAIRS_R378"], &["MS-ASAIRS_R379"]],
        part: [&[], &[], &[]],
    },
    Case {
        whole: Some(false),
        is_cut: false,
        body: [&["MS-ASAIRS_R380"], &["MS-ASAIRS_R381"], &["MS-ASAIRS_R382"]],
        part: [&[], &[], &[]],
    },
    Case {
        whole: None,
        is_cut: true,
        body: [&["MS-ASAIRS_R73"], &["MS-ASAIRS_R420"], &["MS-ASAIRS_R421"]],
        part: [&["MS-ASAIRS_R392"], &["MS-ASAIRS_R407"], &["MS-ASAIRS_R408"]],
    },
    Case {
        whole: None,
        is_cut: false,
        body: [&["MS-ASAIRS_R422"], &["MS-ASAIRS_R423"], &["MS-ASAIRS_R424"]],
        part: [&["MS-ASAIRS_R409"], &["MS-ASAIRS_R410"], &["MS-ASAIRS_R411"]],
    },
];

#[tokio::test]
async fn a_body_is_whole_cut_or_left_out_as_it_is_asked_for() {
    let house = House::new().await;
    let item = house.raw(HTML).await;
    for case in CASES {
        let octets = Some(if case.is_cut { 20 } else { 10_000 });
        for (at, command) in COMMANDS.into_iter().enumerate() {
            for (name, element, ids) in [
                ("Body", "AirSyncBase:BodyPreference", case.body[at]),
                ("BodyPart", "AirSyncBase:BodyPartPreference", case.part[at]),
            ] {
                let wishes = vec![wish(element, "2", octets, case.whole)];
                let told = brings(&house, command, item, wishes).await;
                let data = text(&told, &format!("{name}/Data"));
                let truncated = text(&told, &format!("{name}/Truncated"));
                match (case.is_cut, case.whole) {
                    (false, _) => assert!(data.unwrap().contains("all that is in it")),
                    (true, Some(true)) => assert_eq!(data, None, "{command} {name}"),
                    (true, _) => assert!(data.unwrap().len() <= 20, "{command} {name}"),
                }
                assert_eq!(truncated.is_some(), case.is_cut, "{command} {name}");
                assert!(text(&told, &format!("{name}/EstimatedDataSize")).is_some());
                ids.iter().for_each(|id| shown(id, file!()));
                let is_right = match name {
                    "Body" => is_in_order(
                        &children(&told, name),
                        &["Type", "EstimatedDataSize"],
                        &["Truncated", "Data", "Part", "Preview"],
                    ),
                    _ => is_in_order(
                        &children(&told, name),
                        &["Status", "Type", "EstimatedDataSize"],
                        &["Truncated", "Data", "Preview"],
                    ),
                };
                assert!(is_right, "{told:?}");
                let asked = ["AllOrNone", "BodyPreference", "BodyPartPreference"];
                assert!(
                    told.iter().all(|(path, _)| !asked.iter().any(|name| path.ends_with(name)))
                );
            }
        }
    }
    conforms!("MS-ASAIRS_R112", "MS-ASAIRS_R113", "MS-ASAIRS_R115", "MS-ASAIRS_R120");
    conforms!("MS-ASAIRS_R124", "MS-ASAIRS_R126", "MS-ASAIRS_R127", "MS-ASAIRS_R128");
    conforms!("MS-ASAIRS_R129", "MS-ASAIRS_R59", "MS-ASAIRS_R74", "MS-ASAIRS_R135");
    conforms!("MS-ASAIRS_R174", "MS-ASAIRS_R178", "MS-ASAIRS_R180", "MS-ASAIRS_R183");
    conforms!("MS-ASAIRS_R185", "MS-ASAIRS_R186", "MS-ASAIRS_R188", "MS-ASAIRS_R202");
    conforms!("MS-ASAIRS_R203", "MS-ASAIRS_R204", "MS-ASAIRS_R205", "MS-ASAIRS_R206");
    conforms!("MS-ASAIRS_R207", "MS-ASAIRS_R208");
}

#[tokio::test]
async fn all_or_none_means_nothing_without_a_size_and_the_next_type_where_the_first_is_too_long() {
    let house = House::new().await;
    let item = house.raw(HTML).await;
    for command in COMMANDS {
        let mut answers = Vec::new();
        for whole in [None, Some(false), Some(true)] {
            let wishes = vec![
                wish("AirSyncBase:BodyPreference", "2", None, whole),
                wish("AirSyncBase:BodyPartPreference", "2", None, whole),
            ];
            answers.push(brings(&house, command, item, wishes).await);
        }
        let data = |told: &Told| {
            ["Body/Data", "BodyPart/Data"].map(|path| text(told, path).map(str::to_owned))
        };
        assert!(data(&answers[0]).iter().all(Option::is_some));
        assert!(answers.iter().all(|told| data(told) == data(&answers[0])), "{command}");
        conforms!("MS-ASAIRS_R60", "MS-ASAIRS_R400", "MS-ASAIRS_R75", "MS-ASAIRS_R401");
        for (whole, kind) in [(None, "2"), (Some(true), "1")] {
            let wishes = vec![
                wish("AirSyncBase:BodyPreference", "2", Some(20), whole),
                wish("AirSyncBase:BodyPreference", "1", Some(10_000), None),
            ];
            let told = brings(&house, command, item, wishes).await;
            assert_eq!(text(&told, "Body/Type"), Some(kind), "{command}");
            assert_eq!(text(&told, "Body/Truncated").is_some(), whole.is_none());
        }
        conforms!("MS-ASAIRS_R77", "MS-ASAIRS_R78", "MS-ASAIRS_R80");
    }
}

#[tokio::test]
async fn attachments_say_what_they_are() {
    let house = House::new().await;
    let item = house.raw(FILES).await;
    let told =
        brings(&house, C::Sync, item, vec![wish("AirSyncBase:BodyPreference", "2", None, None)])
            .await;
    assert!(children(&told, "Attachments").iter().all(|name| *name == "Attachment"));
    assert_eq!(children(&told, "Attachments").len(), 2);
    conforms!("MS-ASAIRS_R87");
    // One after the other: each begins where an Attachment stands.
    let starts: Vec<usize> =
        (0..told.len()).filter(|at| told[*at].0 == "Attachments/Attachment").collect();
    let files = [told[starts[0]..starts[1]].to_vec(), told[starts[1]..].to_vec()];
    for file in &files {
        for name in ["DisplayName", "FileReference", "Method", "EstimatedDataSize"] {
            assert!(text(file, &format!("Attachments/Attachment/{name}")).is_some(), "{name}");
        }
        for name in ["ContentId", "ContentLocation", "IsInline"] {
            text(file, &format!("Attachments/Attachment/{name}"));
        }
        assert!(file.iter().all(|(path, _)| path.matches("Attachment/").count() <= 1));
    }
    conforms!("MS-ASAIRS_R91", "MS-ASAIRS_R92", "MS-ASAIRS_R93", "MS-ASAIRS_R192");
    conforms!("MS-ASAIRS_R193", "MS-ASAIRS_R198", "MS-ASAIRS_R199", "MS-ASAIRS_R200");
    conforms!("MS-ASAIRS_R211", "MS-ASAIRS_R218", "MS-ASAIRS_R219", "MS-ASAIRS_R220");
    conforms!("MS-ASAIRS_R222", "MS-ASAIRS_R164", "MS-ASAIRS_R169");
    let of = |file: &Told, name: &str| {
        text(file, &format!("Attachments/Attachment/{name}")).map(str::to_owned)
    };
    let picture = files.iter().find(|file| of(file, "DisplayName").as_deref() == Some("pic.png"));
    let plan = files.iter().find(|file| of(file, "DisplayName").as_deref() == Some("plan.pdf"));
    assert_eq!(of(picture.unwrap(), "IsInline").as_deref(), Some("1"));
    assert_eq!(of(picture.unwrap(), "ContentId").as_deref(), Some("pic@b"));
    assert!(of(plan.unwrap(), "IsInline").is_none_or(|inline| inline == "0"));
    conforms!("MS-ASAIRS_R10020", "MS-ASAIRS_R100299", "MS-ASAIRS_R100298");
    assert_ne!(of(plan.unwrap(), "FileReference"), of(picture.unwrap(), "FileReference"));
    conforms!("MS-ASAIRS_R213");
}

#[tokio::test]
async fn a_preview_is_no_longer_than_it_is_asked_for() {
    let house = House::new().await;
    let item = house.raw(HTML).await;
    for command in COMMANDS {
        for chars in [1, 8, 255] {
            let of = |element| {
                let preview = t("AirSyncBase:Preview", chars.to_string());
                e(element, [t("AirSyncBase:Type", "2"), preview])
            };
            let wishes =
                vec![of("AirSyncBase:BodyPreference"), of("AirSyncBase:BodyPartPreference")];
            let told = brings(&house, command, item, wishes).await;
            for name in ["Body/Preview", "BodyPart/Preview"] {
                let preview = text(&told, name).unwrap();
                assert!("The plan, and all that is in it.".starts_with(preview.trim_end()));
                assert!((1..=chars).contains(&preview.chars().count()), "{preview}");
            }
        }
    }
    conforms!("MS-ASAIRS_R250", "MS-ASAIRS_R251", "MS-ASAIRS_R255", "MS-ASAIRS_R257");
    conforms!("MS-ASAIRS_R2599", "MS-ASAIRS_R2644");
}
