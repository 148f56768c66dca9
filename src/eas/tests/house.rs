//! A gateway on a database of its own, and the verbs the tests of commands are told in. Requests go in as the listener hands them
//! over, and answers are drained as it would.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use activesync::command::sync::{Collection, CollectionAnswer, Request, Response, ServerCommand};
use activesync::command::{CommandName, folder_sync};
use activesync::http::{Query, WBXML};
use activesync::types::{CollectionId, SyncKey};
use activesync::{Document, ProtocolVersion};
use base64::Engine as _;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tempfile::TempDir;

use crate::audit;
use crate::clock::{Clock, Timestamp};
use crate::database::{Bodies, Database, Options, Tx};
use crate::delivery::{Outbox, OutboxSettings, Postman};
use crate::directory::{Directory, NewUser, Settings};
use crate::eas::{
    Admission, Answer, Body, ConnectionId, Discovery, Everybody, Gateway, GatewayLimits, Handler,
    Incoming, Outcome, Place, Rooms, Trust, Waiting,
};
use crate::ids::{DeviceId, FolderId, ItemNumber, MailboxId, OrderId, UserId};
use crate::ledger::{self, Books, DetailKind, Exposure};
use crate::mailbox::embedded::Embedded;
use crate::mailbox::{Arrival, Cursor, Folder, FolderEvent, FolderEventKind, FolderKind, Mailbox};
use crate::policy::Policies;
use crate::push::{Bells, Ring};
use crate::recall::gate::FenceBoard;
use crate::recall::{self, Actor, OrderRequest, ReasonCode, Recall, State, retraction};
use crate::secret::Secret;
use crate::sync::Engine;

pub(super) const V: ProtocolVersion = ProtocolVersion::V16_1;
pub(super) const INBOX: &str = "1";

/// A gateway with one user of whom the tests tell, ann, and her phone; ben lives here too.
pub(super) struct House {
    pub(super) gateway: Gateway,
    pub(super) engine: Engine,
    pub(super) store: Embedded,
    pub(super) bells: Bells,
    pub(super) clock: Clock,
    pub(super) recall: Recall,
    pub(super) directory: Directory,
    pub(super) outbox: Outbox,
    pub(super) policies: Policies,
    pub(super) mailbox: MailboxId,
    pub(super) connection: ConnectionId,
    _dir: TempDir,
}

/// An answer as the phone saw it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn read<D: Document>(&self) -> D {
        assert_eq!(self.status, StatusCode::OK);
        D::decode(V, &self.body).unwrap()
    }
}

impl House {
    pub(super) async fn new() -> House {
        House::with(GatewayLimits::default()).await
    }

    pub(super) async fn with(limits: GatewayLimits) -> House {
        House::over(limits, |store, _| Arc::new(store)).await
    }

    /// A house whose gateway sees its store through another.
    pub(super) async fn over(
        limits: GatewayLimits,
        seen_through: impl FnOnce(Embedded, Clock) -> Arc<dyn Mailbox>,
    ) -> House {
        House::built(limits, seen_through, |_| Arc::new(Everybody)).await
    }

    /// A house that lets nobody in who does not obey its policy.
    pub(super) async fn guarded() -> House {
        let admission = |policies: &Policies| Arc::new(policies.clone()) as Arc<dyn Admission>;
        House::built(GatewayLimits::default(), |store, _| Arc::new(store), admission).await
    }

    async fn built(
        limits: GatewayLimits,
        seen_through: impl FnOnce(Embedded, Clock) -> Arc<dyn Mailbox>,
        admission: impl FnOnce(&Policies) -> Arc<dyn Admission>,
    ) -> House {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_795_500_000_000));
        let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        let directory = Directory::new(database.clone(), clock.clone(), Settings::quick()).unwrap();
        let ann = NewUser {
            name: "ann".into(),
            address: "ann@a.example".into(),
            password: Secret::new("correct horse".into()),
            ..NewUser::default()
        };
        let ben = NewUser { name: "ben".into(), address: "ben@a.example".into(), ..ann.clone() };
        directory.add_user(ann).await.unwrap();
        directory.add_user(ben).await.unwrap();
        let bells = Bells::new();
        let ringing = bells.clone();
        let on_event = Arc::new(move |event: FolderEvent| ring(&ringing, event));
        let board = FenceBoard::new();
        let (bodies, hook) = (Bodies::simulated(), recall::arrivals(board.clone()));
        let store =
            Embedded::with_arrivals(database.clone(), bodies, clock.clone(), on_event, hook)
                .with_departures(recall::departures());
        let mailbox = store.mailbox_of(UserId(1)).await.unwrap();
        let engine = Engine {
            database: database.clone(),
            store: seen_through(store.clone(), clock.clone()),
            books: Books::new(&[7; 32], vec![1]),
            board: board.clone(),
            clock: clock.clone(),
        };
        let rooms =
            recall::Rooms { store: store.clone(), elsewhere: None, board, bells: bells.clone() };
        let recall = Recall::new(database, clock.clone(), rooms, recall::Limits::default());
        let postman = Postman::new(store.clone(), directory.clone(), "mail.a.example")
            .answering(&[], |tx, identity, mailbox, now| {
                Ok(recall::covers(tx, identity, mailbox, now)?.is_some())
            });
        let outbox = Outbox::new(postman, None, OutboxSettings::default());
        let policies = Policies::new(engine.database.clone(), clock.clone(), Arc::new(|_| ()));
        let gateway = Gateway::new(Rooms {
            engine: engine.clone(),
            bells: bells.clone(),
            directory: directory.clone(),
            admission: admission(&policies),
            policies: Some(policies.clone()),
            outgoing: Some(Arc::new(outbox.clone())),
            trust: trust(),
            discovery: Some(Discovery {
                base_url: "https://mail.a.example".to_owned(),
                moved: [("old.example".to_owned(), "new.example".to_owned())].into(),
                get_redirect: None,
            }),
            limits,
        });
        let connection = ConnectionId(1);
        House {
            gateway,
            engine,
            store,
            bells,
            clock,
            recall,
            directory,
            outbox,
            policies,
            mailbox,
            connection,
            _dir: dir,
        }
    }

    /// Another user of the house.
    pub(super) async fn neighbour(&self, name: &str) {
        let user = NewUser {
            name: name.into(),
            address: format!("{name}@a.example"),
            password: Secret::new("correct horse".into()),
            ..NewUser::default()
        };
        self.directory.add_user(user).await.unwrap();
    }

    pub(super) fn incoming(
        &self,
        command: CommandName,
        version: &'static str,
        body: Vec<u8>,
    ) -> Incoming {
        let mut headers = HeaderMap::new();
        let basic = base64::engine::general_purpose::STANDARD.encode("ann:correct horse");
        headers.insert(AUTHORIZATION, format!("Basic {basic}").parse().unwrap());
        headers.insert("ms-asprotocolversion", HeaderValue::from_static(version));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(WBXML));
        Incoming {
            place: Place::ActiveSync,
            method: Method::POST,
            path: "/Microsoft-Server-ActiveSync".to_owned(),
            query: Query::new(command, "phone1", "Test").encode_plain(),
            headers,
            body: Bytes::from(body),
            peer: "127.0.0.1:4000".parse().unwrap(),
            secure: true,
            connection: self.connection,
        }
    }

    /// A request of Ben, from his phone.
    pub(super) fn of_ben(&self, command: CommandName, body: Vec<u8>) -> Incoming {
        let mut request = self.incoming(command, "16.1", body);
        let basic = base64::engine::general_purpose::STANDARD.encode("ben:correct horse");
        request.headers.insert(AUTHORIZATION, format!("Basic {basic}").parse().unwrap());
        Incoming { query: Query::new(command, "phone2", "Test").encode_plain(), ..request }
    }

    /// A mail with these header lines and body arrives for Ben.
    pub(super) async fn raw_for_ben(&self, raw: &str) -> ItemNumber {
        let mailbox = self.store.mailbox_of(UserId(2)).await.unwrap();
        let folders = self.store.folders(mailbox).await.unwrap();
        let inbox = folders.iter().find(|folder| folder.number.to_string() == INBOX).unwrap().id;
        let arrival = Arrival { received: self.clock.now(), ..Arrival::default() };
        self.store.append(inbox, Bytes::from(raw.replace('\n', "\r\n")), arrival).await.unwrap()
    }

    /// Sends a request; a wait is an error.
    pub(super) async fn send(&self, command: CommandName, body: Vec<u8>) -> Seen {
        self.give(self.incoming(command, "16.1", body)).await
    }

    pub(super) async fn give(&self, request: Incoming) -> Seen {
        match self.gateway.handle(request).await {
            Outcome::Answer(answer) => drain(answer),
            Outcome::Wait(_) => panic!("it waits"),
        }
    }

    /// The answer, unless the request hangs.
    pub(super) async fn answered(&self, request: Incoming) -> Option<Seen> {
        match self.gateway.handle(request).await {
            Outcome::Answer(answer) => Some(drain(answer)),
            Outcome::Wait(_) => None,
        }
    }

    /// A request whose body is beyond the limit.
    pub(super) async fn too_large(&self, request: Incoming) -> Seen {
        drain(self.gateway.too_large(request).await)
    }

    pub(super) async fn outcome(&self, command: CommandName, body: Vec<u8>) -> Outcome {
        self.gateway.handle(self.incoming(command, "16.1", body)).await
    }

    /// Sends a request that hangs.
    pub(super) async fn wait(&self, command: CommandName, body: Vec<u8>) -> Box<dyn Waiting> {
        match self.gateway.handle(self.incoming(command, "16.1", body)).await {
            Outcome::Answer(answer) => panic!("it does not wait: {:?}", drain(answer)),
            Outcome::Wait(waiting) => waiting,
        }
    }

    pub(super) async fn sync(&self, request: Request) -> Response {
        self.send(CommandName::Sync, request.encode(V)).await.read()
    }

    /// One collection, synced as is.
    pub(super) async fn sync_one(&self, collection: Collection) -> CollectionAnswer {
        let response = self.sync(just(collection)).await;
        assert_eq!(response.status, None);
        response.collections.into_iter().next().unwrap()
    }

    pub(super) async fn folder_sync(&self, key: &str) -> folder_sync::Response {
        let request = folder_sync::Request { sync_key: SyncKey::new(key).unwrap() };
        self.send(CommandName::FolderSync, request.encode(V)).await.read()
    }

    /// The key of a freshly begun Inbox.
    pub(super) async fn begin(&self) -> SyncKey {
        self.sync_one(inbox("0")).await.sync_key
    }

    /// Syncs the Inbox until nothing more comes; gives the last key and everything that was added.
    pub(super) async fn catch_up(&self, mut key: SyncKey) -> (SyncKey, Vec<String>) {
        let mut added = Vec::new();
        loop {
            let seen = self.send(CommandName::Sync, just(inbox(key.as_str())).encode(V)).await;
            if seen.body.is_empty() {
                return (key, added);
            }
            let response: Response = seen.read();
            let collection = response.collections.into_iter().next().unwrap();
            added.extend(adds(&collection));
            key = collection.sync_key;
        }
    }

    pub(super) async fn inbox_folder(&self) -> FolderId {
        let folders = self.store.folders(self.mailbox).await.unwrap();
        folders.iter().find(|f| f.number.to_string() == INBOX).unwrap().id
    }

    pub(super) async fn folder_of_kind(&self, kind: FolderKind) -> Folder {
        let folders = self.store.folders(self.mailbox).await.unwrap();
        folders.into_iter().find(|folder| folder.kind == kind).unwrap()
    }

    /// A mail arrives.
    pub(super) async fn mail(&self, name: &str) -> ItemNumber {
        self.mail_to(self.inbox_folder().await, name).await
    }

    pub(super) async fn mail_to(&self, folder: FolderId, name: &str) -> ItemNumber {
        self.clock.advance(Duration::from_secs(1));
        let raw = format!(
            "From: Bob <bob@b.example>\r\nTo: ann@a.example\r\nSubject: {name}\r\n\
             Message-ID: <{name}@b.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n\r\n\
             The body of {name}.\r\n"
        );
        let arrival = Arrival { received: self.clock.now(), ..Arrival::default() };
        self.store.append(folder, Bytes::from(raw), arrival).await.unwrap()
    }

    /// A mail with these header lines and body arrives.
    pub(super) async fn raw(&self, raw: &str) -> ItemNumber {
        self.clock.advance(Duration::from_secs(1));
        let arrival = Arrival { received: self.clock.now(), ..Arrival::default() };
        let raw = Bytes::from(raw.replace('\n', "\r\n"));
        self.store.append(self.inbox_folder().await, raw, arrival).await.unwrap()
    }

    /// Everything in a standard folder, oldest first.
    pub(super) async fn lying_in(&self, kind: FolderKind) -> Vec<String> {
        let folder = self.folder_of_kind(kind).await.id;
        let delta = self.store.changes_since(folder, Cursor(0), 999).await.unwrap();
        let mut mails = Vec::new();
        for change in delta.changes {
            if let Ok((_, raw)) = self.store.read(folder, change.item()).await {
                mails.push(String::from_utf8(raw.to_vec()).unwrap());
            }
        }
        mails
    }

    /// What the phone was ever given of an item of the Inbox.
    pub(super) async fn exposure(&self, folder: FolderId, item: ItemNumber) -> Exposure {
        let place = ledger::Place { device: DeviceId(1), folder };
        let job = move |tx: &Tx<'_>| ledger::held(tx, place, item);
        self.engine.database.read(job).await.unwrap().exposure
    }

    /// What the books tell of the phone and an item, event by event.
    pub(super) async fn told(
        &self,
        folder: FolderId,
        item: ItemNumber,
    ) -> Vec<(DetailKind, String)> {
        let job = move |tx: &Tx<'_>| {
            let mut told = Vec::new();
            for copy in ledger::copies_at(tx, folder, item)? {
                told.extend(ledger::details_of(tx, copy.identity)?);
            }
            Ok::<_, crate::database::Error>(told)
        };
        let told = self.engine.database.read(job).await.unwrap();
        told.into_iter().map(|(_, told)| (told.kind, told.detail)).collect()
    }

    /// How many entries of the audit are of this kind.
    pub(super) async fn audited(&self, kind: &'static str) -> usize {
        let entries = |tx: &Tx<'_>| audit::newest(tx, None, 999, None);
        let entries = self.engine.database.read(entries).await.unwrap();
        entries.iter().filter(|entry| format!("{entry:?}").contains(kind)).count()
    }

    /// Another client deletes a mail for good.
    pub(super) async fn delete(&self, folder: FolderId, item: ItemNumber) {
        self.store.delete(folder, item).await.unwrap();
    }

    /// The folders in which the phone is owed a Delete.
    pub(super) async fn owed(&self) -> Vec<FolderId> {
        let owed = |tx: &Tx<'_>| retraction::folders_due(tx, DeviceId(1));
        self.engine.database.read(owed).await.unwrap()
    }

    /// An order stands; nothing has been carried out yet.
    pub(super) async fn fences(&self, name: &str) {
        self.order(name).await;
    }

    /// How the report of an order shows the phone: the state of its worst copy and the reason beside it.
    pub(super) async fn reported(&self, order: OrderId) -> (State, Option<ReasonCode>) {
        let coverage = self.recall.coverage(order).await.unwrap();
        (coverage.devices[0].state, coverage.devices[0].reason)
    }

    /// An order for a message nobody has met.
    pub(super) async fn stands(&self, name: &str) {
        self.order(name).await;
    }

    async fn order(&self, name: &str) -> OrderId {
        let request = OrderRequest {
            message_id: format!("{name}@b.example"),
            reason: "test".to_owned(),
            ..OrderRequest::default()
        };
        self.recall.order(request, Actor::Admin("root".to_owned()), None).await.unwrap()
    }

    /// The order given last is cancelled.
    pub(super) async fn cancels(&self) {
        let order = self.recall.orders(None, 1).await.unwrap().remove(0).id;
        self.recall.cancel(order, Actor::Admin("root".to_owned())).await.unwrap();
        self.recall.work_off().await.unwrap();
    }

    /// An administrator takes a mail back, and the worker does its part.
    pub(super) async fn recalls(&self, name: &str) -> OrderId {
        let order = self.order(name).await;
        self.recall.work_off().await.unwrap();
        order
    }
}

/// Trust in an authority that is the same in all houses.
pub(super) fn trust() -> Trust {
    Trust::default().with_roots(AUTHORITY.0.as_bytes()).unwrap()
}

/// A certificate for mail by the authority the house trusts.
pub(super) fn house_certificate() -> Vec<u8> {
    AUTHORITY.1.clone()
}

/// A certificate for mail by one it does not know.
pub(super) fn stranger_certificate() -> Vec<u8> {
    authority("stranger").1
}

static AUTHORITY: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| authority("house"));

/// An authority's certificate as PEM, and one that it issued, valid for the year of the house's clock.
fn authority(name: &str) -> (String, Vec<u8>) {
    let params = |name: &str| {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        params
    };
    let (mut root, mut person) = (params(name), params("ann"));
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    person.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::EmailProtection];
    let (key, own) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let pem = root.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(root, key);
    (pem, person.signed_by(&own, &issuer).unwrap().der().to_vec())
}

/// What the server does with events of the store.
fn ring(bells: &Bells, event: FolderEvent) {
    let folder = event.folder;
    match event.kind {
        FolderEventKind::Arrived { .. } => bells.ring(folder, Ring::Arrival(folder)),
        FolderEventKind::Removed => bells.ring(folder, Ring::Removal(folder)),
        FolderEventKind::Changed => bells.ring(folder, Ring::Change(folder)),
        FolderEventKind::Hierarchy => bells.ring_device(DeviceId(1), Ring::Hierarchy),
    }
}

fn drain(answer: Answer) -> Seen {
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let body = match answer.body {
        Body::Empty => Vec::new(),
        Body::Plain(plain) => plain.bytes().to_vec(),
        Body::Released(mut content) => {
            assert!(content.may_continue());
            let bytes = content.bytes().to_vec();
            content.wrote(bytes.len());
            content.finish(true);
            bytes
        }
    };
    Seen { status: answer.status, headers, body }
}

/// Waits for a held request and reads the answer.
pub(super) async fn ends(waiting: Box<dyn Waiting>) -> Seen {
    drain(tokio::time::timeout(Duration::from_secs(5), waiting.wait()).await.unwrap())
}

pub(super) fn inbox(key: &str) -> Collection {
    Collection::new(CollectionId::new(INBOX).unwrap(), SyncKey::new(key).unwrap())
}

pub(super) fn just(collection: Collection) -> Request {
    Request { collections: vec![collection], ..Request::default() }
}

/// Subjects that were added.
pub(super) fn adds(answer: &CollectionAnswer) -> Vec<String> {
    let subject = |command: &ServerCommand| match command {
        ServerCommand::Add { data, .. } => data.email().and_then(|mail| mail.subject.clone()),
        _ => None,
    };
    answer.commands.iter().filter_map(subject).collect()
}

/// ServerIds that were deleted.
pub(super) fn deletes(answer: &CollectionAnswer) -> Vec<String> {
    let id = |command: &ServerCommand| match command {
        ServerCommand::Delete { server_id, .. } => Some(server_id.to_string()),
        _ => None,
    };
    answer.commands.iter().filter_map(id).collect()
}
