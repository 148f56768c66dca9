//! What a Sync asks for, once empty and Partial requests are completed from the one before ([MS-ASCMD] 2.2.1.21.1, 2.2.3.131).
//!
//! What the phone does not say itself is no testimony: a collection taken from memory goes on from what is proven, or not at all.

use std::time::Duration;

use activesync::command::sync::{ClientCommand, Collection, Options, Request, Response};
use activesync::status::sync as status;
use activesync::types::{CollectionId, SyncKey};
use activesync::{Document, ProtocolVersion};

use crate::database::{Error, Tx};
use crate::eas::dispatch::Ask;
use crate::eas::gateway::GatewayLimits;
use crate::eas::status::Refusal;
use crate::ledger::{self, Cached, Claim};

/// A Sync as it is to be served.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The collections, in the order of the request.
    pub(super) parts: Vec<Part>,
    /// How long it may hang.
    pub(super) wait: Option<Duration>,
    /// How many statements all collections together may get.
    pub(super) window: Option<u32>,
    /// Whether the phone sent commands of its own.
    pub(super) has_commands: bool,
    /// What an empty request would repeat, where that changes.
    pub(super) remember: Option<Vec<u8>>,
}

/// One collection. `Supported` is not among it: a mail has no property that a Change could leave out and thereby delete, so nothing
/// of it can be ghosted ([MS-ASCMD] 2.2.3.179). Nor is `ConversationMode` ([MS-ASCMD] 2.2.3.36.2): the older mails of a
/// conversation within the filter are not brought, as ARCHITECTURE.md says.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its id on the wire.
    pub(super) id: CollectionId,
    /// The key that the phone presents; `None` where it did not name the collection in this request.
    pub(super) claim: Option<Claim>,
    /// Whether GetChanges stands there with 1, which key 0 forbids ([MS-ASCMD] 2.2.3.84).
    pub(super) insists: bool,
    /// Whether it wants our changes.
    pub(super) wants: bool,
    /// How many it takes.
    pub(super) window: Option<u32>,
    /// Whether what it deletes goes to Deleted Items.
    pub(super) deletes_as_moves: bool,
    /// What it wants of the items; empty for what it said last.
    pub(super) options: Vec<Options>,
    /// What it did.
    pub(super) commands: Vec<ClientCommand>,
}

/// Reads the request; `Err` within `Ok` is the answer to one that fails as a whole.
pub(super) async fn read(ask: &Ask) -> Result<Result<Wanted, Response>, Refusal> {
    let request: Option<Request> =
        if ask.body.is_empty() { None } else { Some(ask.decode::<Request>()?) };
    let device = ask.device.id;
    let remembered = ask
        .desk
        .engine
        .database
        .read(move |tx: &Tx<'_>| ledger::cached(tx, device, Cached::Sync))
        .await?;
    // What we wrote ourselves can be read; a row from before a change of its form counts as none.
    let memory =
        remembered.as_ref().and_then(|blob| Request::decode(ProtocolVersion::V16_1, blob).ok());
    Ok(complete(request, memory, remembered.as_deref(), &ask.desk.limits))
}

fn complete(
    request: Option<Request>,
    memory: Option<Request>,
    remembered: Option<&[u8]>,
    limits: &GatewayLimits,
) -> Result<Wanted, Response> {
    let incomplete = || Response::failure(status::INCOMPLETE_REQUEST);
    let (said, merged) = match request {
        None => (Vec::new(), memory.ok_or_else(incomplete)?),
        Some(request) if request.partial => {
            let memory = memory.ok_or_else(incomplete)?;
            (ids(&request), merge(request, memory))
        }
        Some(request) => (ids(&request), request),
    };
    let wait = heartbeat(&merged, limits)?;
    check_collections(&merged, wait, limits)?;
    let has_commands = merged.collections.iter().any(|c| !c.commands.is_empty());
    let blob = (!has_commands).then(|| remember(&merged));
    Ok(Wanted {
        wait,
        window: merged.window_size,
        has_commands,
        remember: blob.filter(|blob| remembered != Some(&blob[..])),
        parts: merged.collections.into_iter().map(|c| part(c, &said)).collect(),
    })
}

fn ids(request: &Request) -> Vec<CollectionId> {
    request.collections.iter().map(|collection| collection.collection_id.clone()).collect()
}

fn part(collection: Collection, said: &[CollectionId]) -> Part {
    let claim =
        said.contains(&collection.collection_id).then(|| Claim::read(collection.sync_key.as_str()));
    Part {
        claim,
        insists: collection.get_changes == Some(true),
        wants: collection.get_changes.unwrap_or(true),
        window: collection.window_size,
        deletes_as_moves: collection.deletes_as_moves.unwrap_or(true),
        options: collection.options,
        commands: collection.commands,
        id: collection.collection_id,
    }
}

/// A Partial request over the one before: what it does not name is as it was.
fn merge(request: Request, memory: Request) -> Request {
    let waits = request.wait_min.is_some() || request.heartbeat_interval_s.is_some();
    let (wait_min, heartbeat_interval_s) = if waits {
        (request.wait_min, request.heartbeat_interval_s)
    } else {
        (memory.wait_min, memory.heartbeat_interval_s)
    };
    let said = ids(&request);
    let rest = memory.collections.into_iter().filter(|c| !said.contains(&c.collection_id));
    let collections = request.collections.into_iter().chain(rest).collect();
    let window_size = request.window_size.or(memory.window_size);
    Request { collections, wait_min, heartbeat_interval_s, window_size, partial: false }
}

/// What an empty request repeats: all but the keys, which the ledger has, and the options, which stand with their collection.
fn remember(request: &Request) -> Vec<u8> {
    let collections = request.collections.iter().map(|collection| Collection {
        get_changes: collection.get_changes,
        window_size: collection.window_size,
        ..Collection::new(collection.collection_id.clone(), SyncKey::initial())
    });
    let kept = Request { collections: collections.collect(), partial: false, ..request.clone() };
    kept.encode(ProtocolVersion::V16_1)
}

/// [MS-ASCMD] 2.2.3.196 and 2.2.3.88.2: out of range is Status 14 with the nearest bound.
fn heartbeat(request: &Request, limits: &GatewayLimits) -> Result<Option<Duration>, Response> {
    let (value, unit_s) = match (request.wait_min, request.heartbeat_interval_s) {
        (Some(minutes), _) => (minutes, 60),
        (None, Some(seconds)) => (seconds, 1),
        (None, None) => return Ok(None),
    };
    let (min, max) = (limits.heartbeat_s_min.div_ceil(unit_s), limits.heartbeat_s_max / unit_s);
    if value < min || value > max {
        let limit = Some(value.clamp(min, max));
        return Err(Response { limit, ..Response::failure(status::INVALID_WAIT_OR_HEARTBEAT) });
    }
    Ok(Some(Duration::from_secs(u64::from(value) * u64::from(unit_s))))
}

fn check_collections(
    request: &Request,
    wait: Option<Duration>,
    limits: &GatewayLimits,
) -> Result<(), Response> {
    let collections = &request.collections;
    if collections.len() > limits.collections_max {
        let limit = u32::try_from(limits.collections_max).ok();
        return Err(Response { limit, ..Response::failure(status::TOO_MANY_COLLECTIONS) });
    }
    let twice = collections.iter().enumerate().any(|(at, collection)| {
        collections[..at].iter().any(|other| other.collection_id == collection.collection_id)
    });
    let operations: usize = collections.iter().map(|c| c.commands.len()).sum();
    // Without any collection it can only be the heartbeat of a phone that has switched every folder off.
    if twice || operations > OPERATIONS_MAX || (collections.is_empty() && wait.is_none()) {
        return Err(Response::failure(status::PROTOCOL_ERROR));
    }
    Ok(())
}

/// Writes down what an empty request shall repeat; a full disk does not stand in the way of a recall.
pub(super) async fn keep(ask: &Ask, blob: Vec<u8>, is_owed: bool) -> Result<(), Error> {
    let device = ask.device.id;
    let job = move |tx: &Tx<'_>| ledger::cache(tx, device, Cached::Sync, Some(&blob));
    match is_owed {
        true => ask.desk.engine.database.write_owed(job).await,
        false => ask.desk.engine.database.write(job).await,
    }
}

/// Adds, Changes, Deletes and Fetches in one request at most ([MS-ASCMD] 3.1.5.10).
const OPERATIONS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn collection(id: &str, key: &str) -> Collection {
        Collection::new(CollectionId::new(id).unwrap(), SyncKey::new(key).unwrap())
    }

    fn request(collections: Vec<Collection>) -> Request {
        Request { collections, ..Request::default() }
    }

    fn complete(request: Option<Request>, memory: Option<Request>) -> Result<Wanted, Response> {
        super::complete(request, memory, None, &GatewayLimits::default())
    }

    #[test]
    fn an_empty_request_repeats_the_last_one_and_testifies_to_nothing() {
        let asked = Request { wait_min: Some(5), ..request(vec![collection("1", "7.key")]) };
        let wanted = complete(Some(asked), None).unwrap();
        assert!(wanted.parts[0].claim.is_some());
        let memory = Request::decode(ProtocolVersion::V16_1, &wanted.remember.unwrap()).unwrap();
        let again = complete(None, Some(memory)).unwrap();
        assert_eq!(again.wait, Some(Duration::from_secs(300)));
        assert_eq!((again.parts.len(), again.parts[0].claim), (1, None));
        let nothing = complete(None, None).unwrap_err();
        assert_eq!(nothing.status, Some(status::INCOMPLETE_REQUEST));
    }

    #[test]
    fn a_partial_request_names_what_changed() {
        let memory = Request {
            wait_min: Some(5),
            ..request(vec![collection("1", "0"), collection("2", "0")])
        };
        let partial = Request {
            partial: true,
            heartbeat_interval_s: Some(90),
            ..request(vec![collection("2", "9.key")])
        };
        let wanted = complete(Some(partial.clone()), Some(memory)).unwrap();
        let said: Vec<_> =
            wanted.parts.iter().map(|p| (p.id.as_str(), p.claim.is_some())).collect();
        assert_eq!(said, [("2", true), ("1", false)]);
        assert_eq!(wanted.wait, Some(Duration::from_secs(90)));
        let unknown = complete(Some(partial), None).unwrap_err();
        assert_eq!(unknown.status, Some(status::INCOMPLETE_REQUEST));
    }

    #[test]
    fn waits_out_of_range_get_the_nearest_bound() {
        let limit = |wait_min, heartbeat_interval_s| {
            let asked =
                Request { wait_min, heartbeat_interval_s, ..request(vec![collection("1", "0")]) };
            complete(Some(asked), None).map(|w| w.wait).map_err(|r| (r.status, r.limit))
        };
        let out = Some(status::INVALID_WAIT_OR_HEARTBEAT);
        assert_eq!(limit(Some(0), None), Err((out, Some(1))));
        assert_eq!(limit(Some(60), None), Err((out, Some(59))));
        assert_eq!(limit(None, Some(59)), Err((out, Some(60))));
        assert_eq!(limit(None, Some(3541)), Err((out, Some(3540))));
        assert_eq!(limit(None, Some(60)), Ok(Some(Duration::from_secs(60))));
    }

    #[test]
    fn a_collection_twice_is_a_mistake_and_none_a_heartbeat() {
        let twice = complete(Some(request(vec![collection("1", "0"), collection("1", "0")])), None);
        assert_eq!(twice.unwrap_err().status, Some(status::PROTOCOL_ERROR));
        assert_eq!(
            complete(Some(request(Vec::new())), None).unwrap_err().status,
            Some(status::PROTOCOL_ERROR)
        );
        let heartbeat = Request { wait_min: Some(1), ..request(Vec::new()) };
        assert!(complete(Some(heartbeat), None).is_ok());
    }
}
