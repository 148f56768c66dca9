//! Mail that phones send.

use activesync_phone::activesync::command::CommandName;
use activesync_phone::activesync::types::ClientId;
use retract::eas::Outcome as Served;

use super::others::raw;
use super::world::{USERS, World};

impl World {
    /// A new mail, a reply or a forward; sometimes the answer is lost and the phone repeats itself.
    pub(super) fn sends(&mut self, index: usize) {
        let number = u32::try_from(self.mails.len()).expect("few mails") + 1;
        let (user, to) = (self.handsets[index].user, self.random.index(USERS.len()));
        let from = format!("{0} <{0}@a.example>", USERS[user]);
        let text = raw(number, &from, false)
            .replace("To: list@b.example", &format!("To: {}@a.example", USERS[to]));
        let id = ClientId::new(self.client_id()).expect("a short name");
        let held = self.handsets[index].holds();
        let source = self.random.pick(&held).cloned().filter(|_| self.random.once_in(2));
        let phone = &self.handsets[index].phone;
        let exchange = match &source {
            Some((folder, item, _)) => {
                let command = CommandName::SmartForward;
                phone.smart(command, &id, (folder, item), text.as_bytes())
            }
            None => phone.send_mail(&id, text.as_bytes()),
        };
        self.mails.entry(number).or_default().sender = Some(user);
        self.tell(format!(
            "{}: sends {number} to {} from {source:?}",
            self.called(index),
            USERS[to]
        ));
        let mut told = false;
        for _ in 0..1 + self.random.index(2) {
            if let Some(Served::Answer(answer)) = self.serve(index, &exchange) {
                told |= answer.status.as_u16() == 200
                    && answer.into_bytes().is_some_and(|bytes| bytes.is_empty());
            }
        }
        let refused = source.is_some_and(|(_, _, source)| self.is_covered(source, user));
        assert!(!(told && refused), "a recalled mail was forwarded");
        // The copy in Sent Items, and the one of the recipient, which the outbox brings later.
        self.accepted(number, user, told && !self.is_dying());
        self.will_come(number, to, told && !self.is_dying());
    }
}
