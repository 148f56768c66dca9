//! Which documents may leave without the gate: those that hold nothing out of a mailbox.
//!
//! Every document a phone is answered with has its line here, and says itself how many items, or parts of one, it tells of. One that tells
//! of any cannot be put on its way plainly, and none leaves that tells of more than the gate was asked for: see
//! [`super::dispatch::booked`].

use activesync::Document;
use activesync::command::sync::{Reply, ReplyTo, ServerCommand};
use activesync::command::{
    find, folder_create, folder_delete, folder_sync, folder_update, get_hierarchy,
    get_item_estimate, item_operations, meeting_response, move_items, ping, provision,
    resolve_recipients, search, settings, sync, validate_cert,
};

/// An answer to a phone.
pub(in crate::eas) trait Telling: Document {
    /// How many things out of a mailbox are in it: items, their states, properties, files. The numbers of items that are gone are none,
    /// and what a phone is told of a draft it wrote itself is its own.
    fn told(&self) -> usize;
}

/// Documents that have no place for an item.
macro_rules! never {
    ($($document:path),+ $(,)?) => {$(
        impl Telling for $document {
            fn told(&self) -> usize {
                0
            }
        }
    )+};
}

never!(
    folder_create::Response,
    folder_delete::Response,
    folder_sync::Response,
    folder_update::Response,
    get_hierarchy::Response,
    get_item_estimate::Response,
    meeting_response::Response,
    move_items::Response,
    ping::Response,
    provision::Response,
    resolve_recipients::Response,
    settings::Response,
    validate_cert::Response,
);

impl Telling for sync::Response {
    fn told(&self) -> usize {
        let tells = |command: &&ServerCommand| match command {
            ServerCommand::Add { .. } | ServerCommand::Change { .. } => true,
            ServerCommand::Delete { .. } | ServerCommand::SoftDelete { .. } => false,
        };
        let fetched = |reply: &&Reply| reply.to == ReplyTo::Fetch && reply.data.is_some();
        let of = |collection: &sync::CollectionAnswer| {
            let commands = collection.commands.iter().filter(tells).count();
            commands + collection.replies.iter().filter(fetched).count()
        };
        self.collections.iter().map(of).sum()
    }
}

impl Telling for item_operations::Response {
    fn told(&self) -> usize {
        let tells = |outcome: &&item_operations::Outcome| match outcome {
            item_operations::Outcome::Fetch(fetched) => fetched.properties.is_some(),
            item_operations::Outcome::EmptyFolderContents { .. }
            | item_operations::Outcome::Move { .. } => false,
        };
        self.outcomes.iter().filter(tells).count()
    }
}

impl Telling for search::Response {
    fn told(&self) -> usize {
        let hits = self.store.iter().flat_map(|store| &store.results);
        hits.filter(|hit| matches!(hit.properties, Some(search::HitProperties::Item(_)))).count()
    }
}

impl Telling for find::Response {
    fn told(&self) -> usize {
        let hits = self.page.iter().flat_map(|page| &page.results);
        hits.filter(|hit| matches!(hit.properties, find::HitProperties::Mail(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use activesync::command::sync::{CollectionAnswer, Response};
    use activesync::item::email::Email;
    use activesync::status::sync as status;
    use activesync::types::{CollectionId, ServerId, SyncKey};

    use super::*;

    fn answer(commands: Vec<ServerCommand>, replies: Vec<Reply>) -> Response {
        let id = CollectionId::new("1").unwrap();
        let collection = CollectionAnswer {
            commands,
            replies,
            ..CollectionAnswer::new(id, SyncKey::initial(), status::SUCCESS)
        };
        Response { collections: vec![collection], ..Response::default() }
    }

    #[test]
    fn an_answer_with_an_item_tells_of_it_and_one_that_takes_it_back_does_not() {
        let server_id = ServerId::new("1:1").unwrap();
        let data = || Email { read: Some(true), ..Email::default() }.into();
        let add = ServerCommand::Add { server_id: server_id.clone(), class: None, data: data() };
        let delete = ServerCommand::Delete { server_id: server_id.clone(), class: None };
        let refused = Reply::about(ReplyTo::Fetch, server_id, status::OBJECT_NOT_FOUND);
        let fetched = Reply { data: Some(data()), ..refused.clone() };
        assert_eq!(answer(vec![delete.clone()], vec![refused.clone()]).told(), 0);
        assert_eq!(answer(vec![delete.clone(), add], Vec::new()).told(), 1);
        assert_eq!(answer(vec![delete], vec![refused, fetched]).told(), 1);
    }

    #[test]
    fn a_fetch_and_a_hit_tell_of_an_item_and_a_person_does_not() {
        let fetched = |properties| item_operations::Response {
            status: activesync::status::item_operations::SUCCESS,
            outcomes: vec![item_operations::Outcome::Fetch(Box::new(item_operations::Fetched {
                properties,
                ..item_operations::Fetched::default()
            }))],
        };
        assert_eq!(fetched(None).told(), 0);
        assert_eq!(fetched(Some(item_operations::Properties::default())).told(), 1);
        let found = |properties| search::Response {
            status: activesync::status::search::SUCCESS,
            store: Some(search::StoreAnswer {
                results: vec![search::Hit { properties, ..search::Hit::default() }],
                ..search::StoreAnswer::failure(activesync::status::search_store::SUCCESS)
            }),
        };
        let item = search::HitProperties::Item(Email::default().into());
        assert_eq!(found(Some(item)).told(), 1);
        assert_eq!(found(Some(search::HitProperties::Person(Box::default()))).told(), 0);
        assert_eq!(found(None).told(), 0);
    }
}
