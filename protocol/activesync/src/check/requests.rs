//! Any request: what the readers of the commands take, chosen by octets. A rule that a reader enforces is kept here.

use super::arbitrary::{Arbitrary, Tape, arbitrary, preferences, tags};
use crate::code_pages::{
    air_sync, air_sync_base as base, compose_mail, email2, find as finding,
    item_operations as operations, meeting_response as meeting, provision as provisioning,
    resolve_recipients as resolve, rights_management as rights, search as searching,
    settings as setting,
};
use crate::command::folder_sync::FolderType;
use crate::command::settings::{OofRequest, Password, Property};
use crate::command::smart_reply::{Source, SourceItem};
use crate::command::sync::ClientCommand;
use crate::command::{
    find, folder_create, folder_delete, folder_sync, folder_update, get_item_estimate,
    item_operations, meeting_response, move_items, ping, provision, resolve_recipients, search,
    send_mail, settings, smart_forward, smart_reply, sync, validate_cert,
};
use crate::types::ClassName;
use crate::version::ProtocolVersion;

arbitrary!(tape, folder_create::Request {
    sync_key,
    parent_id,
    display_name = display_name(tape),
    folder_type = FolderType(*tape.pick(&[1, 12, 13, 14, 15, 16, 17])),
});
arbitrary!(tape, folder_delete::Request { sync_key, server_id });
arbitrary!(tape, folder_sync::Request { sync_key });
arbitrary!(tape, folder_update::Request {
    sync_key,
    server_id,
    parent_id,
    display_name = display_name(tape),
});

/// The name of a folder, which is not empty.
pub(super) fn display_name(tape: &mut Tape<'_>) -> String {
    format!("{}n", tape.any::<String>())
}

arbitrary!(tape, get_item_estimate::Request { collections = tape.some() });

impl Arbitrary for get_item_estimate::Collection {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let mut options: Vec<get_item_estimate::Options> = tape.any();
        options.truncate(2);
        for options in &mut options {
            options.filter_type = options.filter_type.map(|filter| filter % 9);
        }
        if tape.version() < ProtocolVersion::V14_0 {
            // The options stand in the collection itself, and none are none.
            options.truncate(1);
            options.iter_mut().for_each(|options| options.max_items = None);
            options.retain(|options| *options != get_item_estimate::Options::default());
        }
        Self {
            sync_key: tape.any(),
            collection_id: tape.any(),
            conversation_mode: tape.of(air_sync::CONVERSATION_MODE),
            options,
        }
    }
}

arbitrary!(tape, item_operations::Request { operations });

impl Arbitrary for item_operations::Operation {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        match tape.below(4) {
            0 if tape.has(operations::EMPTY_FOLDER_CONTENTS) => Self::EmptyFolderContents {
                collection_id: tape.any(),
                delete_sub_folders: tape.of(operations::DELETE_SUB_FOLDERS),
            },
            1 if tape.has(operations::MOVE) => Self::Move {
                conversation_id: tape.any(),
                dst_fld_id: tape.any(),
                move_always: tape.of(operations::MOVE_ALWAYS),
            },
            _ => {
                let mut fetch: Box<item_operations::Fetch> = tape.any();
                fetch.store.get_or_insert_default();
                Self::Fetch(fetch)
            }
        }
    }
}

arbitrary!(tape, item_operations::FetchOptions {
    schema = tape.any::<bool>().then(|| tags(tape)),
    range,
    user_name,
    password,
    mime_support,
    body_preferences = preferences(tape, base::BODY_PREFERENCE),
    body_part_preferences = preferences(tape, base::BODY_PART_PREFERENCE),
    rights_management_support = tape.of(rights::RIGHTS_MANAGEMENT_SUPPORT),
});

arbitrary!(tape, move_items::Request { moves = tape.some() });
arbitrary!(tape, move_items::Move { src_msg_id, src_fld_id, dst_fld_id });

arbitrary!(tape, ping::Request { heartbeat_s, folders });

impl Arbitrary for ping::Folder {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let has_notes = tape.version() >= ProtocolVersion::V14_0;
        let classes = if has_notes { &WATCHED[..] } else { &WATCHED[..4] };
        let class = ClassName::new(*tape.pick(classes)).expect("a short name");
        Self { id: tape.any(), class }
    }
}

/// The classes of folders that can be watched; the last since 14.0.
const WATCHED: [&str; 5] = ["Email", "Calendar", "Contacts", "Tasks", "Notes"];

arbitrary!(tape, provision::Request {
    device_information = if tape.version() >= ProtocolVersion::V14_1 { tape.any() } else { None },
    policy,
    remote_wipe,
    account_only_remote_wipe = tape.of(provisioning::ACCOUNT_ONLY_REMOTE_WIPE),
});
arbitrary!(tape, provision::PolicyRequest { policy_type, policy_key, status });

arbitrary!(tape, send_mail::Request {
    client_id,
    account_id = tape.of(compose_mail::ACCOUNT_ID),
    save_in_sent_items,
    mime,
    template_id = tape.of(rights::TEMPLATE_ID),
});
arbitrary!(tape, smart_reply::Request {
    client_id,
    source,
    account_id = tape.of(compose_mail::ACCOUNT_ID),
    save_in_sent_items,
    replace_mime,
    mime,
    template_id = tape.of(rights::TEMPLATE_ID),
});

impl Arbitrary for smart_forward::Request {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let forwardees = tape.of(compose_mail::FORWARDEES);
        // Where nobody is named there has to be a mail; an empty one is left out where somebody is.
        let mime = match tape.any::<Option<Vec<u8>>>() {
            None if Vec::<smart_forward::Forwardee>::is_empty(&forwardees) => Some(Vec::new()),
            mime => mime,
        };
        let has_body = tape.version() >= ProtocolVersion::V16_0;
        Self {
            client_id: tape.any(),
            source: tape.any(),
            account_id: tape.of(compose_mail::ACCOUNT_ID),
            save_in_sent_items: tape.any(),
            replace_mime: tape.any(),
            forwardees,
            body: if has_body { tape.any() } else { None },
            mime,
            template_id: tape.of(rights::TEMPLATE_ID),
        }
    }
}

arbitrary!(tape, smart_forward::Forwardee { name, email });
arbitrary!(tape, Source { item, instance_id });

impl Arbitrary for SourceItem {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        if tape.any() {
            return Self::Found(tape.any());
        }
        Self::Item { folder_id: tape.any(), item_id: tape.any() }
    }
}

impl Arbitrary for settings::Request {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let chosen = tape.any::<u8>();
        let mut properties = Vec::new();
        if chosen & 1 != 0 && tape.has(setting::RIGHTS_MANAGEMENT_INFORMATION) {
            properties.push(Property::RightsManagementInformation);
        }
        if chosen & 2 != 0 {
            let get = tape.any();
            let oof = if get { OofRequest::Get(tape.any()) } else { OofRequest::Set(tape.any()) };
            properties.push(Property::Oof(oof));
        }
        if chosen & 4 != 0 {
            properties.push(Property::DeviceInformation(tape.any()));
        }
        if chosen & 8 != 0 {
            properties.push(Property::DevicePassword(Password(tape.any())));
        }
        if chosen & 16 != 0 {
            properties.push(Property::UserInformation);
        }
        Self { properties }
    }
}

impl Arbitrary for sync::Request {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let collections: Vec<sync::Collection> = tape.any();
        // One wait, not two; and Partial says nothing on its own.
        let wait_min = tape.of(air_sync::WAIT);
        let heartbeat_interval_s = match wait_min {
            None => tape.of(air_sync::HEARTBEAT_INTERVAL),
            Some(_) => None,
        };
        let partial = !collections.is_empty() && tape.of(air_sync::PARTIAL);
        let window_size = tape.any();
        Self { collections, wait_min, heartbeat_interval_s, window_size, partial }
    }
}

impl Arbitrary for sync::Collection {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let mut options: Vec<sync::Options> = tape.any();
        options.truncate(2);
        if let [one, other] = &options[..]
            && one.class == other.class
        {
            options.truncate(1);
        }
        Self {
            class: tape.of(air_sync::CLASS),
            sync_key: tape.any(),
            collection_id: tape.any(),
            supported: tape.any::<bool>().then(|| tags(tape)),
            deletes_as_moves: tape.any(),
            get_changes: tape.any(),
            window_size: tape.any(),
            conversation_mode: tape.of(air_sync::CONVERSATION_MODE),
            options,
            commands: tape.any(),
        }
    }
}

arbitrary!(tape, sync::Options {
    filter_type,
    class = tape.of(air_sync::CLASS),
    body_preferences = preferences(tape, base::BODY_PREFERENCE),
    body_part_preferences = preferences(tape, base::BODY_PART_PREFERENCE),
    conflict,
    mime_support,
    mime_truncation,
    max_items = tape.of(air_sync::MAX_ITEMS),
    rights_management_support = tape.of(rights::RIGHTS_MANAGEMENT_SUPPORT),
});

impl Arbitrary for ClientCommand {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        match tape.below(4) {
            0 => Self::Fetch(tape.any()),
            1 => Self::Add(tape.any()),
            2 => Self::Change(tape.any()),
            _ => Self::Delete(tape.any()),
        }
    }
}

arbitrary!(tape, sync::Add {
    class = tape.of(air_sync::CLASS),
    client_id,
    send = tape.of(email2::SEND),
    data,
});
arbitrary!(tape, sync::Change {
    server_id,
    instance_id = tape.of(base::INSTANCE_ID),
    send = tape.of(email2::SEND),
    data,
});
arbitrary!(tape, sync::Delete { server_id, instance_id = tape.of(base::INSTANCE_ID) });

arbitrary!(tape, find::Request { search_id, criterion });

impl Arbitrary for find::Criterion {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        if tape.any() { Self::Mailbox(tape.any()) } else { Self::People(tape.any()) }
    }
}

arbitrary!(tape, find::PeopleCriterion { query, range, picture = tape.of(finding::PICTURE) });

arbitrary!(tape, search::Request { store, query, options });

impl Arbitrary for search::Query {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        match tape.below(3) {
            0 => Self::Text(tape.any()),
            1 => Self::Mailbox(tape.any()),
            _ => Self::Document(tape.any()),
        }
    }
}

impl Arbitrary for search::Received {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self(tape.any())
    }
}

arbitrary!(tape, search::Options {
    rebuild_results,
    deep_traversal,
    range,
    user_name = tape.of(searching::USER_NAME),
    password = tape.of(searching::PASSWORD),
    mime_support,
    body_preferences = preferences(tape, base::BODY_PREFERENCE),
    body_part_preferences = preferences(tape, base::BODY_PART_PREFERENCE),
    rights_management_support = tape.of(rights::RIGHTS_MANAGEMENT_SUPPORT),
    picture = tape.of(searching::PICTURE),
});

arbitrary!(tape, meeting_response::Request { replies = tape.some() });
arbitrary!(tape, meeting_response::Reply {
    user_response,
    collection_id,
    request_id,
    long_id = tape.of(searching::LONG_ID),
    instance_id = tape.of(meeting::INSTANCE_ID),
    send_response = tape.of(meeting::SEND_RESPONSE),
});

arbitrary!(tape, resolve_recipients::Request { to = tape.some(), options });
arbitrary!(tape, resolve_recipients::Options {
    certificate_retrieval,
    max_certificates,
    max_ambiguous_recipients,
    availability = tape.of(resolve::AVAILABILITY),
    picture = tape.of(resolve::PICTURE),
});

arbitrary!(tape, validate_cert::Request { chain, certificates = tape.some(), check_crl });

impl Arbitrary for validate_cert::Certificate {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self(tape.any())
    }
}
