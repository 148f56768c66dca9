//! Every limit that the specifications name, on the wire: what is just within it is served, and what is just beyond it has the status
//! that they name ([MS-ASCMD] 3.1.5.10, 6, and the elements).

use activesync::command::CommandName;
use conformance::shown;

use super::house::*;
use super::wire::*;

fn with_options(options: Vec<Node>) -> Node {
    in_inbox(vec![e("Options", options)])
}

fn watching(folders: Vec<Node>) -> Node {
    e("Ping:Ping", [t("HeartbeatInterval", "60"), e("Folders", folders)])
}

fn fetch(more: Vec<Node>) -> Node {
    let fetch = both(vec![t("Store", "Mailbox")], more);
    e("ItemOperations:ItemOperations", [e("Fetch", fetch)])
}

fn resolve(to: usize, chars: usize, options: Vec<Node>) -> Node {
    let to = many(to, |_| t("To", x(chars)));
    e("ResolveRecipients:ResolveRecipients", both(to, options))
}

fn resolve_with(options: Vec<Node>) -> Node {
    resolve(1, 3, vec![e("Options", options)])
}

fn meeting(requests: usize, id: String) -> Node {
    let request = |_| {
        e("Request", [t("UserResponse", "1"), t("CollectionId", INBOX), t("RequestId", id.clone())])
    };
    e("MeetingResponse:MeetingResponse", many(requests, request))
}

fn moves(count: usize, source: String, folder: String, to: String) -> Node {
    let one = |_| {
        let source = t("SrcMsgId", source.clone());
        e("Move", [source, t("SrcFldId", folder.clone()), t("DstFldId", to.clone())])
    };
    e("Move:MoveItems", many(count, one))
}

fn certificates(count: usize) -> Node {
    let one = |_| t("Certificate", "MAA=");
    e("ValidateCert:ValidateCert", [e("Certificates", many(count, one))])
}

fn folder(name: String) -> Node {
    let (key, parent) = (t("SyncKey", "1.x"), t("ParentId", "0"));
    e("FolderHierarchy:FolderCreate", [key, parent, t("DisplayName", name), t("Type", "12")])
}

fn send(client_id: String) -> Node {
    e("ComposeMail:SendMail", [t("ClientId", client_id), t("Mime", "To: a@a.example\r\n\r\n")])
}

fn forward(source: Vec<Node>) -> Node {
    let mime = t("Mime", "To: a@a.example\r\n\r\n");
    e("ComposeMail:SmartForward", [t("ClientId", "1"), e("Source", source), mime])
}

fn settings(property: Node) -> Node {
    e("Settings:Settings", [property])
}

/// A limit: of which command, what makes so much of it, the most there may be, what is complained of in that and to one more, and
/// the requirements that say so.
struct Limit {
    what: &'static str,
    command: CommandName,
    make: fn(usize) -> Node,
    most: usize,
    within: Option<u16>,
    beyond: u16,
    ids: &'static [&'static str],
}

use CommandName as C;

const LIMITS: &[Limit] = &[
    Limit {
        what: "collections of a Sync",
        command: C::Sync,
        make: |n| {
            let one =
                |n: usize| e("Collection", [t("SyncKey", "0"), t("CollectionId", n.to_string())]);
            e("AirSync:Sync", [e("Collections", many(n, one))])
        },
        most: 300,
        within: None,
        beyond: 15,
        ids: &["MS-ASCMD_R3231"],
    },
    Limit {
        what: "operations of a Sync",
        command: C::Sync,
        make: |n| {
            let one = |n: usize| e("Delete", [t("ServerId", format!("1:{n}"))]);
            one_sync(vec![
                t("SyncKey", "1.x"),
                t("CollectionId", INBOX),
                e("Commands", many(n, one)),
            ])
        },
        most: 200,
        within: Some(3),
        beyond: 4,
        ids: &["MS-ASCMD_R5659"],
    },
    Limit {
        what: "characters of a SyncKey",
        command: C::Sync,
        make: |n| one_sync(vec![t("SyncKey", x(n)), t("CollectionId", INBOX)]),
        most: 64,
        within: Some(3),
        beyond: 4,
        ids: &[],
    },
    Limit {
        what: "characters of a CollectionId",
        command: C::Sync,
        make: |n| one_sync(vec![t("SyncKey", "0"), t("CollectionId", x(n))]),
        most: 64,
        within: Some(12),
        beyond: 4,
        ids: &["MS-ASCMD_R2036"],
    },
    Limit {
        what: "characters of a ServerId",
        command: C::Sync,
        make: |n| {
            let delete = e("Delete", [t("ServerId", x(n))]);
            one_sync(vec![t("SyncKey", "1.x"), t("CollectionId", INBOX), e("Commands", [delete])])
        },
        most: 64,
        within: Some(3),
        beyond: 4,
        ids: &[],
    },
    Limit {
        what: "characters of a ClientId",
        command: C::Sync,
        make: |n| {
            let add =
                e("Add", [t("ClientId", x(n)), e("ApplicationData", [t("Email:Subject", "a")])]);
            one_sync(vec![t("SyncKey", "1.x"), t("CollectionId", INBOX), e("Commands", [add])])
        },
        most: 64,
        within: Some(3),
        beyond: 4,
        ids: &[],
    },
    Limit {
        what: "blocks of options",
        command: C::Sync,
        make: |n| {
            let class = |n: usize| ["Email", "SMS", "Calendar"][(n - 1) % 3];
            in_inbox(many(n, |n| e("Options", [t("Class", class(n))])))
        },
        most: 2,
        within: None,
        beyond: 4,
        ids: &[],
    },
    Limit {
        what: "FilterType",
        command: C::Sync,
        make: |n| with_options(vec![t("FilterType", n.to_string())]),
        most: 5,
        within: None,
        beyond: 4,
        ids: &[],
    },
    Limit {
        what: "MIMESupport",
        command: C::Sync,
        make: |n| with_options(vec![t("MIMESupport", n.to_string())]),
        most: 2,
        within: None,
        beyond: 4,
        ids: &[],
    },
    Limit {
        what: "characters of a preview",
        command: C::Sync,
        make: |n| {
            let preference = [t("AirSyncBase:Type", "1"), t("AirSyncBase:Preview", n.to_string())];
            with_options(vec![e("AirSyncBase:BodyPreference", preference)])
        },
        most: 255,
        within: None,
        beyond: 4,
        ids: &[],
    },
    Limit {
        what: "folders of a Ping",
        command: C::Ping,
        make: |n| watching(many(n, |n| e("Folder", [t("Id", n.to_string()), t("Class", "Email")]))),
        most: 1000,
        within: Some(7),
        beyond: 6,
        ids: &["MS-ASCMD_R3259"],
    },
    Limit {
        what: "characters of an Id",
        command: C::Ping,
        make: |n| watching(vec![e("Folder", [t("Id", x(n)), t("Class", "Email")])]),
        most: 64,
        within: Some(7),
        beyond: 4,
        ids: &[],
    },
    Limit {
        what: "seconds of a Ping",
        command: C::Ping,
        make: |n| {
            let folder = e("Folder", [t("Id", "4711"), t("Class", "Email")]);
            e("Ping:Ping", [t("HeartbeatInterval", n.to_string()), e("Folders", [folder])])
        },
        most: 3540,
        within: Some(7),
        beyond: 5,
        ids: &["MS-ASCMD_R5691"],
    },
    Limit {
        what: "collections of an estimate",
        command: C::GetItemEstimate,
        make: |n| {
            let one = |n: usize| {
                e("Collection", [t("AirSync:SyncKey", "0"), t("CollectionId", n.to_string())])
            };
            e("GetItemEstimate:GetItemEstimate", [e("Collections", many(n, one))])
        },
        most: 1000,
        within: Some(3),
        beyond: 103,
        ids: &["MS-ASCMD_R5647"],
    },
    Limit {
        what: "characters of a CollectionId",
        command: C::GetItemEstimate,
        make: |n| estimate(vec![t("AirSync:SyncKey", "0"), t("CollectionId", x(n))]),
        most: 64,
        within: Some(2),
        beyond: 103,
        ids: &["MS-ASCMD_R985"],
    },
    Limit {
        what: "operations",
        command: C::ItemOperations,
        make: |n| {
            let one = |_| e("EmptyFolderContents", [t("AirSync:CollectionId", "999")]);
            e("ItemOperations:ItemOperations", many(n, one))
        },
        most: 100,
        within: Some(6),
        beyond: 11,
        ids: &["MS-ASCMD_R5643"],
    },
    Limit {
        what: "characters of a Store",
        command: C::ItemOperations,
        make: |n| e("ItemOperations:ItemOperations", [e("Fetch", [t("Store", x(n))])]),
        most: 256,
        within: Some(9),
        beyond: 2,
        ids: &[],
    },
    Limit {
        what: "characters of a LongId",
        command: C::ItemOperations,
        make: |n| fetch(vec![t("Search:LongId", x(n))]),
        most: 256,
        within: Some(6),
        beyond: 2,
        ids: &[],
    },
    Limit {
        what: "characters of a UserName",
        command: C::ItemOperations,
        make: |n| {
            fetch(vec![
                t("AirSync:CollectionId", "1"),
                t("AirSync:ServerId", "1:1"),
                e("Options", [t("UserName", x(n))]),
            ])
        },
        most: 100,
        within: Some(6),
        beyond: 2,
        ids: &[],
    },
    Limit {
        what: "characters of a Password",
        command: C::ItemOperations,
        make: |n| {
            fetch(vec![
                t("AirSync:CollectionId", "1"),
                t("AirSync:ServerId", "1:1"),
                e("Options", [t("Password", x(n))]),
            ])
        },
        most: 256,
        within: Some(6),
        beyond: 2,
        ids: &["MS-ASCMD_R3653"],
    },
    Limit {
        what: "characters of a UserName",
        command: C::Search,
        make: |n| search("GAL", "zoe", vec![t("UserName", x(n))]),
        most: 100,
        within: None,
        beyond: 103,
        ids: &[],
    },
    Limit {
        what: "characters of a Password",
        command: C::Search,
        make: |n| search("GAL", "zoe", vec![t("Password", x(n))]),
        most: 100,
        within: None,
        beyond: 103,
        ids: &[],
    },
    Limit {
        what: "replies to invitations",
        command: C::MeetingResponse,
        make: |n| meeting(n, "9".to_owned()),
        most: 100,
        within: Some(2),
        beyond: 103,
        ids: &["MS-ASCMD_R5650"],
    },
    Limit {
        what: "characters of a RequestId",
        command: C::MeetingResponse,
        make: |n| meeting(1, x(n)),
        most: 64,
        within: Some(2),
        beyond: 103,
        ids: &["MS-ASCMD_R3808"],
    },
    Limit {
        what: "moves",
        command: C::MoveItems,
        make: |n| moves(n, "1:9".to_owned(), INBOX.to_owned(), "2".to_owned()),
        most: 1000,
        within: None,
        beyond: 103,
        ids: &["MS-ASCMD_R5653"],
    },
    Limit {
        what: "characters of a SrcMsgId",
        command: C::MoveItems,
        make: |n| moves(1, x(n), INBOX.to_owned(), "2".to_owned()),
        most: 64,
        within: None,
        beyond: 103,
        ids: &["MS-ASCMD_R3978"],
    },
    Limit {
        what: "characters of a SrcFldId",
        command: C::MoveItems,
        make: |n| moves(1, "1:1".to_owned(), x(n), "2".to_owned()),
        most: 64,
        within: None,
        beyond: 103,
        ids: &[],
    },
    Limit {
        what: "characters of a DstFldId",
        command: C::MoveItems,
        make: |n| moves(1, "1:1".to_owned(), INBOX.to_owned(), x(n)),
        most: 64,
        within: Some(2),
        beyond: 103,
        ids: &[],
    },
    Limit {
        what: "recipients",
        command: C::ResolveRecipients,
        make: |n| resolve(n, 3, vec![]),
        most: 100,
        within: Some(4),
        beyond: 5,
        ids: &["MS-ASCMD_R5656"],
    },
    Limit {
        what: "characters of a To",
        command: C::ResolveRecipients,
        make: |n| resolve(1, n, vec![]),
        most: 256,
        within: Some(4),
        beyond: 5,
        ids: &["MS-ASCMD_R4611"],
    },
    Limit {
        what: "MaxCertificates",
        command: C::ResolveRecipients,
        make: |n| resolve_with(vec![t("MaxCertificates", n.to_string())]),
        most: 9999,
        within: Some(4),
        beyond: 5,
        ids: &[],
    },
    Limit {
        what: "MaxAmbiguousRecipients",
        command: C::ResolveRecipients,
        make: |n| resolve_with(vec![t("MaxAmbiguousRecipients", n.to_string())]),
        most: 9999,
        within: Some(4),
        beyond: 5,
        ids: &[],
    },
    Limit {
        what: "CertificateRetrieval",
        command: C::ResolveRecipients,
        make: |n| resolve_with(vec![t("CertificateRetrieval", n.to_string())]),
        most: 3,
        within: Some(4),
        beyond: 5,
        ids: &[],
    },
    Limit {
        what: "certificates",
        command: C::ValidateCert,
        make: certificates,
        most: 100,
        within: Some(10),
        beyond: 2,
        ids: &["MS-ASCMD_R5662"],
    },
    Limit {
        what: "characters of a DisplayName",
        command: C::FolderCreate,
        make: |n| folder(x(n)),
        most: 256,
        within: Some(9),
        beyond: 10,
        ids: &[],
    },
    Limit {
        what: "characters of a SyncKey",
        command: C::FolderSync,
        make: |n| e("FolderHierarchy:FolderSync", [t("SyncKey", x(n))]),
        most: 64,
        within: Some(9),
        beyond: 10,
        ids: &[],
    },
    Limit {
        what: "characters of a ServerId",
        command: C::FolderDelete,
        make: |n| e("FolderHierarchy:FolderDelete", [t("SyncKey", "1.x"), t("ServerId", x(n))]),
        most: 64,
        within: Some(4),
        beyond: 10,
        ids: &[],
    },
    Limit {
        what: "characters of a ClientId",
        command: C::SendMail,
        make: |n| send(x(n)),
        most: 40,
        within: None,
        beyond: 103,
        ids: &[],
    },
    Limit {
        what: "characters of a LongId",
        command: C::SmartForward,
        make: |n| forward(vec![t("LongId", x(n))]),
        most: 256,
        within: Some(106),
        beyond: 103,
        ids: &[],
    },
    Limit {
        what: "characters of an ItemId",
        command: C::SmartForward,
        make: |n| forward(vec![t("FolderId", INBOX), t("ItemId", x(n))]),
        most: 64,
        within: Some(106),
        beyond: 103,
        ids: &[],
    },
    Limit {
        what: "characters of a recovery password",
        command: C::Settings,
        make: |n| settings(e("DevicePassword", [e("Set", [t("Password", x(n))])])),
        most: 255,
        within: Some(7),
        beyond: 2,
        ids: &[],
    },
    Limit {
        what: "characters of a model",
        command: C::Settings,
        make: |n| settings(e("DeviceInformation", [e("Set", [t("Model", x(n))])])),
        most: 1024,
        within: None,
        beyond: 2,
        ids: &[],
    },
    Limit {
        what: "messages of an absence",
        command: C::Settings,
        make: |n| {
            let kind = ["AppliesToInternal", "AppliesToExternalKnown", "AppliesToExternalUnknown"];
            let one = |n: usize| e("OofMessage", [e(kind[(n - 1) % 3], []), t("Enabled", "0")]);
            let set = both(vec![t("OofState", "0")], many(n, one));
            settings(e("Oof", [e("Set", set)]))
        },
        most: 3,
        within: None,
        beyond: 2,
        ids: &[],
    },
];

#[tokio::test]
async fn just_within_is_served_and_just_beyond_has_its_status() {
    let house = House::new().await;
    house.folder_sync("0").await;
    let mut wrong = Vec::new();
    for limit in LIMITS {
        let said = async |n: usize| {
            let body = document(&(limit.make)(n));
            let seen = house.answered(house.incoming(limit.command, "16.1", body)).await?;
            assert_eq!(seen.status, 200);
            complaint(&seen.body)
        };
        let (within, beyond) = (said(limit.most).await, said(limit.most + 1).await);
        if (within, beyond) == (limit.within, Some(limit.beyond)) {
            limit.ids.iter().for_each(|id| shown(id, file!()));
        } else {
            wrong.push(format!("{} of {}: {within:?} {beyond:?}", limit.what, limit.command));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
