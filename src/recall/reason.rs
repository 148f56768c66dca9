//! Reason codes: one word beside a state or a refusal, the same in JSON, in the database, in audit entries and on the page.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why an order is refused, or what else is to be known about a copy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ReasonCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl ReasonCode {
            /// All of them.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$name,)*];

            /// The code as it is written everywhere.
            pub fn text(self) -> &'static str {
                match self {
                    $(ReasonCode::$name => $text,)*
                }
            }

            /// Reads what [`ReasonCode::text`] writes.
            pub fn parse(text: &str) -> Option<ReasonCode> {
                match text {
                    $($text => Some(ReasonCode::$name),)*
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// The orderer did not write the message.
    NotOwner = "not_owner",
    /// It is older than senders may recall.
    TooOld = "too_old",
    /// Senders may not recall here.
    NotEnabled = "not_enabled",
    /// A label on the message forbids it. Nothing says so yet: it comes with labels.
    LabelForbids = "label_forbids",
    /// On hold: sealed, and kept where it is. Nothing says so yet: it comes with legal hold.
    OnHoldSealed = "on_hold_sealed",
    /// An order of the same person covers it already.
    AlreadyRecalled = "already_recalled",
    /// It was never delivered here.
    NotDelivered = "not_delivered",
    /// The recipient is not served here.
    External = "external",
    /// The device or channel does not pass this gateway.
    NotViaGateway = "not_via_gateway",
    /// Not heard of for longer than usual.
    ClientSilent = "client_silent",
    /// The device keeps asking for the same answer.
    ClientReplays = "client_replays",
    /// The device went back to an older state, or is a clone.
    StateRestored = "state_restored",
    /// A copy from a search, which no Delete touches.
    SearchCopy = "search_copy",
    /// An attachment left, and may have been saved elsewhere.
    AttachmentSavedPossible = "attachment_saved_possible",
    /// The device does not watch the folder, so it cannot be woken for it.
    FolderNotWatched = "folder_not_watched",
    /// The mail store could not remove the copy yet.
    StoreCannotRemove = "store_cannot_remove",
    /// What is to be done in the mailbox waits for its owner to connect: nobody else can open it, and the fence holds meanwhile.
    WaitsForOwner = "waits_for_owner",
    /// The mail server does not answer, or not to us; it is tried again.
    MailServerDown = "mail_server_down",
    /// The mailbox lies on a mail server that other programs reach too, past this gateway.
    ForeignChannel = "foreign_channel",
    /// It was marked read there, and no phone of this gateway said so.
    ReadElsewhere = "read_elsewhere",
    /// The device cannot be wiped that way: what an order to wipe it is answered.
    WipeUnsupported = "wipe_unsupported",
    /// The device reported that the wipe failed.
    WipeRefused = "wipe_refused",
    /// The device would be blocked before it could fetch the directive: what an order to block it is answered.
    BlockedBeforeWipe = "blocked_before_wipe",
    /// The second person said no. Nothing says so yet: it comes with approval after the order; now a second token agrees with it.
    ApproverDenied = "approver_denied",
    /// The second person did not answer in time. Nothing says so yet; see `approver_denied`.
    ApproverTimeout = "approver_timeout",
    /// The copy had left the device before the order.
    RemovedEarlier = "removed_earlier",
    /// The whole folder left the device.
    Hierarchy = "hierarchy",
    /// The ledger cannot vouch for the whole of the device's past.
    LedgerGap = "ledger_gap",
    /// Above the brakes, and the number typed is not the number of copies.
    CountNotConfirmed = "count_not_confirmed",
    /// Above the brakes, and no second person or token agreed.
    SecondPersonMissing = "second_person_missing",
    /// The idempotency key belongs to another request.
    KeyReused = "key_reused",
    /// The request itself makes no sense.
    BadRequest = "bad_request",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_as_it_is_written() {
        for code in ReasonCode::ALL {
            assert_eq!(ReasonCode::parse(code.text()), Some(*code));
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{}\"", code.text()));
        }
        assert_eq!(ReasonCode::parse("because"), None);
    }
}
