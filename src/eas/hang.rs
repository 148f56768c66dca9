//! A request that hangs: what Ping and a waiting Sync have in common. Listen first, then look, then wait.
//!
//! A wait costs a listener and a timer; of the request and its device only numbers are kept. Whatever rings is looked at before it wakes a phone: a phone is not woken for what it
//! would not be given, and what wakes it proves nothing.

use std::sync::Arc;
use std::time::Duration;

use super::gateway::Desk;
use crate::database::Tx;
use crate::ids::{DeviceId, FolderId, MailboxId};
use crate::ledger::{self, Cached, Device, Place};
use crate::mailbox::Watching;
use crate::push::{Ended, Listener, Ring, Wait, WaitLimits};
use crate::recall::retraction;
use crate::sync::{News, SyncError};

/// Somebody waiting.
pub(in crate::eas) struct Vigil {
    desk: Arc<Desk>,
    device: DeviceId,
    mailbox: MailboxId,
    listener: Listener,
    wait: Wait,
    /// The store tells of news for as long as somebody waits for it.
    _watching: Watching,
}

impl Vigil {
    /// Waits with a listener that hears already and a store that tells, for so long.
    pub(in crate::eas) fn new(
        desk: &Arc<Desk>,
        device: &Device,
        (listener, watching): (Listener, Watching),
        patience: Duration,
    ) -> Vigil {
        let limits = WaitLimits { removals_coalesce: desk.limits.removals_coalesce };
        let wait = Wait::until(desk.engine.clock.now().after(patience), limits);
        let (device, mailbox) = (device.id, device.mailbox);
        Vigil { desk: desk.clone(), device, mailbox, listener, wait, _watching: watching }
    }

    /// Deletions by others that were there before the wait are waited for like those that come.
    pub(in crate::eas) fn begin(&mut self, removals: &[Ring]) {
        self.wait.begin(self.desk.engine.clock.now(), removals);
    }

    /// Waits until there is news, or the wait is over for another reason.
    pub(in crate::eas) async fn ended(&mut self) -> Result<Ended, SyncError> {
        loop {
            let now = self.desk.engine.clock.now();
            let ended = match self.wait.handle_time(now) {
                Some(ended) => Some(ended),
                None => {
                    let left = self.wait.poll_timeout().since(now);
                    tokio::select! {
                        biased;
                        rings = self.listener.rung() => {
                            self.wait.handle_rings(self.desk.engine.clock.now(), &rings)
                        }
                        () = tokio::time::sleep(left) => None,
                    }
                }
            };
            match ended {
                None => {}
                Some(Ended::Folders(folders)) => {
                    let fresh = Box::pin(self.fresh(&folders)).await?;
                    if !fresh.is_empty() {
                        return Ok(Ended::Folders(fresh));
                    }
                }
                Some(Ended::Hierarchy) => {
                    let changed = Box::pin(self.folders_changed()).await?;
                    if changed {
                        return Ok(Ended::Hierarchy);
                    }
                }
                Some(ended) => return Ok(ended),
            }
        }
    }

    /// Whether the device does not know of it yet: its own doing rings as well.
    async fn folders_changed(&self) -> Result<bool, SyncError> {
        let folders = self.desk.engine.store.folders(self.mailbox).await?;
        self.desk.engine.folders_changed(self.device, &folders).await
    }

    /// Those of the folders that have something for this device worth a wake.
    pub(in crate::eas) async fn fresh(
        &self,
        folders: &[FolderId],
    ) -> Result<Vec<FolderId>, SyncError> {
        let mut fresh = Vec::new();
        for folder in folders {
            let place = Place { device: self.device, folder: *folder };
            match self.desk.engine.news(self.mailbox, place).await? {
                News::None | News::Changes => {}
                News::Removals => fresh.push(*folder),
                News::Arrivals => {
                    wakes(&self.desk, place).await;
                    fresh.push(*folder);
                }
                News::Recall => {
                    woken(&self.desk, place).await?;
                    fresh.push(*folder);
                }
            }
        }
        Ok(fresh)
    }
}

/// Keeps which folders a device waits on, for reports: trouble with it keeps nobody from waiting.
pub(in crate::eas) async fn watches(
    desk: &Desk,
    device: DeviceId,
    by: Cached,
    folders: Vec<FolderId>,
) {
    let job = move |tx: &Tx<'_>| ledger::watch(tx, device, by, &folders);
    if let Err(error) = desk.engine.database.write(job).await {
        tracing::warn!(%device, %error, "cannot note which folders a device waits on");
    }
}

/// Notes that a device was woken for what is new in a folder, for reports: trouble with it lets nobody wait.
pub(in crate::eas) async fn wakes(desk: &Desk, place: Place) {
    let now = desk.engine.clock.now();
    let job = move |tx: &Tx<'_>| ledger::note_wake(tx, place, now);
    if let Err(error) = desk.engine.database.write(job).await {
        tracing::warn!(device = %place.device, %error, "cannot note that a device was woken");
    }
}

/// Notes that a device was woken for a recall.
pub(in crate::eas) async fn woken(desk: &Desk, place: Place) -> Result<(), SyncError> {
    let now = desk.engine.clock.now();
    let job = move |tx: &Tx<'_>| retraction::woken(tx, place.device, place.folder, now);
    desk.engine.database.write_owed(job).await.map_err(SyncError::State)
}
