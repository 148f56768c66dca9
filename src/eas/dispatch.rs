//! From a command to its behaviour, and from what became of it to an answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use activesync::command::CommandName;
use activesync::http::Query;
use activesync::status::{Status, common, name_in};
use activesync::{Document, ProtocolVersion};
use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use tracing::Instrument as _;

use super::basic::Realm;
use super::budget::Share;
use super::command;
use super::endpoint::{Answer, Incoming, Outcome, Plain};
use super::gateway::Desk;
use super::gzip;
use super::quirks::Quirks;
use super::session::{self, Refused};
use super::status::Refusal;
use super::telling::Telling;
use crate::database::Tx;
use crate::directory::User;
use crate::ids::{DeviceId, UserId};
use crate::ledger::Device;
use crate::recall::gate::{self, Content, Released, Ruling, Told};

/// What is served; see `answer`.
pub(in crate::eas) const COMMANDS: &[CommandName] = &[
    CommandName::Sync,
    CommandName::FolderSync,
    CommandName::FolderCreate,
    CommandName::FolderDelete,
    CommandName::FolderUpdate,
    CommandName::GetItemEstimate,
    CommandName::Ping,
    CommandName::Provision,
    CommandName::Settings,
    CommandName::MeetingResponse,
    CommandName::MoveItems,
    CommandName::ItemOperations,
    CommandName::Search,
    CommandName::Find,
    CommandName::ResolveRecipients,
    CommandName::ValidateCert,
    CommandName::SendMail,
    CommandName::SmartForward,
    CommandName::SmartReply,
    CommandName::GetAttachment,
    CommandName::GetHierarchy,
];

/// A request that was let in, its body not yet read.
pub(in crate::eas) struct Ask {
    /// The rooms.
    pub(in crate::eas) desk: Arc<Desk>,
    /// Whose request.
    pub(in crate::eas) user: User,
    /// Whose device.
    pub(in crate::eas) device: Arc<Device>,
    /// The version it speaks.
    pub(in crate::eas) version: ProtocolVersion,
    /// What its client needs otherwise than others.
    pub(in crate::eas) quirks: Quirks,
    /// What stands outside the body.
    pub(in crate::eas) query: Query,
    /// Whether the phone takes an answer in gzip.
    pub(in crate::eas) takes_gzip: bool,
    /// The body.
    pub(in crate::eas) body: Bytes,
    /// Its number.
    pub(in crate::eas) request: u64,
    /// Whether the device has not spoken on that connection before.
    pub(in crate::eas) is_new_connection: bool,
    /// What its answer holds of the budget for answers.
    pub(in crate::eas) share: Mutex<Share<UserId>>,
}

impl Ask {
    /// The body as a document of the command.
    pub(in crate::eas) fn decode<D: Document>(&self) -> Result<D, Refusal> {
        Ok(D::decode(self.version, &self.body)?)
    }

    /// How it is answered.
    pub(in crate::eas) fn voice(&self) -> Voice {
        Voice {
            desk: self.desk.clone(),
            device: self.device.id,
            command: self.query.command,
            version: self.version,
        }
    }

    /// The same request once its body has been read, in no more memory than it needs: for one that hangs.
    pub(in crate::eas) fn bodiless(&self) -> Arc<Ask> {
        Arc::new(Ask {
            desk: self.desk.clone(),
            user: self.user.clone(),
            device: self.device.clone(),
            version: self.version,
            quirks: self.quirks,
            query: self.query.clone(),
            takes_gzip: self.takes_gzip,
            body: Bytes::new(),
            request: self.request,
            is_new_connection: self.is_new_connection,
            share: Mutex::new(self.desk.answers.share(self.user.id)),
        })
    }

    /// An answer that holds nothing out of a mailbox.
    pub(in crate::eas) fn plain<D: Telling>(&self, document: &D) -> Answer {
        plain(document, self.version)
    }

    /// An answer that holds content: what the gate lets out, with everything in it on the books. `None` when something in it was
    /// fenced meanwhile; then it has to be made anew. `bytes` are the document as it is written; what of it is `told` stands in reports
    /// one by one.
    pub(in crate::eas) async fn release<D: Telling>(
        &self,
        document: &D,
        bytes: Bytes,
        contents: Vec<Content>,
        told: Vec<Told>,
    ) -> Result<Option<Released>, Refusal> {
        booked(document, &contents)?;
        self.let_out(bytes, contents, told).await
    }

    /// The same for octets without a document about them: a file of the item that is named.
    pub(in crate::eas) async fn release_file(
        &self,
        bytes: Bytes,
        content: Content,
        told: Told,
    ) -> Result<Option<Released>, Refusal> {
        self.let_out(bytes, vec![content], vec![told]).await
    }

    async fn let_out(
        &self,
        bytes: Bytes,
        contents: Vec<Content>,
        told: Vec<Told>,
    ) -> Result<Option<Released>, Refusal> {
        let answer = gate::Answer {
            device: self.device.id,
            command: self.query.command.as_str(),
            request: self.request,
            bytes,
            contents: contents.into(),
            told: told.into(),
            keys: Arc::new([]),
        };
        let (board, now) = (self.desk.engine.board.clone(), self.desk.engine.clock.now());
        let job = move |tx: &Tx<'_>| gate::release(tx, &board, &answer, now);
        match self.desk.engine.database.write(job).await? {
            Ruling::Released(released) => Ok(Some(released)),
            Ruling::Withheld(_) => Ok(None),
        }
    }

    /// Lines for the log about what single items and folders of a request were answered: one for each failure, however many met it.
    pub(in crate::eas) fn note_failures(
        &self,
        names: &[(Status, &'static str)],
        answered: impl Iterator<Item = Status>,
    ) {
        let mut failures = BTreeMap::new();
        for status in answered {
            *failures.entry(status.0).or_insert(0_usize) += 1;
        }
        for (status, count) in failures {
            let name = name_in(names, Status(status)).or(Status(status).common_name());
            let reason = name.unwrap_or("?");
            tracing::info!(command = %self.query.command, status, reason, count, "refused in part");
        }
    }

    /// A refusal in the words of this command and version.
    pub(in crate::eas) fn refuse(&self, why: &Refusal) -> Answer {
        self.voice().refuse(why)
    }

    /// Counts octets of content that this request holds until its answer has left; those that are counted while the leave to
    /// read them lasts are always within one budget or the other. Never waits: a request that held octets and waited for room
    /// could wait for itself.
    pub(in crate::eas) fn hold(&self, octets: usize) -> Result<(), Refusal> {
        if self.share.lock().grow(octets) { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// The octets of an answer as they are to leave, and whether they are in gzip: where the phone takes that, and there is room for both.
    pub(in crate::eas) async fn pack(&self, bytes: Vec<u8>) -> (Bytes, bool) {
        if !self.takes_gzip || self.hold(bytes.len()).is_err() {
            return (bytes.into(), false);
        }
        let bytes = Bytes::from(bytes);
        let packed = if bytes.len() <= gzip::PACKED_AT_ONCE_OCTETS {
            gzip::packed(&bytes)
        } else {
            let bytes = bytes.clone();
            tokio::task::spawn_blocking(move || gzip::packed(&bytes)).await.unwrap_or_default()
        };
        match packed {
            Some(packed) => (packed.into(), true),
            None => (bytes, false),
        }
    }

    /// The answer is made anew: what was made before is gone.
    pub(in crate::eas) fn hold_nothing(&self) {
        self.share.lock().settle(0);
    }

    /// Puts what the gate let out on its way.
    pub(in crate::eas) fn send(&self, released: Released) -> Answer {
        let mut share = self.share.lock().take();
        share.settle(released.bytes().len());
        Answer::released(released, self.desk.engine.database.clone(), share)
    }
}

/// How a request is answered, when nothing else of it is left: a Ping keeps no more while it hangs.
pub(in crate::eas) struct Voice {
    desk: Arc<Desk>,
    device: DeviceId,
    command: CommandName,
    version: ProtocolVersion,
}

impl Voice {
    /// An answer that holds nothing out of a mailbox.
    pub(in crate::eas) fn plain<D: Telling>(&self, document: &D) -> Answer {
        plain(document, self.version)
    }

    /// A refusal in the words of this command and version.
    pub(in crate::eas) fn refuse(&self, why: &Refusal) -> Answer {
        tracing::info!(
            device = %self.device, command = %self.command, reason = why.reason(), "refused"
        );
        why.answer(Some(self.command), Some(self.version), &self.desk.limits.realm)
    }
}

fn plain<D: Telling>(document: &D, version: ProtocolVersion) -> Answer {
    if let Err(why) = booked(document, &[]) {
        return why.answer(None, Some(version), &Realm::default());
    }
    // In no more memory than it fills: the farewell of a wait is kept as long as the wait.
    let bytes = document.encode(version).into_boxed_slice();
    Answer::plain(StatusCode::OK, Plain::without_content(bytes))
}

/// Whether the gate is asked for everything that a document tells of. Where not, the fault is ours, and nothing leaves.
pub(in crate::eas) fn booked<D: Telling>(
    document: &D,
    contents: &[Content],
) -> Result<(), Refusal> {
    if document.told() <= contents.len() {
        return Ok(());
    }
    tracing::error!(
        "an answer holds more of a mailbox than the gate was asked for; it is not sent"
    );
    Err(Refusal::Status(common::SERVER_ERROR))
}

/// Serves one request.
pub(in crate::eas) async fn serve(desk: Arc<Desk>, request: Incoming) -> Outcome {
    let (peer, query) = (request.peer.ip(), request.query.clone());
    let ask = match session::enter(&desk, request).await {
        Ok(ask) => Arc::new(ask),
        Err(Refused { command, version, why }) => {
            session::note_refusal(peer, &query, command, &why);
            return why.answer(command, version, &desk.limits.realm).into();
        }
    };
    // Whatever is logged on the way names the device as it names itself.
    let phone = tracing::info_span!("phone", %peer, device_id = ask.device.wire_id);
    let served = async {
        let device = (!session::is_fleeting(&ask.device)).then_some(ask.device.id);
        let Some(_at_work) = desk.place_of(ask.user.id, device) else {
            return ask.refuse(&Refusal::Busy).into();
        };
        let _turn = match device {
            Some(device) => Some(desk.turn_of(device).await),
            None => None,
        };
        match answer(&ask).await {
            Ok(outcome) => outcome,
            Err(why) => ask.refuse(&why).into(),
        }
    };
    served.instrument(phone).await
}

async fn answer(ask: &Arc<Ask>) -> Result<Outcome, Refusal> {
    match ask.query.command {
        CommandName::FolderSync => command::folder_sync::answer(ask).await,
        _ if session::is_fleeting(&ask.device) => {
            Err(Refusal::Status(activesync::status::common::SERVER_ERROR_RETRY_LATER))
        }
        CommandName::Sync => command::sync::answer(ask).await,
        CommandName::FolderCreate => command::folder_create::answer(ask).await,
        CommandName::FolderDelete => command::folder_delete::answer(ask).await,
        CommandName::FolderUpdate => command::folder_update::answer(ask).await,
        CommandName::GetItemEstimate => command::get_item_estimate::answer(ask).await,
        CommandName::Ping => command::ping::answer(ask).await,
        CommandName::Provision => command::provision::answer(ask).await,
        CommandName::Settings => command::settings::answer(ask).await,
        CommandName::MeetingResponse => command::meeting_response::answer(ask).await,
        CommandName::MoveItems => command::move_items::answer(ask).await,
        CommandName::ItemOperations => command::item_operations::answer(ask).await,
        CommandName::Search => command::search::answer(ask).await,
        CommandName::Find => command::find::answer(ask).await,
        CommandName::ResolveRecipients => command::resolve_recipients::answer(ask).await,
        CommandName::ValidateCert => command::validate_cert::answer(ask).await,
        CommandName::SendMail => command::send_mail::answer(ask).await,
        CommandName::SmartForward => command::smart_forward::answer(ask).await,
        CommandName::SmartReply => command::smart_reply::answer(ask).await,
        CommandName::GetAttachment => command::get_attachment::answer(ask).await,
        CommandName::GetHierarchy => command::get_hierarchy::answer(ask).await,
        _ => Err(Refusal::Command),
    }
}

/// The answer to a body beyond the limit; mail gets a Status, or the phone sends it for ever.
pub(in crate::eas) async fn too_large(desk: &Desk, request: &Incoming) -> Answer {
    let refused = match session::sign_in(desk, request).await {
        Err(why) => Refused { command: None, version: None, why },
        Ok(_) => match session::read_query(request) {
            Err(refused) => refused,
            Ok((query, version)) => Refused {
                command: Some(query.command),
                version: Some(version),
                why: Refusal::TooLarge,
            },
        },
    };
    session::note_refusal(request.peer.ip(), &request.query, refused.command, &refused.why);
    refused.why.answer(refused.command, refused.version, &desk.limits.realm)
}
