//! Any response: what the readers of a client take, chosen by octets.

use super::arbitrary::{Arbitrary, Tape, arbitrary};
use super::requests::display_name;
use crate::code_pages::{
    air_sync, air_sync_base as base, get_item_estimate as estimate, item_operations as operations,
    meeting_response as meeting, provision as provisioning, resolve_recipients as resolve,
    search as searching, settings as setting,
};
use crate::command::folder_sync::FolderType;
use crate::command::provision::Quantity;
use crate::command::settings::{
    Account, Answer, EmailAddresses, RightsManagementTemplates, UserInformation,
};
use crate::command::sync::{ReplyTo, ServerCommand};
use crate::command::{
    find, folder_create, folder_delete, folder_sync, folder_update, get_item_estimate,
    item_operations, meeting_response, move_items, ping, provision, resolve_recipients, search,
    send_mail, settings, smart_forward, smart_reply, sync, validate_cert,
};
use crate::item::ItemData;
use crate::item::email::Email;
use crate::item::gal::GalEntry;
use crate::status::Status;
use crate::version::ProtocolVersion;

arbitrary!(tape, folder_create::Response { status, sync_key, server_id });
arbitrary!(tape, folder_delete::Response { status, sync_key });
arbitrary!(tape, folder_update::Response { status, sync_key });
arbitrary!(tape, folder_sync::Response { status, sync_key, changes });
arbitrary!(tape, folder_sync::Changes { updates, deletes, adds });
arbitrary!(tape, folder_sync::Folder {
    server_id,
    parent_id,
    display_name = display_name(tape),
    folder_type,
});

impl Arbitrary for FolderType {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        Self(tape.any())
    }
}

arbitrary!(tape, get_item_estimate::Response { status, responses });
arbitrary!(tape, get_item_estimate::Estimate { status, collection });
arbitrary!(tape, get_item_estimate::Estimated {
    class = tape.of(estimate::CLASS),
    collection_id,
    estimate,
});

arbitrary!(tape, item_operations::Response { status, outcomes });

impl Arbitrary for item_operations::Outcome {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        match tape.below(4) {
            0 if tape.has(operations::EMPTY_FOLDER_CONTENTS) => {
                Self::EmptyFolderContents { status: tape.any(), collection_id: tape.any() }
            }
            1 if tape.has(operations::MOVE) => {
                Self::Move { status: tape.any(), conversation_id: tape.any() }
            }
            _ => {
                let mut fetched: Box<item_operations::Fetched> = tape.any();
                fetched.status.get_or_insert(Status(0));
                Self::Fetch(fetched)
            }
        }
    }
}

impl Arbitrary for item_operations::Properties {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        // An item of which nothing is told is none.
        let email: Email = tape.any();
        let item = (email != Email::default()).then(|| ItemData::from(email));
        Self { file: tape.any(), item }
    }
}

arbitrary!(tape, move_items::Response { status, responses });
arbitrary!(tape, move_items::Moved { src_msg_id, status, dst_msg_id });

arbitrary!(tape, ping::Response { status, folders, folders_max, heartbeat_s });

arbitrary!(tape, provision::Response {
    device_information = if tape.version() >= ProtocolVersion::V14_1 { tape.any() } else { None },
    status,
    policy,
    remote_wipe,
    account_only_remote_wipe = tape.of(provisioning::ACCOUNT_ONLY_REMOTE_WIPE),
});
arbitrary!(tape, provision::PolicyResponse { policy_type, status, policy_key, document });

impl Arbitrary for Quantity {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        if tape.any() { Self::Is(tape.any()) } else { Self::Unset }
    }
}

arbitrary!(tape, send_mail::Response { status });
arbitrary!(tape, smart_reply::Response { status });
arbitrary!(tape, smart_forward::Response { status });

arbitrary!(tape, settings::Response { status, answers });
arbitrary!(tape, RightsManagementTemplates { templates });

impl Arbitrary for Answer {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        match tape.below(5) {
            0 if tape.has(setting::RIGHTS_MANAGEMENT_INFORMATION) => {
                Self::RightsManagementInformation { status: tape.any(), get: tape.any() }
            }
            1 => Self::Oof { status: tape.any(), get: tape.any() },
            2 => Self::DeviceInformation(tape.any()),
            3 => Self::DevicePassword(tape.any()),
            _ => Self::UserInformation { status: tape.any(), get: tape.any() },
        }
    }
}

impl Arbitrary for UserInformation {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        if tape.version() >= ProtocolVersion::V14_1 {
            return Self { accounts: tape.any() };
        }
        // Until 14.0 there is one account, with nothing but addresses.
        let addresses = EmailAddresses { smtp_addresses: tape.any(), ..Default::default() };
        let account = Account { email_addresses: Some(addresses), ..Account::default() };
        Self { accounts: vec![account] }
    }
}

arbitrary!(tape, sync::Response { status, limit, collections });
arbitrary!(tape, sync::CollectionAnswer {
    class = if tape.version() <= ProtocolVersion::V12_1 { tape.any() } else { None },
    sync_key,
    collection_id,
    status,
    more_available,
    commands,
    replies,
});

impl Arbitrary for ServerCommand {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let server_id = tape.any();
        let class = tape.of(air_sync::CLASS);
        match tape.below(4) {
            0 => Self::SoftDelete { server_id },
            1 => Self::Add { server_id, class, data: tape.any() },
            2 => Self::Change { server_id, class, data: tape.any() },
            _ => Self::Delete { server_id, class },
        }
    }
}

impl Arbitrary for sync::Reply {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let to = *tape.pick(&[ReplyTo::Add, ReplyTo::Change, ReplyTo::Delete, ReplyTo::Fetch]);
        let tells = to == ReplyTo::Fetch || tape.version() >= ProtocolVersion::V16_0;
        Self {
            to,
            class: tape.of(air_sync::CLASS),
            client_id: tape.any(),
            server_id: tape.any(),
            instance_id: tape.of(base::INSTANCE_ID),
            status: tape.any(),
            data: if tells { tape.any() } else { None },
        }
    }
}

arbitrary!(tape, find::Response { status, page });
arbitrary!(tape, find::Page { store, status, results, range, total });
arbitrary!(tape, find::Hit { class, server_id, collection_id, properties });

impl Arbitrary for find::HitProperties {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let is_person = tape.any();
        let person = if is_person { tape.any() } else { Box::<GalEntry>::default() };
        // A person of whom nothing is told reads as a mail of which nothing is told.
        if *person == GalEntry::default() { Self::Mail(tape.any()) } else { Self::Person(person) }
    }
}

arbitrary!(tape, search::Response { status, store });
arbitrary!(tape, search::StoreAnswer { status, results, range, total });
arbitrary!(tape, search::Hit {
    class,
    long_id = tape.of(searching::LONG_ID),
    collection_id,
    properties,
});

impl Arbitrary for search::HitProperties {
    fn arbitrary(tape: &mut Tape<'_>) -> Self {
        let is_person = tape.any();
        let person = if is_person { tape.any() } else { Box::<GalEntry>::default() };
        if *person == GalEntry::default() { Self::Item(tape.any()) } else { Self::Person(person) }
    }
}

arbitrary!(tape, meeting_response::Response { status, results });
arbitrary!(tape, meeting_response::Outcome {
    request_id,
    status,
    calendar_id,
    instance_id = tape.of(meeting::INSTANCE_ID),
});

arbitrary!(tape, resolve_recipients::Response { status, responses });
arbitrary!(tape, resolve_recipients::Resolved { to, status, recipient_count, recipients });
arbitrary!(tape, resolve_recipients::Recipient {
    kind,
    display_name,
    email_address,
    availability = tape.of(resolve::AVAILABILITY),
    certificates,
    pictures = tape.of(resolve::PICTURE),
});

arbitrary!(tape, validate_cert::Response { status, certificates });
