//! Drafts on 16.x: edited and sent by Sync, repeated until an answer comes, and sent once.

use activesync_phone::Phone;
use activesync_phone::activesync::command::sync::{self, ClientCommand};
use activesync_phone::activesync::item::email::Email;
use activesync_phone::activesync::status::Status;

use super::world::{USERS, World, number_in};

impl World {
    /// The person edits a draft, or sends it.
    pub(super) fn goes_on_with_a_draft(
        &mut self,
        index: usize,
        folder: &str,
    ) -> Option<ClientCommand> {
        let items = &self.handsets[index].phone.cache.collections.get(folder)?.items;
        let drafts: Vec<(String, u32)> = items
            .iter()
            .filter_map(|(id, item)| Some((id.clone(), number_in(item.subject())?)))
            .filter(|(_, number)| self.mails.get(number).is_some_and(|mail| mail.drafted))
            .collect();
        let (id, number) = self.random.pick(&drafts)?.clone();
        let (called, user) = (self.called(index), self.handsets[index].user);
        if self.random.once_in(2) {
            let subject = Some(format!("mk{number}x draft, step {}", self.steps));
            self.tell(format!("{called}: edits {number} {id}"));
            return Some(Phone::edit_draft(&id, Email { subject, ..Email::default() }));
        }
        let to = self.mails[&number].sent_to.unwrap_or(self.random.index(USERS.len()));
        let address = format!("{}@a.example, far{number}@far.example", USERS[to]);
        if self.mails[&number].sent_to.is_none() {
            let mail = self.mails.entry(number).or_default();
            (mail.sent_to, mail.abroad) = (Some(to), true);
            // The copy in Sent Items, beside the draft as long as the process may die between them.
            self.will_come(number, user, false);
            self.will_come(number, to, false);
        }
        self.tell(format!("{called}: sends draft {number} {id} to {address}"));
        Some(Phone::send_draft(&id, Email { to: Some(address), ..Email::default() }))
    }

    /// What an answer says of the drafts that were to be sent: nothing is success.
    pub(super) fn learns_of_sent_drafts(
        &mut self,
        index: usize,
        folder: &str,
        answer: &sync::CollectionAnswer,
    ) {
        if answer.status != Status(1) {
            return;
        }
        for command in self.handsets[index].pending_of(folder) {
            let ClientCommand::Change(change) = command else { continue };
            let failed = answer.replies.iter().any(|reply| {
                reply.server_id.as_ref() == Some(&change.server_id) && reply.status != Status(1)
            });
            if !change.send || failed {
                continue;
            }
            let user = self.handsets[index].user;
            let place = self.place_of(user, change.server_id.as_str());
            let Some(number) = place.and_then(|place| self.names.get(&place).copied()) else {
                continue;
            };
            let mail = self.mails.entry(number).or_default();
            if let (false, Some(to)) = (std::mem::replace(&mut mail.told, true), mail.sent_to) {
                let presence = mail.at.entry(to).or_default();
                presence.perhaps = presence.perhaps.saturating_sub(1);
                presence.accepted += 1;
            }
        }
    }
}
