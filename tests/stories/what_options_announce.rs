//! OPTIONS announces what works: every command announced is asked on every version announced, and answers in its own words.

use activesync_phone::activesync::command::CommandName;
use activesync_phone::activesync::command::find;
use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::meeting_response::UserResponse;
use activesync_phone::activesync::document::Document as _;
use activesync_phone::activesync::version::ProtocolVersion;
use activesync_phone::{Commit, Exchange, Outcome, Phone, Profile, SyncAsk, Waits};

use super::asked_after_a_recall::with_a_file;
use super::town::{Handset, SHORT_S, Town, folder};

#[tokio::test]
async fn every_command_on_every_version() {
    let town = Town::open().await;
    town.post(&["ann"], &with_a_file("one")).await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let exchange = phone.phone().options();
    let Outcome::Options { versions, commands } = phone.ask(exchange).await else {
        panic!("no OPTIONS")
    };
    let versions: Vec<ProtocolVersion> =
        versions.split(',').map(|version| version.parse().unwrap()).collect();
    assert_eq!(
        versions,
        [
            ProtocolVersion::V12_1,
            ProtocolVersion::V14_0,
            ProtocolVersion::V14_1,
            ProtocolVersion::V16_0,
            ProtocolVersion::V16_1
        ]
    );
    for version in versions {
        for base64_query in [false, true] {
            let profile = Profile { version, base64_query, ..Profile::android() };
            let mut phone = town.phone("ann", profile).await;
            for command in commands.split(',') {
                let command: CommandName = command.parse().unwrap();
                let what = format!("{command} of {version}, base64 query {base64_query}");
                if !command.exists_in(version) {
                    is_of_another_version(&mut phone, command, &what).await;
                    continue;
                }
                if command == CommandName::Ping {
                    // So that it need not wait.
                    town.mail(&format!("news{version}{base64_query}")).await;
                }
                answers(&mut phone, command, &what).await;
            }
        }
    }
}

/// Not 501, not 400; decoded by the phone; and a success of the command itself.
async fn answers(phone: &mut Handset, command: CommandName, what: &str) {
    let exchange = request(phone, command);
    assert_eq!(exchange.command, Some(command), "{what}");
    let answer = phone.driver.send(&exchange).await.unwrap();
    assert_eq!(answer.status, 200, "{what}");
    let outcome = phone.driver.phone.take(&exchange, &answer, Commit::All);
    let outcome = outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(succeeded(&outcome), "{what}: {outcome:?}");
    if command == CommandName::Provision {
        // The first phase alone leaves the phone half let in.
        phone.driver.provision().await.unwrap();
    }
}

/// One list names the commands of all versions; what a version does not have is refused in a Status ([MS-ASCMD] 2.2.2), or in HTTP
/// where the version says it so, or has no words for the command.
async fn is_of_another_version(phone: &mut Handset, command: CommandName, what: &str) {
    let exchange = request(phone, command);
    let answer = phone.driver.send(&exchange).await.unwrap();
    let is_old = phone.phone().profile.version < ProtocolVersion::V14_0;
    if is_old || command != CommandName::Find {
        assert_eq!((answer.status, answer.body.len()), (400, 0), "{what}");
        return;
    }
    let refused = find::Response::decode(ProtocolVersion::V16_1, &answer.body).unwrap();
    assert_eq!((answer.status, refused.status.0), (200, 138), "{what}");
}

/// A request that should succeed, also when it is made twice.
fn request(handset: &mut Handset, command: CommandName) -> Exchange {
    let inbox = handset.inbox();
    let name = handset.driver.phone.next_client_id();
    let phone: &Phone = handset.phone();
    let drafts = folder(phone, FolderType::DRAFTS);
    let item = phone.cache.find("one").map(|(_, id)| id.to_owned());
    let item = item.expect("the phone has it");
    match command {
        CommandName::Sync => phone.sync(&[SyncAsk::of(&inbox)], Waits::No),
        CommandName::FolderSync => phone.folder_sync(),
        CommandName::FolderCreate => phone.folder_create("0", "Same"),
        CommandName::FolderUpdate => phone.folder_update(&drafts, "0", "Other drafts"),
        CommandName::FolderDelete => phone.folder_delete(&inbox),
        CommandName::GetItemEstimate => phone.get_item_estimate(&inbox),
        CommandName::Ping => phone.ping(&[&inbox], SHORT_S),
        CommandName::Provision => phone.provision(),
        CommandName::Settings => phone.user_information(),
        // A letter is no invitation, and is told so.
        CommandName::MeetingResponse => {
            phone.meeting_response(&inbox, &item, UserResponse::Accepted, None)
        }
        CommandName::MoveItems => phone.move_items(&inbox, &[&item], &inbox),
        CommandName::ItemOperations => phone.fetch(&inbox, &item),
        CommandName::Search => phone.search(None, "See the file"),
        CommandName::Find => phone.find("a", None, "See the file", "0-9"),
        CommandName::ResolveRecipients => phone.resolve(&["ben", "nobody"]),
        CommandName::ValidateCert => phone.validate_certificate(&[], b"none"),
        CommandName::SendMail => phone.send_mail(&name, MAIL),
        CommandName::SmartReply | CommandName::SmartForward => {
            phone.smart(command, &name, (&inbox, &item), MAIL)
        }
        CommandName::GetAttachment => phone.get_attachment(&file(phone, &inbox, &item)),
        CommandName::GetHierarchy => phone.get_hierarchy(),
        other => panic!("{other} is announced: show here that it works"),
    }
}

/// Whether the answer is the one the command has for that request.
fn succeeded(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Sync(None) | Outcome::Sent(None) => true,
        Outcome::Sync(Some(response)) => {
            response.status.is_none() && response.collections.iter().all(|one| one.status.0 == 1)
        }
        Outcome::Provision(response) => response.status.0 == 1 && response.policy.is_some(),
        Outcome::FolderSync(response) => response.status.0 == 1,
        // Nothing new, or something.
        Outcome::Ping(response) => matches!(response.status.0, 1 | 2),
        Outcome::GetItemEstimate(response) => response.responses[0].status.0 == 1,
        // It lies there already; the name is taken; a standard folder stays as it is.
        Outcome::MoveItems(response) => response.responses[0].status.0 == 4,
        Outcome::MeetingResponse(response) => response.results[0].status.0 == 2,
        Outcome::FolderCreate(response) => matches!(response.status.0, 1 | 2),
        Outcome::FolderUpdate(response) => response.status.0 == 2,
        Outcome::FolderDelete(response) => response.status.0 == 3,
        Outcome::ItemOperations(response) => response.status.0 == 1,
        Outcome::Search(response) => {
            let store = response.store.as_ref();
            store.is_some_and(|store| store.status.0 == 1 && store.total >= Some(1))
        }
        Outcome::Find(response) => {
            let page = response.page.as_ref();
            page.is_some_and(|page| page.status.0 == 1 && page.total >= Some(1))
        }
        Outcome::ResolveRecipients(response) => {
            let said = |at: usize| response.responses[at].status.0;
            response.status.0 == 1 && (said(0), said(1)) == (1, 4)
        }
        Outcome::ValidateCert(response) => {
            response.status.0 == 1 && response.certificates[0].0 == 10
        }
        Outcome::Settings(response) => response.status.0 == 1,
        Outcome::Attachment(octets) => octets.starts_with(b"name,salary"),
        Outcome::Hierarchy(response) => response.folders.len() > 4,
        _ => false,
    }
}

/// What a phone calls the file of a mail.
pub(crate) fn file(phone: &Phone, folder: &str, item: &str) -> String {
    let attachments = phone.cache.collections[folder].items[item].email.attachments.clone();
    attachments.unwrap().attachments[0].file_reference.clone().unwrap().to_string()
}

/// A mail that may leave.
const MAIL: &[u8] = b"From: ann@a.example\r\nTo: ben@a.example\r\nSubject: Hello\r\n\r\nHello\r\n";
