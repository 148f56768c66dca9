//! Taking an answer in: the only place where the cache changes.

use activesync::command::{
    CommandName, find, folder_create, folder_delete, folder_sync, folder_update, get_hierarchy,
    get_item_estimate, item_operations, meeting_response, move_items, ping, provision,
    resolve_recipients, search, send_mail, settings, sync, validate_cert,
};
use activesync::document::Document;
use activesync::element::Cursor;
use activesync::http::Query;
use activesync::item::ItemData;
use activesync::item::email::Email;
use activesync::status::Status;
use activesync::types::SyncKey;
use activesync::version::ProtocolVersion;

use crate::cache::{CachedItem, Collection};
use crate::exchange::{Commit, Exchange, HttpAnswer, Outcome, PhoneError};
use crate::phone::{Phone, SearchCopy};

/// A key that the server no longer knows ([MS-ASCMD] 2.2.3.177.17).
const INVALID_SYNC_KEY: Status = Status(3);
const SUCCESS: Status = Status(1);
/// What is said in HTTP up to 12.1, and the status that says the same since ([MS-ASCMD] 2.2.2): provision first; you may not.
const IN_HTTP: [(u16, Status); 2] = [(449, Status(142)), (403, Status(129))];
/// Success of MoveItems ([MS-ASCMD] 2.2.3.177.10).
const MOVED: Status = Status(3);

impl Phone {
    /// Takes an answer in, as far as `commit` says.
    pub fn take(
        &mut self,
        exchange: &Exchange,
        answer: &HttpAnswer,
        commit: Commit,
    ) -> Result<Outcome, PhoneError> {
        if self.profile.version < ProtocolVersion::V14_0
            && let Some((_, status)) = IN_HTTP.iter().find(|(http, _)| *http == answer.status)
        {
            return Ok(Outcome::Refused(*status));
        }
        if answer.status != 200 {
            return Err(PhoneError::Http(answer.status));
        }
        let Some(command) = exchange.command else {
            let header = |name| answer.header(name).unwrap_or_default().to_owned();
            return Ok(Outcome::Options {
                versions: header(activesync::http::MS_AS_PROTOCOL_VERSIONS),
                commands: header(activesync::http::MS_AS_PROTOCOL_COMMANDS),
            });
        };
        if let Some(status) = self.refusal(command, &answer.body) {
            return Ok(Outcome::Refused(status));
        }
        let (version, body) = (self.profile.version, &answer.body[..]);
        Ok(match command {
            CommandName::Sync if body.is_empty() => Outcome::Sync(None),
            CommandName::Sync => {
                let response = sync::Response::decode(version, body)?;
                self.take_sync(&exchange.body, &response, commit);
                Outcome::Sync(Some(response))
            }
            CommandName::FolderSync => {
                let response = folder_sync::Response::decode(version, body)?;
                self.take_folder_sync(&response, commit);
                Outcome::FolderSync(response)
            }
            CommandName::Ping => Outcome::Ping(ping::Response::decode(version, body)?),
            CommandName::Provision => {
                let response = provision::Response::decode(version, body)?;
                self.take_provision(&response);
                Outcome::Provision(Box::new(response))
            }
            CommandName::GetItemEstimate => {
                Outcome::GetItemEstimate(get_item_estimate::Response::decode(version, body)?)
            }
            CommandName::MoveItems => {
                let response = move_items::Response::decode(version, body)?;
                self.take_move_items(&response);
                Outcome::MoveItems(response)
            }
            CommandName::MeetingResponse => {
                Outcome::MeetingResponse(meeting_response::Response::decode(version, body)?)
            }
            CommandName::ItemOperations => {
                let response = item_operations::Response::decode(version, body)?;
                self.take_item_operations(&response);
                Outcome::ItemOperations(response)
            }
            CommandName::Search => {
                let response = search::Response::decode(version, body)?;
                self.take_search(&response);
                Outcome::Search(response)
            }
            CommandName::Find => {
                let response = find::Response::decode(version, body)?;
                self.take_find(&response);
                Outcome::Find(Box::new(response))
            }
            CommandName::ResolveRecipients => {
                Outcome::ResolveRecipients(resolve_recipients::Response::decode(version, body)?)
            }
            CommandName::ValidateCert => {
                Outcome::ValidateCert(validate_cert::Response::decode(version, body)?)
            }
            CommandName::Settings => Outcome::Settings(settings::Response::decode(version, body)?),
            CommandName::SendMail | CommandName::SmartReply | CommandName::SmartForward => {
                Outcome::Sent(self.read_sent(body)?)
            }
            CommandName::FolderCreate => {
                let response = folder_create::Response::decode(version, body)?;
                self.take_hierarchy_key(response.sync_key.as_ref());
                Outcome::FolderCreate(response)
            }
            CommandName::FolderUpdate => {
                let response = folder_update::Response::decode(version, body)?;
                self.take_hierarchy_key(response.sync_key.as_ref());
                Outcome::FolderUpdate(response)
            }
            CommandName::FolderDelete => {
                let response = folder_delete::Response::decode(version, body)?;
                self.take_hierarchy_key(response.sync_key.as_ref());
                Outcome::FolderDelete(response)
            }
            CommandName::GetAttachment => {
                self.take_attachment(exchange, body);
                Outcome::Attachment(body.to_vec())
            }
            CommandName::GetHierarchy => {
                Outcome::Hierarchy(get_hierarchy::Response::decode(version, body)?)
            }
            _ => return Err(PhoneError::Unexpected(command.as_str())),
        })
    }

    /// A common status in the command's own root and nothing else: the phone is to provision, is blocked or is to be wiped.
    fn refusal(&self, command: CommandName, body: &[u8]) -> Option<Status> {
        let root = command.root().filter(|_| !body.is_empty())?;
        let mut cursor = Cursor::new(body, self.profile.version).ok()?;
        cursor.root(root).ok()?;
        let mut status = None;
        while let Some(tag) = cursor.next_child().ok()? {
            if activesync::code_pages::name(tag) != "Status" {
                return None;
            }
            status = cursor.number::<u16>().ok().map(Status);
        }
        status.filter(|status| status.is_common())
    }

    fn take_sync(&mut self, asked: &[u8], response: &sync::Response, commit: Commit) {
        let drafts = self.drafts_in(asked, response);
        let mut left = match commit {
            Commit::All => usize::MAX,
            Commit::Items(count) => count,
        };
        for answer in &response.collections {
            let keeps_deleted = self.profile.keeps_deleted;
            let collection =
                self.cache.collections.entry(answer.collection_id.to_string()).or_default();
            if answer.status == INVALID_SYNC_KEY {
                // It begins again; an honest app clears the folder.
                if commit == Commit::All {
                    *collection = Collection { filter: collection.filter, ..Collection::default() };
                }
                continue;
            }
            if answer.status != SUCCESS {
                continue;
            }
            for command in &answer.commands {
                if left == 0 {
                    break;
                }
                left -= 1;
                collection.apply(command, keeps_deleted);
            }
            if commit == Commit::All {
                for reply in &answer.replies {
                    collection.apply_reply(reply, &drafts);
                }
                collection.key = Some(answer.sync_key.clone());
                collection.more = answer.more_available;
            }
        }
    }

    /// The drafts a Sync brought along, where the answer may give them their ids.
    fn drafts_in(&self, asked: &[u8], response: &sync::Response) -> Vec<sync::Add> {
        let mut replies = response.collections.iter().flat_map(|answer| &answer.replies);
        if !replies.any(|reply| reply.to == sync::ReplyTo::Add && reply.status == SUCCESS) {
            return Vec::new();
        }
        let Ok(request) = sync::Request::decode(self.profile.version, asked) else {
            return Vec::new();
        };
        let commands = request.collections.into_iter().flat_map(|collection| collection.commands);
        let adds = commands.filter_map(|command| match command {
            sync::ClientCommand::Add(add) => Some(add),
            _ => None,
        });
        adds.collect()
    }

    fn take_folder_sync(&mut self, response: &folder_sync::Response, commit: Commit) {
        if commit != Commit::All {
            return;
        }
        // [MS-ASCMD] 2.2.3.177.4: an invalid key means to begin again.
        if response.status == Status(9) {
            self.cache.hierarchy_key = None;
            return;
        }
        let Some(changes) = &response.changes else {
            self.take_hierarchy_key(response.sync_key.as_ref());
            return;
        };
        let begins = self.cache.hierarchy_key.is_none();
        if begins {
            self.cache.folders.clear();
        }
        for id in &changes.deletes {
            self.cache.folders.remove(id.as_str());
            self.cache.collections.remove(id.as_str());
        }
        for folder in changes.adds.iter().chain(&changes.updates) {
            self.cache.folders.insert(folder.server_id.to_string(), folder.clone());
        }
        if begins {
            // The list is the whole list: a folder that is not in it is not there.
            let folders = &self.cache.folders;
            self.cache.collections.retain(|id, _| folders.contains_key(id));
        }
        self.take_hierarchy_key(response.sync_key.as_ref());
    }

    fn take_hierarchy_key(&mut self, key: Option<&SyncKey>) {
        if let Some(key) = key {
            self.cache.hierarchy_key = Some(key.clone());
        }
    }

    fn take_provision(&mut self, response: &provision::Response) {
        let key = response.policy.as_ref().and_then(|policy| policy.policy_key.as_deref());
        if let Some(key) = key.and_then(|key| key.parse().ok()) {
            self.policy_key = Some(key);
        }
    }

    /// Erases what a wipe erases: everything of the account.
    pub fn erase(&mut self) {
        self.cache = crate::cache::Cache::default();
        self.copies.clear();
        self.policy_key = None;
        self.wiped = true;
    }

    fn take_move_items(&mut self, response: &move_items::Response) {
        for moved in response.responses.iter().filter(|moved| moved.status == MOVED) {
            let source = moved.src_msg_id.as_str();
            let item = self.cache.collections.values_mut().find_map(|c| c.items.remove(source));
            let target = moved.dst_msg_id.as_ref().map(ToString::to_string);
            // The app files the mail under its new id at once.
            if let (Some(item), Some(target)) = (item, target)
                && let Some((folder, _)) = target.split_once(':')
                && let Some(collection) = self.cache.collections.get_mut(folder)
            {
                collection.items.insert(target, item);
            }
        }
    }

    fn take_item_operations(&mut self, response: &item_operations::Response) {
        for outcome in &response.outcomes {
            let item_operations::Outcome::Fetch(fetched) = outcome else { continue };
            let Some(properties) =
                fetched.properties.as_ref().filter(|_| fetched.status == Some(SUCCESS))
            else {
                continue;
            };
            self.take_fetched(fetched, properties);
        }
    }

    /// What was found stays on the screen, and in no folder.
    fn take_search(&mut self, response: &search::Response) {
        for hit in response.store.iter().flat_map(|store| &store.results) {
            let (Some(id), Some(search::HitProperties::Item(ItemData::Email(email)))) =
                (&hit.long_id, &hit.properties)
            else {
                continue;
            };
            let body = email.body.as_ref().and_then(|body| body.data.as_ref());
            let octets = body.map(|data| data.as_bytes().to_vec()).unwrap_or_default();
            self.copies.push(SearchCopy { id: id.to_string(), octets });
        }
    }

    /// What a list of results shows stays on the screen too.
    fn take_find(&mut self, response: &find::Response) {
        for hit in response.page.iter().flat_map(|page| &page.results) {
            if let (Some(id), find::HitProperties::Mail(mail)) = (&hit.server_id, &hit.properties) {
                let octets = mail.preview.clone().unwrap_or_default().into_bytes();
                self.copies.push(SearchCopy { id: id.to_string(), octets });
            }
        }
    }

    fn take_fetched(
        &mut self,
        fetched: &item_operations::Fetched,
        properties: &item_operations::Properties,
    ) {
        let body =
            properties.item.as_ref().and_then(ItemData::email).and_then(|email| {
                email.body.as_ref()?.data.as_ref().map(|d| d.as_bytes().to_vec())
            });
        if let Some(id) = &fetched.server_id {
            let mut collections = self.cache.collections.values_mut();
            if let Some(item) = collections.find_map(|c| c.items.get_mut(id.as_str())) {
                item.fetched_body = body.clone();
            }
            let octets = body.unwrap_or_default();
            self.copies.push(SearchCopy { id: id.to_string(), octets });
        }
        if let (Some(reference), Some(data)) = (&fetched.file_reference, &properties.file.data) {
            self.copies.push(SearchCopy { id: reference.to_string(), octets: data.0.clone() });
        }
    }

    /// A file that was opened stays where it was opened.
    fn take_attachment(&mut self, exchange: &Exchange, octets: &[u8]) {
        let query = exchange.target.split_once('?').map_or("", |(_, query)| query);
        let name = Query::decode(query).ok().and_then(|query| query.attachment_name);
        self.copies.push(SearchCopy { id: name.unwrap_or_default(), octets: octets.to_vec() });
    }

    fn read_sent(&self, body: &[u8]) -> Result<Option<Status>, PhoneError> {
        if body.is_empty() {
            return Ok(None);
        }
        Ok(Some(send_mail::Response::decode(self.profile.version, body)?.status))
    }
}

impl Collection {
    fn apply(&mut self, command: &sync::ServerCommand, keeps_deleted: bool) {
        match command {
            sync::ServerCommand::Add { server_id, data: ItemData::Email(email), .. } => {
                let item = CachedItem {
                    email: (**email).clone(),
                    fetched_body: None,
                    attachments: Vec::new(),
                };
                self.items.insert(server_id.to_string(), item);
            }
            sync::ServerCommand::Change { server_id, data: ItemData::Email(email), .. } => {
                if let Some(item) = self.items.get_mut(server_id.as_str()) {
                    merge(&mut item.email, email);
                }
            }
            sync::ServerCommand::Delete { server_id, .. }
            | sync::ServerCommand::SoftDelete { server_id }
                if !keeps_deleted =>
            {
                self.items.remove(server_id.as_str());
            }
            _ => {}
        }
    }

    fn apply_reply(&mut self, reply: &sync::Reply, drafts: &[sync::Add]) {
        // A draft of its own lies under the id the server gave it.
        if let (sync::ReplyTo::Add, Some(id), Some(name)) =
            (reply.to, &reply.server_id, &reply.client_id)
            && let Some(add) = drafts.iter().find(|add| add.client_id == *name)
            && let ItemData::Email(email) = &add.data
        {
            let mut item = CachedItem {
                email: (**email).clone(),
                fetched_body: None,
                attachments: Vec::new(),
            };
            // Whoever wrote it has read it, as apps and servers have it.
            item.email.read.get_or_insert(true);
            self.items.insert(id.to_string(), item);
        }
        // A Change or Fetch of an item that is gone ([MS-ASCMD] 2.2.3.177.17: 8): the app drops it with the next Delete.
        if let (sync::ReplyTo::Fetch, Some(id), Some(ItemData::Email(email))) =
            (reply.to, &reply.server_id, &reply.data)
            && let Some(item) = self.items.get_mut(id.as_str())
        {
            merge(&mut item.email, email);
        }
    }
}

/// Applies what apps apply of a Change to a mail: state, and everything where the body comes with it (a draft).
fn merge(item: &mut Email, change: &Email) {
    if change.body.is_some() {
        item.clone_from(change);
        return;
    }
    if change.read.is_some() {
        item.read = change.read;
    }
    if change.flag.is_some() {
        item.flag.clone_from(&change.flag);
    }
    if change.categories.is_some() {
        item.categories.clone_from(&change.categories);
    }
    if change.last_verb_executed.is_some() {
        item.last_verb_executed = change.last_verb_executed;
    }
}
