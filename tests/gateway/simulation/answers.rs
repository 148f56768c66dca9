//! What an answer says: which mails it holds something of, and all of it in a line.

use activesync_phone::activesync::command::{CommandName, item_operations, sync};
use activesync_phone::activesync::item::email::Email;
use activesync_phone::activesync::{Document, ProtocolVersion};

use super::world::number_in;

/// The mails of which a response holds something.
pub(super) fn mails_in(
    command: Option<CommandName>,
    version: ProtocolVersion,
    body: &[u8],
) -> Vec<u32> {
    let mut found = Vec::new();
    let look = |found: &mut Vec<u32>, email: &Email| {
        let subject = email.subject.as_deref().and_then(number_in);
        let text = email.body.as_ref().and_then(|body| body.data.as_ref());
        let text = text.and_then(|text| number_in(&String::from_utf8_lossy(text.as_bytes())));
        found.extend(subject.or(text));
    };
    match command {
        Some(CommandName::Sync) if !body.is_empty() => {
            let Ok(response) = sync::Response::decode(version, body) else { return found };
            for answer in &response.collections {
                for command in &answer.commands {
                    if let sync::ServerCommand::Add { data, .. }
                    | sync::ServerCommand::Change { data, .. } = command
                    {
                        data.email().into_iter().for_each(|email| look(&mut found, email));
                    }
                }
                let data = answer.replies.iter().filter_map(|reply| reply.data.as_ref());
                data.filter_map(|data| data.email()).for_each(|email| look(&mut found, email));
            }
        }
        Some(CommandName::ItemOperations) => {
            let Ok(response) = item_operations::Response::decode(version, body) else {
                return found;
            };
            for outcome in &response.outcomes {
                let item_operations::Outcome::Fetch(fetched) = outcome else { continue };
                let Some(properties) = &fetched.properties else { continue };
                let email = properties.item.as_ref().and_then(|item| item.email());
                email.into_iter().for_each(|email| look(&mut found, email));
                if let Some(data) = &properties.file.data {
                    found.extend(number_in(&String::from_utf8_lossy(&data.0)));
                }
            }
        }
        _ => {}
    }
    found
}

/// A Sync's answer in a line.
pub(super) fn shown(response: Option<&sync::Response>) -> String {
    let Some(response) = response else { return "nothing".to_owned() };
    let mut line = response.status.map_or(String::new(), |status| format!("{status:?} "));
    for answer in &response.collections {
        line += &format!("[{} {:?} key {}", answer.collection_id, answer.status, answer.sync_key);
        for command in &answer.commands {
            line += &match command {
                sync::ServerCommand::Add { server_id, data, .. } => {
                    let subject = data.email().and_then(|email| email.subject.clone());
                    format!(" +{server_id}={}", subject.unwrap_or_default())
                }
                sync::ServerCommand::Change { server_id, .. } => format!(" ~{server_id}"),
                sync::ServerCommand::Delete { server_id, .. } => format!(" -{server_id}"),
                sync::ServerCommand::SoftDelete { server_id } => format!(" s{server_id}"),
            };
        }
        line += &format!(" more {} replies {}]", answer.more_available, answer.replies.len());
    }
    line
}
