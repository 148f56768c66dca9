//! The bells: who is told when something happens in a folder.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::ids::{DeviceId, FolderId};

/// What rang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ring {
    /// A message came into the folder.
    Arrival(FolderId),
    /// Another client deleted or moved a message away.
    Removal(FolderId),
    /// A state changed: read, flagged, categories.
    Change(FolderId),
    /// A recall has a Delete for this device in the folder.
    Recall(FolderId),
    /// The folders themselves changed.
    Hierarchy,
    /// The device's access or policy changed: a wipe, a block, a new policy.
    Access,
    /// A newer request of the same kind from the same device.
    Superseded,
    /// The gateway stops.
    Stop,
}

/// What kind of request waits; a device has one wait of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A Ping.
    Ping,
    /// A Sync with Wait or HeartbeatInterval.
    Sync,
}

/// The table of bells. Cheap to clone.
#[derive(Clone, Default)]
pub struct Bells(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    next: u64,
    by_folder: HashMap<FolderId, Vec<Arc<Ear>>>,
    by_device: HashMap<(DeviceId, Kind), Arc<Ear>>,
}

struct Ear {
    id: u64,
    device: DeviceId,
    kind: Kind,
    folders: Box<[FolderId]>,
    rung: Mutex<Vec<Ring>>,
    wake: Notify,
}

impl Ear {
    /// Each ring is kept once until the listener looks, so there are at most four a folder and four more: none is ever dropped.
    fn ring(&self, ring: Ring) {
        let mut rung = self.rung.lock();
        if !rung.contains(&ring) {
            rung.push(ring);
        }
        drop(rung);
        self.wake.notify_one();
    }
}

impl fmt::Debug for Bells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bells({} waiting)", self.waiting())
    }
}

impl Bells {
    /// No bells yet.
    pub fn new() -> Bells {
        Bells::default()
    }

    /// Hangs a bell on each folder for this device; the device's earlier wait of the same kind ends.
    pub fn listen(&self, device: DeviceId, kind: Kind, folders: &[FolderId]) -> Listener {
        let mut table = self.0.lock();
        table.next += 1;
        let ear = Arc::new(Ear {
            id: table.next,
            device,
            kind,
            folders: folders.into(),
            rung: Mutex::default(),
            wake: Notify::new(),
        });
        if let Some(older) = table.by_device.insert((device, kind), ear.clone()) {
            table.forget(&older);
            older.ring(Ring::Superseded);
        }
        for folder in folders {
            table.by_folder.entry(*folder).or_default().push(ear.clone());
        }
        drop(table);
        Listener { bells: self.clone(), ear }
    }

    /// Rings every device that waits on the folder named in `ring`.
    pub fn ring(&self, folder: FolderId, ring: Ring) {
        let table = self.0.lock();
        for ear in table.by_folder.get(&folder).into_iter().flatten() {
            ear.ring(ring);
        }
    }

    /// Ends the device's wait of this kind, if there is one: a newer request is here.
    pub fn supersede(&self, device: DeviceId, kind: Kind) {
        if let Some(ear) = self.0.lock().by_device.get(&(device, kind)) {
            ear.ring(Ring::Superseded);
        }
    }

    /// Rings one device, whatever it waits on.
    pub fn ring_device(&self, device: DeviceId, ring: Ring) {
        let table = self.0.lock();
        for kind in [Kind::Ping, Kind::Sync] {
            if let Some(ear) = table.by_device.get(&(device, kind)) {
                ear.ring(ring);
            }
        }
    }

    /// Rings one device if it waits on that folder; says whether it does.
    pub fn recall(&self, device: DeviceId, folder: FolderId) -> bool {
        let table = self.0.lock();
        let mut waits = false;
        for kind in [Kind::Ping, Kind::Sync] {
            if let Some(ear) = table.by_device.get(&(device, kind))
                && ear.folders.contains(&folder)
            {
                ear.ring(Ring::Recall(folder));
                waits = true;
            }
        }
        waits
    }

    /// Rings everybody: the gateway stops.
    pub fn stop(&self) {
        for ear in self.0.lock().by_device.values() {
            ear.ring(Ring::Stop);
        }
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.0.lock().by_device.len()
    }

    /// Whether the device waits, in whatever way.
    pub fn is_waiting(&self, device: DeviceId) -> bool {
        let table = self.0.lock();
        [Kind::Ping, Kind::Sync].iter().any(|kind| table.by_device.contains_key(&(device, *kind)))
    }
}

impl Table {
    fn forget(&mut self, ear: &Ear) {
        for folder in &ear.folders {
            if let Some(ears) = self.by_folder.get_mut(folder) {
                ears.retain(|other| other.id != ear.id);
                if ears.is_empty() {
                    self.by_folder.remove(folder);
                }
            }
        }
        let key = (ear.device, ear.kind);
        if self.by_device.get(&key).is_some_and(|other| other.id == ear.id) {
            self.by_device.remove(&key);
        }
    }
}

/// One waiting request; it hears until it is dropped.
pub struct Listener {
    bells: Bells,
    ear: Arc<Ear>,
}

impl Listener {
    /// Waits until something has rung since the last call, and says what. Safe to drop at any point.
    pub async fn rung(&mut self) -> Vec<Ring> {
        loop {
            let woken = self.ear.wake.notified();
            let rung = std::mem::take(&mut *self.ear.rung.lock());
            if !rung.is_empty() {
                return rung;
            }
            woken.await;
        }
    }

    /// What has rung since the last call, without waiting.
    pub fn take(&mut self) -> Vec<Ring> {
        std::mem::take(&mut *self.ear.rung.lock())
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({} on {} folders)", self.ear.device, self.ear.folders.len())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.bells.0.lock().forget(&self.ear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_between_listening_and_waiting_is_heard() {
        let bells = Bells::new();
        let mut listener = bells.listen(DeviceId(1), Kind::Ping, &[FolderId(5)]);
        bells.ring(FolderId(6), Ring::Arrival(FolderId(6)));
        bells.ring(FolderId(5), Ring::Arrival(FolderId(5)));
        assert_eq!(listener.rung().await, [Ring::Arrival(FolderId(5))]);
    }

    #[tokio::test]
    async fn a_newer_ping_ends_the_older_and_leaves_the_sync_alone() {
        let bells = Bells::new();
        let mut older = bells.listen(DeviceId(1), Kind::Ping, &[FolderId(5)]);
        let mut sync = bells.listen(DeviceId(1), Kind::Sync, &[FolderId(5)]);
        let newer = bells.listen(DeviceId(1), Kind::Ping, &[FolderId(5)]);
        assert_eq!(older.rung().await, [Ring::Superseded]);
        drop(older);
        assert!(sync.take().is_empty());
        assert_eq!(bells.waiting(), 2, "dropping the older does not take the newer's place away");
        drop(newer);
        drop(sync);
        assert_eq!(bells.waiting(), 0);
        assert!(bells.0.lock().by_folder.is_empty());
    }

    #[tokio::test]
    async fn a_recall_rings_only_a_device_that_watches_the_folder() {
        let bells = Bells::new();
        let mut listener = bells.listen(DeviceId(1), Kind::Ping, &[FolderId(5)]);
        assert!(!bells.recall(DeviceId(1), FolderId(6)));
        assert!(!bells.recall(DeviceId(2), FolderId(5)));
        assert!(bells.recall(DeviceId(1), FolderId(5)));
        assert_eq!(listener.rung().await, [Ring::Recall(FolderId(5))]);
    }

    #[tokio::test]
    async fn a_recall_is_heard_after_however_many_other_rings() {
        let bells = Bells::new();
        let folders: Vec<FolderId> = (0..200).map(FolderId).collect();
        let mut listener = bells.listen(DeviceId(1), Kind::Ping, &folders);
        for folder in &folders {
            bells.ring(*folder, Ring::Change(*folder));
        }
        assert!(bells.recall(DeviceId(1), FolderId(7)));
        assert!(listener.rung().await.contains(&Ring::Recall(FolderId(7))));
    }
}
