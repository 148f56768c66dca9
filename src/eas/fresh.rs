//! Before an answer is composed, what we know of a mailbox is brought up to what its store has now.
//!
//! A store that is slow or down keeps no phone from what we know already: least of all from the Delete of a recalled message, which
//! comes from our own books.

use std::time::Duration;

use super::dispatch::Ask;
use crate::ids::FolderId;
use crate::mailbox::Freshness;

/// For how long an answer waits for the store to say what is new.
const PATIENCE: Duration = Duration::from_secs(20);

/// The folders of the phone's mailbox, as the store has them now.
pub(in crate::eas) async fn folders(ask: &Ask) {
    freshen(ask, Freshness::Folders).await;
}

/// What lies in these folders, as the store has it now.
pub(in crate::eas) async fn items(ask: &Ask, folders: Vec<FolderId>) {
    if !folders.is_empty() {
        freshen(ask, Freshness::Items(folders)).await;
    }
}

/// The same for a phone that waits for news of them, which a store that is watched tells by itself.
pub(in crate::eas) async fn watched(ask: &Ask, folders: Vec<FolderId>) {
    freshen(ask, Freshness::Watched(folders)).await;
}

async fn freshen(ask: &Ask, what: Freshness) {
    let refresh = ask.desk.engine.store.refresh(ask.device.mailbox, what);
    match tokio::time::timeout(PATIENCE, refresh).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::info!(device = %ask.device.id, %error, "answered from what is known already");
        }
        Err(_) => {
            tracing::info!(device = %ask.device.id, "the store is slow: answered from what is known already");
        }
    }
}
