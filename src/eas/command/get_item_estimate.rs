//! GetItemEstimate ([MS-ASCMD] 2.2.1.9): how much the next Sync would bring. It asks and changes nothing, and its key proves
//! nothing.

use activesync::ProtocolVersion;
use activesync::command::get_item_estimate::{Collection, Estimate, Estimated, Request, Response};
use activesync::status::{Status, common, get_item_estimate as status};
use activesync::types::ClassName;

use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::fresh;
use crate::eas::quirks::Behaviour;
use crate::eas::status::Refusal;
use crate::ids::CollectionNumber;
use crate::ledger::Claim;
use crate::mailbox::MailboxError;
use crate::sync::{Foreseen, window};

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let mut response = Response::default();
    for collection in &request.collections {
        response.responses.push(estimate(ask, collection).await?);
    }
    Ok(ask.plain(&response).into())
}

async fn estimate(ask: &Ask, collection: &Collection) -> Result<Estimate, Refusal> {
    let failed = |status: Status| Ok(Estimate { status, collection: None });
    let Some(number) = CollectionNumber::parse(collection.collection_id.as_str()) else {
        return failed(status::INVALID_COLLECTION);
    };
    let engine = &ask.desk.engine;
    let folder = match engine.store.folder(ask.device.mailbox, number).await {
        Err(MailboxError::NoSuchFolder) => return failed(status::INVALID_COLLECTION),
        folder => folder?,
    };
    fresh::items(ask, vec![folder.id]).await;
    let claim = Claim::read(collection.sync_key.as_str());
    // [MS-ASCMD] 2.2.3.103.1: only the recipient cache counts by MaxItems, and we keep none.
    if collection.options.iter().any(|options| options.max_items.is_some()) {
        return failed(status::INVALID_COLLECTION);
    }
    let mail = collection.options.iter().find(|o| o.class.as_ref().is_none_or(|c| c.is_email()));
    let filter = mail.and_then(|options| options.filter_type);
    // [MS-ASCMD] 2.2.3.68.1: a filter that mail does not have.
    if filter.is_some_and(|filter| filter > window::FILTER_MAX) {
        return match ask.version < ProtocolVersion::V14_0 {
            true => Err(Refusal::Status(common::SERVER_ERROR)),
            false => failed(common::SERVER_ERROR),
        };
    }
    let estimated = |count| {
        let class = (ask.version < ProtocolVersion::V14_0).then(ClassName::email);
        let collection_id = collection.collection_id.clone();
        let estimated = Estimated { class, collection_id, estimate: count };
        Ok(Estimate { status: status::SUCCESS, collection: Some(estimated) })
    };
    match engine.foresee(&ask.device, &folder, claim, filter).await? {
        Foreseen::Statements(count) => estimated(u32::try_from(count).ok()),
        Foreseen::NotPrimed => failed(status::NOT_PRIMED),
        // Departs from [MS-ASCMD] 2.2.3.177.7: told a failure, these clients never sync again.
        Foreseen::InvalidKey if ask.quirks.has(Behaviour::EstimatesForStaleKeys) => {
            estimated(Some(1))
        }
        Foreseen::InvalidKey => failed(status::INVALID_SYNC_KEY),
    }
}
