//! Orders on a real database, store and ledger, told as stories. What a phone would do is brought as the ledger would bring it.

mod cancelled;
mod carried_out;
mod claims;
mod elsewhere;
mod ordered;
mod reported;

use bytes::Bytes;
use roaring::RoaringBitmap;
use tempfile::TempDir;

use super::gate::FenceBoard;
use super::retraction::Evidence;
use super::*;
use crate::clock::Timestamp;
use crate::database::{Bodies, Options};
use crate::directory::{Directory, NewUser, Settings};
use crate::ids::{DeviceId, FolderId, ItemNumber};
use crate::ledger::holding::{self, Kind};
use crate::ledger::{Collection, Exposure, Place, device};
use crate::mailbox::embedded::in_tx;
use crate::mailbox::{Arrival, Flag, Folder, FolderKind, Mailbox};
use crate::message;
use crate::secret::Secret;

/// A gateway's state in a directory of its own; [`House::crashes`] drops everything that is not in it.
struct House {
    db: Database,
    clock: Clock,
    store: Embedded,
    board: FenceBoard,
    recall: Recall,
    limits: Limits,
    dir: TempDir,
}

const START: Timestamp = Timestamp(1_800_000_000_000);

impl House {
    /// With these users, each at `name@a.example`, in this order from 1.
    async fn with(users: &[&str], limits: Limits) -> House {
        let dir = tempfile::tempdir().unwrap();
        let house = House::open(dir, Clock::manual(START), limits);
        let directory =
            Directory::new(house.db.clone(), house.clock.clone(), Settings::quick()).unwrap();
        for name in users {
            let new = NewUser {
                name: (*name).into(),
                address: format!("{name}@a.example"),
                password: Secret::new("correct horse".into()),
                ..NewUser::default()
            };
            let user = directory.add_user(new).await.unwrap();
            house.store.mailbox_of(user).await.unwrap();
        }
        house
    }

    async fn new() -> House {
        House::with(&["ann", "bob", "cam"], Limits::default()).await
    }

    fn open(dir: TempDir, clock: Clock, limits: Limits) -> House {
        let db = Database::open(dir.path(), Options::quick(&clock)).unwrap();
        let bodies = Bodies::beside(&db).unwrap();
        let board = FenceBoard::new();
        let store = Embedded::with_arrivals(
            db.clone(),
            bodies,
            clock.clone(),
            std::sync::Arc::new(|_| ()),
            arrivals(board.clone()),
        )
        .with_departures(departures());
        let rooms = Rooms {
            store: store.clone(),
            elsewhere: None,
            board: board.clone(),
            bells: Bells::new(),
        };
        let recall = Recall::new(db.clone(), clock.clone(), rooms, limits);
        House { db, clock, store, board, recall, limits, dir }
    }

    /// The process dies and starts again.
    fn crashes(self) -> House {
        let House { db, clock, dir, limits, store, recall, board: _ } = self;
        db.stop();
        drop((db, store, recall));
        House::open(dir, clock, limits)
    }

    async fn folder(&self, user: i64, kind: FolderKind) -> Folder {
        let folders = self.store.folders(MailboxId(user)).await.unwrap();
        folders.into_iter().find(|folder| folder.kind == kind).unwrap()
    }

    async fn delivers(&self, user: i64, kind: FolderKind, raw: &Bytes) -> (FolderId, ItemNumber) {
        let folder = self.folder(user, kind).await;
        let arrival = Arrival {
            received: Timestamp(START.0 - 60_000),
            read: true,
            flag: Some(Flag { status: 2, ..Flag::default() }),
            categories: vec!["Blue".to_owned()],
            ..Arrival::default()
        };
        (folder.id, self.store.append(folder.id, raw.clone(), arrival).await.unwrap())
    }

    /// One phone of a user.
    fn phone(&self, user: i64, wire_id: &'static str) -> DeviceId {
        let now = self.clock.now();
        self.write(move |tx| {
            let who = device::Introduction {
                user: UserId(user),
                mailbox: MailboxId(user),
                wire_id,
                device_type: "Test",
                user_agent: "Test/1",
                version: "16.1",
            };
            Ok(device::meet(tx, &who, now)?.unwrap().id)
        })
    }

    /// The phone was sent the whole message and proved it.
    fn holds(&self, phone: DeviceId, user: i64, at: (FolderId, ItemNumber), exposure: Exposure) {
        self.write(move |tx| {
            let place = Place { device: phone, folder: at.0 };
            let items = RoaringBitmap::from_iter([at.1.0]);
            if Collection::load(tx, place)?.is_none() {
                Collection::new(place, 1).store(tx)?;
            }
            holding::add(tx, place, Kind::Held, &items)?;
            holding::expose(tx, place, exposure, &items)?;
            let identity = in_tx::item(tx, at.0, at.1).unwrap().identity;
            let mailbox = MailboxId(user);
            ledger::note_copy(tx, ledger::Copy { identity, mailbox, folder: at.0, item: at.1 })
        });
    }

    fn sent(&self, phone: DeviceId, at: (FolderId, ItemNumber), seq: u64) {
        let now = self.clock.now();
        self.write(move |tx| retraction::sent(tx, phone, at.0, &[at.1], seq, now));
    }

    fn proven(&self, phone: DeviceId, at: (FolderId, ItemNumber), seq: u64) {
        let now = self.clock.now();
        self.write(move |tx| {
            let deleted = [at.1];
            let proof = retraction::Proof { seq, deleted: &deleted, ..Default::default() };
            retraction::proven(tx, phone, at.0, proof, now)
        });
    }

    /// Something happens to a phone as a whole.
    fn hears(&self, phone: DeviceId, evidence: Evidence) {
        let now = self.clock.now();
        self.write(move |tx| retraction::about_device(tx, phone, evidence, None, now));
    }

    fn due(&self, phone: DeviceId, folder: FolderId) -> Vec<ItemNumber> {
        self.write(move |tx| retraction::due(tx, phone, folder, 100))
    }

    fn write<T: Send + 'static>(
        &self,
        job: impl Fn(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.db.write_blocking(job).unwrap()
    }

    async fn orders(&self, id: &str) -> OrderId {
        self.recall.order(asks(id), admin("root"), None).await.unwrap()
    }

    /// Live copies under a Message-ID: (mailbox, folder, item).
    async fn live(&self, id: &str) -> Vec<(i64, i64, u32)> {
        let copies = self.store.find(&format!("{id}@a.example")).await.unwrap();
        copies.iter().map(|copy| (copy.mailbox.0, copy.folder.0, copy.item.0)).collect()
    }

    /// The state of each pair of an order, by device.
    async fn states(&self, order: OrderId) -> Vec<(DeviceId, State)> {
        let coverage = self.recall.coverage(order).await.unwrap();
        coverage.devices.iter().map(|pair| (pair.device, pair.state)).collect()
    }

    /// The audit is whole, and has so many entries of each kind about an order.
    fn audited(&self, order: OrderId, kind: &'static str) -> usize {
        self.write(move |tx| {
            assert_eq!(crate::audit::verify(tx)?.first_bad, None);
            let entries = crate::audit::entries(tx, None, 10_000, Some(order))?;
            Ok(entries.iter().filter(|entry| entry.kind == kind).count())
        })
    }
}

/// A mail from Ann to Bob, Cam and somebody elsewhere.
fn mail(id: &str, text: &str) -> Bytes {
    Bytes::from(format!(
        "Message-ID: <{id}@a.example>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\nFrom: Ann <Ann@a.example>\r\n\
         To: bob@a.example, Cam <cam@a.example>\r\nCc: Far <far@elsewhere.example>\r\nSubject: {id}\r\n\r\n{text}\r\n"
    ))
}

fn asks(id: &str) -> OrderRequest {
    OrderRequest {
        message_id: format!("<{id}@a.example>"),
        reason: "sent to the wrong list".to_owned(),
        ..OrderRequest::default()
    }
}

fn admin(name: &str) -> Actor {
    Actor::Admin(name.to_owned())
}

fn refused(result: Result<OrderId, RecallError>) -> OrderRefused {
    match result {
        Err(RecallError::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

fn whole() -> Exposure {
    Exposure::HEADER | Exposure::BODY
}
