//! What a phone can ask: one verb a request.

use activesync::ProtocolVersion;
use activesync::command::{
    CommandName, find, folder_create, folder_delete, folder_sync, folder_update, get_item_estimate,
    item_operations, meeting_response, move_items, ping, plain_mail, provision, resolve_recipients,
    search, send_mail, settings, smart_forward, smart_reply, sync, validate_cert,
};
use activesync::document::Document;
use activesync::http;
use activesync::item::ItemData;
use activesync::item::body::{Body, BodyPreference, BodyType, Content};
use activesync::item::email::{Email, Flag};
use activesync::status::Status;
use activesync::types::{
    ClassName, ClientId, CollectionId, FileReference, RangeText, RecipientText, SearchId, ServerId,
    SyncKey,
};

use crate::exchange::Exchange;
use crate::phone::Phone;

/// How a Sync waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It does not.
    No,
    /// HeartbeatInterval, in seconds.
    Seconds(u32),
    /// Wait, in minutes.
    Minutes(u32),
}

/// What a Sync asks of one folder.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncAsk {
    /// The folder.
    pub folder: String,
    /// What the phone did there.
    pub commands: Vec<sync::ClientCommand>,
    /// DeletesAsMoves; the server's default where absent.
    pub deletes_as_moves: Option<bool>,
    /// GetChanges; the server's default where absent.
    pub get_changes: Option<bool>,
}

impl SyncAsk {
    /// Just the changes of a folder.
    pub fn of(folder: &str) -> SyncAsk {
        SyncAsk {
            folder: folder.to_owned(),
            commands: Vec::new(),
            deletes_as_moves: None,
            get_changes: None,
        }
    }

    /// The same, with a command.
    #[must_use]
    pub fn with(mut self, command: sync::ClientCommand) -> SyncAsk {
        self.commands.push(command);
        self
    }
}

fn server_id(text: &str) -> ServerId {
    ServerId::new(text).unwrap_or_default()
}

fn collection_id(text: &str) -> CollectionId {
    CollectionId::new(text).unwrap_or_default()
}

impl Phone {
    /// OPTIONS.
    pub fn options(&self) -> Exchange {
        let headers = vec![
            ("authorization".to_owned(), self.authorization()),
            ("user-agent".to_owned(), self.profile.user_agent.to_owned()),
        ];
        Exchange {
            method: "OPTIONS",
            target: http::ENDPOINT.to_owned(),
            headers,
            body: Vec::new(),
            command: None,
        }
    }

    /// The first phase of Provision, with DeviceInformation.
    pub fn provision(&self) -> Exchange {
        let information = settings::DeviceInformation {
            model: Some(self.profile.name.to_owned()),
            os: Some(self.profile.user_agent.to_owned()),
            friendly_name: Some(format!("{} of {}", self.profile.name, self.user)),
            ..settings::DeviceInformation::default()
        };
        let request = provision::Request {
            device_information: Some(information),
            policy: Some(provision::PolicyRequest {
                policy_type: provision::POLICY_TYPE_WBXML.to_owned(),
                policy_key: None,
                status: None,
            }),
            remote_wipe: None,
            account_only_remote_wipe: None,
        };
        let body = request.encode(self.profile.version);
        self.post_with(CommandName::Provision, body, |query| query.policy_key = Some(0))
    }

    /// The second phase: the policy with this key was applied.
    pub fn provision_acknowledge(&self, policy_key: &str) -> Exchange {
        let request = provision::Request {
            device_information: None,
            policy: Some(provision::PolicyRequest {
                policy_type: provision::POLICY_TYPE_WBXML.to_owned(),
                policy_key: Some(policy_key.to_owned()),
                status: Some(Status(1)),
            }),
            remote_wipe: None,
            account_only_remote_wipe: None,
        };
        let body = request.encode(self.profile.version);
        let key = policy_key.parse().ok();
        self.post_with(CommandName::Provision, body, |query| query.policy_key = key)
    }

    /// Acknowledges a wipe with a status: 1 it will, 2 it failed ([MS-ASPROV] 2.2.2.54.2).
    pub fn wipe_acknowledge(&self, account_only: bool, status: u16) -> Exchange {
        let status = Some(Status(status));
        let request = provision::Request {
            device_information: None,
            policy: None,
            remote_wipe: if account_only { None } else { status },
            account_only_remote_wipe: if account_only { status } else { None },
        };
        self.post(CommandName::Provision, request.encode(self.profile.version))
    }

    /// FolderSync from the key it has.
    pub fn folder_sync(&self) -> Exchange {
        let sync_key = self.cache.hierarchy_key.clone().unwrap_or_else(SyncKey::initial);
        let request = folder_sync::Request { sync_key };
        self.post(CommandName::FolderSync, request.encode(self.profile.version))
    }

    /// Makes a mail folder.
    pub fn folder_create(&self, parent: &str, name: &str) -> Exchange {
        let request = folder_create::Request {
            sync_key: self.hierarchy_key(),
            parent_id: server_id(parent),
            display_name: name.to_owned(),
            folder_type: folder_sync::FolderType::USER_MAIL,
        };
        self.post(CommandName::FolderCreate, request.encode(self.profile.version))
    }

    /// Renames or moves a folder.
    pub fn folder_update(&self, folder: &str, parent: &str, name: &str) -> Exchange {
        let request = folder_update::Request {
            sync_key: self.hierarchy_key(),
            server_id: server_id(folder),
            parent_id: server_id(parent),
            display_name: name.to_owned(),
        };
        self.post(CommandName::FolderUpdate, request.encode(self.profile.version))
    }

    /// Deletes a folder.
    pub fn folder_delete(&self, folder: &str) -> Exchange {
        let request =
            folder_delete::Request { sync_key: self.hierarchy_key(), server_id: server_id(folder) };
        self.post(CommandName::FolderDelete, request.encode(self.profile.version))
    }

    fn hierarchy_key(&self) -> SyncKey {
        self.cache.hierarchy_key.clone().unwrap_or_else(SyncKey::initial)
    }

    /// A Sync of some folders.
    pub fn sync(&self, asks: &[SyncAsk], waits: Waits) -> Exchange {
        self.sync_as(asks, waits, false)
    }

    /// A Sync that names some folders; the others are as in the Sync before ([MS-ASCMD] 2.2.3.131).
    pub fn partial_sync(&self, asks: &[SyncAsk], waits: Waits) -> Exchange {
        self.sync_as(asks, waits, true)
    }

    fn sync_as(&self, asks: &[SyncAsk], waits: Waits, partial: bool) -> Exchange {
        let mut request = sync::Request {
            collections: asks.iter().map(|ask| self.collection(ask)).collect(),
            partial,
            ..sync::Request::default()
        };
        match waits {
            Waits::No => {}
            Waits::Seconds(seconds) => request.heartbeat_interval_s = Some(seconds),
            Waits::Minutes(minutes) => request.wait_min = Some(minutes),
        }
        self.post(CommandName::Sync, request.encode(self.profile.version))
    }

    /// The same Sync as last time, without a body ([MS-ASCMD] 2.2.1.21).
    pub fn empty_sync(&self) -> Exchange {
        self.post(CommandName::Sync, Vec::new())
    }

    fn collection(&self, ask: &SyncAsk) -> sync::Collection {
        let cached = self.cache.collections.get(&ask.folder);
        let key = cached.and_then(|c| c.key.clone()).unwrap_or_else(SyncKey::initial);
        let initial = key.is_initial();
        let mut collection = sync::Collection::new(collection_id(&ask.folder), key);
        if initial {
            return collection;
        }
        collection.window_size = Some(self.profile.window_size);
        collection.deletes_as_moves = ask.deletes_as_moves;
        collection.get_changes = ask.get_changes;
        collection.commands.clone_from(&ask.commands);
        collection.options.push(sync::Options {
            filter_type: cached.and_then(|c| c.filter),
            body_preferences: vec![
                self.preference(BodyType::Html),
                self.preference(BodyType::Plain),
            ],
            ..sync::Options::default()
        });
        collection
    }

    fn preference(&self, body_type: BodyType) -> BodyPreference {
        let mut preference = BodyPreference::new(body_type);
        preference.truncation_size = Some(self.profile.truncation_size);
        preference
    }

    /// Ping of some folders.
    pub fn ping(&self, folders: &[&str], heartbeat_s: u32) -> Exchange {
        let folders = folders
            .iter()
            .map(|id| ping::Folder { id: collection_id(id), class: ClassName::email() })
            .collect();
        let request = ping::Request { heartbeat_s: Some(heartbeat_s), folders: Some(folders) };
        let body = request.encode(self.profile.version);
        // [MS-ASPROV] 3.1.5.1: Ping carries no policy key.
        self.post_with(CommandName::Ping, body, |query| query.policy_key = None)
    }

    /// Ping as last time, without a body.
    pub fn empty_ping(&self) -> Exchange {
        self.post_with(CommandName::Ping, Vec::new(), |query| query.policy_key = None)
    }

    /// How much is there to sync?
    pub fn get_item_estimate(&self, folder: &str) -> Exchange {
        let sync_key = self.cache.collections.get(folder).and_then(|c| c.key.clone());
        let request = get_item_estimate::Request {
            collections: vec![get_item_estimate::Collection {
                sync_key: sync_key.unwrap_or_else(SyncKey::initial),
                collection_id: collection_id(folder),
                conversation_mode: None,
                options: Vec::new(),
            }],
        };
        self.post(CommandName::GetItemEstimate, request.encode(self.profile.version))
    }

    /// Fetches a mail whole, as when it is opened.
    pub fn fetch(&self, folder: &str, item: &str) -> Exchange {
        let options = item_operations::FetchOptions {
            body_preferences: vec![BodyPreference::new(BodyType::Html)],
            ..item_operations::FetchOptions::default()
        };
        self.item_operations(item_operations::Fetch {
            store: Some("Mailbox".to_owned()),
            collection_id: Some(collection_id(folder)),
            server_id: Some(server_id(item)),
            options: Some(options),
            ..item_operations::Fetch::default()
        })
    }

    /// Fetches an attachment, or a range of its octets (first and last, both inclusive).
    pub fn fetch_attachment(&self, reference: &str, range: Option<(u32, u32)>) -> Exchange {
        let options = range.map(|(first, last)| item_operations::FetchOptions {
            range: RangeText::new(format!("{first}-{last}")).ok(),
            ..item_operations::FetchOptions::default()
        });
        self.item_operations(item_operations::Fetch {
            store: Some("Mailbox".to_owned()),
            file_reference: FileReference::new(reference).ok(),
            options,
            ..item_operations::Fetch::default()
        })
    }

    fn item_operations(&self, fetch: item_operations::Fetch) -> Exchange {
        let operations = vec![item_operations::Operation::Fetch(Box::new(fetch))];
        let request = item_operations::Request { operations };
        self.post(CommandName::ItemOperations, request.encode(self.profile.version))
    }

    /// Searches the mail of a folder, or of all, for words.
    pub fn search(&self, folder: Option<&str>, words: &str) -> Exchange {
        let query = search::MailboxQuery {
            collection_ids: folder.map(collection_id).into_iter().collect(),
            free_text: Some(words.to_owned()),
            ..search::MailboxQuery::default()
        };
        let mut request = search::Request::new("Mailbox", search::Query::Mailbox(Box::new(query)));
        request.options.body_preferences = vec![self.preference(BodyType::Html)];
        self.post(CommandName::Search, request.encode(self.profile.version))
    }

    /// Looks for people in the address list.
    pub fn search_people(&self, text: &str) -> Exchange {
        let request = search::Request::new("GAL", search::Query::Text(text.to_owned()));
        self.post(CommandName::Search, request.encode(self.profile.version))
    }

    /// Looks for mail with Find (16.1): words or restrictions, in a folder or in all.
    pub fn find(&self, search: &str, folder: Option<&str>, words: &str, range: &str) -> Exchange {
        let query = find::MailboxQuery {
            collection_id: folder.map(collection_id),
            free_text: Some(words.to_owned()),
            ..find::MailboxQuery::default()
        };
        let options = find::MailboxOptions {
            range: RangeText::new(range).ok(),
            ..find::MailboxOptions::default()
        };
        let criterion = find::MailboxCriterion { query: Some(query), options: Some(options) };
        self.find_by(search, find::Criterion::Mailbox(criterion))
    }

    /// Looks for people with Find (16.1).
    pub fn find_people(&self, search: &str, text: &str) -> Exchange {
        let query = text.to_owned();
        let criterion = find::PeopleCriterion { query, ..find::PeopleCriterion::default() };
        self.find_by(search, find::Criterion::People(criterion))
    }

    fn find_by(&self, search: &str, criterion: find::Criterion) -> Exchange {
        let search_id = SearchId::new(search).expect("the id of a search is short");
        let request = find::Request { search_id, criterion };
        self.post(CommandName::Find, request.encode(ProtocolVersion::V16_1))
    }

    /// Asks who is meant by names, with everything that can be told of them.
    pub fn resolve(&self, names: &[&str]) -> Exchange {
        let name = |name: &&str| RecipientText::new(*name).expect("names are short");
        let options = resolve_recipients::Options {
            certificate_retrieval: Some(resolve_recipients::CertificateRetrieval::Full),
            ..resolve_recipients::Options::default()
        };
        let to = names.iter().map(name).collect();
        let request = resolve_recipients::Request { to, options: Some(options) };
        self.post(CommandName::ResolveRecipients, request.encode(self.profile.version))
    }

    /// Asks whether a certificate, in DER, is to be trusted.
    pub fn validate_certificate(&self, chain: &[&[u8]], certificate: &[u8]) -> Exchange {
        let request = validate_cert::Request {
            chain: chain.iter().map(|der| validate_cert::Certificate::new(der)).collect(),
            certificates: vec![validate_cert::Certificate::new(certificate)],
            check_crl: None,
        };
        self.post(CommandName::ValidateCert, request.encode(self.profile.version))
    }

    /// Fetches a search result whole.
    pub fn fetch_result(&self, long_id: &str) -> Exchange {
        let options = item_operations::FetchOptions {
            body_preferences: vec![BodyPreference::new(BodyType::Html)],
            ..item_operations::FetchOptions::default()
        };
        self.item_operations(item_operations::Fetch {
            store: Some("Mailbox".to_owned()),
            long_id: activesync::types::LongId::new(long_id).ok(),
            options: Some(options),
            ..item_operations::Fetch::default()
        })
    }

    /// Moves a conversation to a folder for good.
    pub fn move_conversation(&self, conversation: &[u8], to: &str) -> Exchange {
        let operations = vec![item_operations::Operation::Move {
            conversation_id: conversation.to_vec(),
            dst_fld_id: collection_id(to),
            move_always: true,
        }];
        let request = item_operations::Request { operations };
        self.post(CommandName::ItemOperations, request.encode(self.profile.version))
    }

    /// Fetches bodies of a folder in one request, which are to come as parts beside the document.
    pub fn fetch_in_parts(&self, folder: &str, items: &[&str], files: &[&str]) -> Exchange {
        let store = || Some("Mailbox".to_owned());
        let options = item_operations::FetchOptions {
            body_preferences: vec![BodyPreference::new(BodyType::Plain)],
            ..item_operations::FetchOptions::default()
        };
        let items = items.iter().map(|item| item_operations::Fetch {
            store: store(),
            collection_id: Some(collection_id(folder)),
            server_id: Some(server_id(item)),
            options: Some(options.clone()),
            ..item_operations::Fetch::default()
        });
        let files = files.iter().map(|file| item_operations::Fetch {
            store: store(),
            file_reference: FileReference::new(*file).ok(),
            ..item_operations::Fetch::default()
        });
        let fetches = items.chain(files).map(Box::new).map(item_operations::Operation::Fetch);
        let request = item_operations::Request { operations: fetches.collect() };
        let mut exchange =
            self.post(CommandName::ItemOperations, request.encode(self.profile.version));
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        exchange.headers.push(header(http::MS_AS_ACCEPT_MULTI_PART, "T"));
        exchange.headers.push(header("Accept-Encoding", "gzip"));
        exchange
    }

    /// Empties a folder.
    pub fn empty_folder(&self, folder: &str, delete_sub_folders: bool) -> Exchange {
        let operations = vec![item_operations::Operation::EmptyFolderContents {
            collection_id: collection_id(folder),
            delete_sub_folders,
        }];
        let request = item_operations::Request { operations };
        self.post(CommandName::ItemOperations, request.encode(self.profile.version))
    }

    /// Moves items of one folder to another.
    pub fn move_items(&self, from: &str, items: &[&str], to: &str) -> Exchange {
        let moves = items
            .iter()
            .map(|item| move_items::Move {
                src_msg_id: server_id(item),
                src_fld_id: collection_id(from),
                dst_fld_id: collection_id(to),
            })
            .collect();
        let request = move_items::Request { moves };
        self.post(CommandName::MoveItems, request.encode(self.profile.version))
    }

    /// Fetches an attachment as phones of 12.1 do: GetAttachment.
    pub fn get_attachment(&self, reference: &str) -> Exchange {
        self.post_with(CommandName::GetAttachment, Vec::new(), |query| {
            query.attachment_name = Some(reference.to_owned());
        })
    }

    /// The mail folders, as phones of 12.1 may ask for them.
    pub fn get_hierarchy(&self) -> Exchange {
        self.post(CommandName::GetHierarchy, Vec::new())
    }

    /// Mail as it was sent up to 12.1: as it is, with what else there is to say in the query.
    fn plain_mail(&self, request: &plain_mail::Request) -> Exchange {
        let asked = request.query(&self.device_id, self.profile.device_type);
        self.post_with(asked.command, request.mime.clone(), |query| {
            query.save_in_sent = asked.save_in_sent;
            query.collection_id = asked.collection_id;
            query.item_id = asked.item_id;
            query.long_id = asked.long_id;
            query.occurrence = asked.occurrence;
        })
    }

    /// Whether this device sends mail as it is.
    fn sends_plain(&self) -> bool {
        self.profile.version < ProtocolVersion::V14_0
    }

    /// Sends a mail; a repetition has the same `client_id`.
    pub fn send_mail(&self, client_id: &ClientId, mime: &[u8]) -> Exchange {
        if self.sends_plain() {
            let (purpose, mime) = (plain_mail::Purpose::Send, mime.to_vec());
            return self.plain_mail(&plain_mail::Request {
                purpose,
                save_in_sent_items: true,
                mime,
            });
        }
        let request = send_mail::Request {
            client_id: client_id.clone(),
            account_id: None,
            save_in_sent_items: true,
            mime: mime.to_vec(),
            template_id: None,
        };
        self.post(CommandName::SendMail, request.encode(self.profile.version))
    }

    /// Replies to a mail, or forwards it; the server adds the original.
    pub fn smart(
        &self,
        command: CommandName,
        client_id: &ClientId,
        source: (&str, &str),
        mime: &[u8],
    ) -> Exchange {
        let source = smart_reply::Source {
            item: smart_reply::SourceItem::Item {
                folder_id: collection_id(source.0),
                item_id: server_id(source.1),
            },
            instance_id: None,
        };
        if self.sends_plain() {
            let purpose = match command {
                CommandName::SmartForward => plain_mail::Purpose::Forward(source),
                _ => plain_mail::Purpose::Reply(source),
            };
            return self.plain_mail(&plain_mail::Request {
                purpose,
                save_in_sent_items: true,
                mime: mime.to_vec(),
            });
        }
        let body = if command == CommandName::SmartForward {
            smart_forward::Request {
                client_id: client_id.clone(),
                source,
                account_id: None,
                save_in_sent_items: true,
                replace_mime: false,
                forwardees: Vec::new(),
                body: None,
                mime: Some(mime.to_vec()),
                template_id: None,
            }
            .encode(self.profile.version)
        } else {
            smart_reply::Request {
                client_id: client_id.clone(),
                source,
                account_id: None,
                save_in_sent_items: true,
                replace_mime: false,
                mime: mime.to_vec(),
                template_id: None,
            }
            .encode(self.profile.version)
        };
        self.post(command, body)
    }

    /// Asks for the user's addresses.
    pub fn user_information(&self) -> Exchange {
        let request = settings::Request { properties: vec![settings::Property::UserInformation] };
        self.post(CommandName::Settings, request.encode(self.profile.version))
    }

    /// "I am away", from now on, with this text for everybody; or "I am back" where there is none.
    pub fn away(&self, text: Option<&str>) -> Exchange {
        let message = settings::OofMessage {
            enabled: Some(true),
            reply_message: text.map(str::to_owned),
            body_type: Some("Text".to_owned()),
            ..settings::OofMessage::default()
        };
        let messages = [
            settings::OofMessage { applies_to_internal: true, ..message.clone() },
            settings::OofMessage { applies_to_external_known: true, ..message.clone() },
            settings::OofMessage { applies_to_external_unknown: true, ..message },
        ];
        let oof = settings::Oof {
            state: Some(u8::from(text.is_some())),
            messages: if text.is_some() { messages.into() } else { Vec::new() },
            ..settings::Oof::default()
        };
        let properties = vec![settings::Property::Oof(settings::OofRequest::Set(oof))];
        let request = settings::Request { properties };
        self.post(CommandName::Settings, request.encode(self.profile.version))
    }

    /// Answers the invitation `item`; with `words`, the server is to send the answer (since 16.0).
    pub fn meeting_response(
        &self,
        folder: &str,
        item: &str,
        answer: meeting_response::UserResponse,
        words: Option<&str>,
    ) -> Exchange {
        let mut reply =
            meeting_response::Reply::new(answer, collection_id(folder), server_id(item));
        reply.send_response = words.map(|words| meeting_response::SendResponse {
            body: Some(Body {
                body_type: Some(BodyType::Plain),
                data: Some(Content::Text(words.to_owned())),
                ..Body::default()
            }),
            ..meeting_response::SendResponse::default()
        });
        let request = meeting_response::Request { replies: vec![reply] };
        self.post(CommandName::MeetingResponse, request.encode(self.profile.version))
    }

    /// "It was read": a Change for [`SyncAsk::with`].
    pub fn read(item: &str, read: bool) -> sync::ClientCommand {
        change(item, Email { read: Some(read), ..Email::default() })
    }

    /// A flag set or cleared.
    pub fn flag(item: &str, flagged: bool) -> sync::ClientCommand {
        let flag = if flagged {
            Flag {
                status: Some(Flag::ACTIVE),
                flag_type: Some("Flag for follow up".to_owned()),
                ..Flag::default()
            }
        } else {
            Flag::default()
        };
        change(item, Email { flag: Some(flag), ..Email::default() })
    }

    /// A deletion.
    pub fn delete(item: &str) -> sync::ClientCommand {
        sync::ClientCommand::Delete(sync::Delete { server_id: server_id(item), instance_id: None })
    }

    /// A Fetch inside Sync.
    pub fn sync_fetch(item: &str) -> sync::ClientCommand {
        sync::ClientCommand::Fetch(server_id(item))
    }

    /// A new draft (16.0 and later).
    pub fn draft(client_id: &ClientId, email: Email) -> sync::ClientCommand {
        added(client_id, email, false)
    }

    /// A mail sent by way of Drafts, without ever lying there (16.0 and later).
    pub fn draft_and_send(client_id: &ClientId, email: Email) -> sync::ClientCommand {
        added(client_id, email, true)
    }

    /// A draft edited: what `email` does not name stays.
    pub fn edit_draft(item: &str, email: Email) -> sync::ClientCommand {
        change(item, email)
    }

    /// A draft sent, edited once more before it goes.
    pub fn send_draft(item: &str, email: Email) -> sync::ClientCommand {
        sync::ClientCommand::Change(sync::Change {
            server_id: server_id(item),
            instance_id: None,
            send: true,
            data: ItemData::from(email),
        })
    }
}

fn added(client_id: &ClientId, email: Email, send: bool) -> sync::ClientCommand {
    sync::ClientCommand::Add(sync::Add {
        class: None,
        client_id: client_id.clone(),
        send,
        data: ItemData::from(email),
    })
}

fn change(item: &str, email: Email) -> sync::ClientCommand {
    sync::ClientCommand::Change(sync::Change {
        server_id: server_id(item),
        instance_id: None,
        send: false,
        data: ItemData::from(email),
    })
}
