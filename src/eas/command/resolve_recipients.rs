//! ResolveRecipients ([MS-ASCMD] 2.2.1.15): who is meant by a name, of those in the address list.
//!
//! There are no certificates, calendars and pictures behind us: each is answered with the status that says so, for the one who asked and
//! for nobody else. A name that several people have is answered with them and nothing more ([MS-ASCMD] 2.2.3.183). A group is told with how
//! many it has, groups within it gone through.

use activesync::command::resolve_recipients::{
    Availability, AvailabilityOptions, CertificateRetrieval, Certificates, Options, Recipient,
    RecipientKind, RecipientPicture, Request, Resolved, Response,
};
use activesync::status::{
    availability, picture, recipient_certificates, resolve_recipients as status,
    resolved_recipient as resolved,
};
use activesync::types::RecipientText;

use crate::directory::Entry;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::look;
use crate::eas::status::Refusal;
use crate::mailbox::MailboxError;
use crate::message::Address;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let options = request.options.unwrap_or_default();
    if !are_sound(&options) {
        let response = Response { status: status::PROTOCOL_ERROR, responses: Vec::new() };
        return Ok(ask.plain(&response).into());
    }
    let mut responses = Vec::with_capacity(request.to.len());
    for to in request.to {
        responses.push(resolve(ask, to, &options).await?);
    }
    Ok(ask.plain(&Response { status: status::SUCCESS, responses }).into())
}

/// Whether limits and times are what they may be ([MS-ASCMD] 2.2.3.61.1, 2.2.3.100 and 2.2.3.101).
fn are_sound(options: &Options) -> bool {
    let limits = [options.max_certificates, options.max_ambiguous_recipients];
    limits.into_iter().flatten().all(|limit| limit <= LIMIT_MAX)
        && options.availability.as_ref().is_none_or(is_span)
}

fn is_span(options: &AvailabilityOptions) -> bool {
    let Some(start) = options.start_time else { return false };
    let Some(end) = options.end_time else { return true };
    end.ms().checked_sub(start.ms()).is_some_and(|span| (SLOT_MS..=SPAN_MS_MAX).contains(&span))
}

async fn resolve(ask: &Ask, to: RecipientText, options: &Options) -> Result<Resolved, Refusal> {
    let mut found = candidates(ask, &to).await?;
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    let most = options.max_ambiguous_recipients.map_or(CANDIDATES_DEFAULT, usize::from);
    let (status, recipient_count) = match found.len() {
        0 => (resolved::NOT_FOUND, None),
        1 => (resolved::RESOLVED, Some(count)),
        total if total <= most => (resolved::AMBIGUOUS, Some(count)),
        _ => (resolved::AMBIGUOUS_PARTIAL, Some(count)),
    };
    let is_one = found.len() == 1;
    if !is_one {
        found.truncate(most);
    }
    let mut recipients: Vec<Recipient> = found.iter().map(candidate).collect();
    if let ([one], [entry]) = (&mut recipients[..], &found[..]) {
        let members = match entry {
            Entry::Person(..) => None,
            Entry::Group(group) => {
                let members = ask.desk.directory.members(group).await;
                let members = members.map_err(|error| MailboxError::Ours(error.to_string()))?;
                Some(u32::try_from(members.len()).unwrap_or(u32::MAX))
            }
        };
        *one = recipient(entry, members, options);
    }
    Ok(Resolved { to, status, recipient_count, recipients })
}

/// Who may be meant: the one an address reaches, else all whose name or address begins so.
async fn candidates(ask: &Ask, to: &RecipientText) -> Result<Vec<Entry>, Refusal> {
    let text = to.as_str().trim();
    let written = Address::parse_list(text);
    let addresses = [text].into_iter().chain(match &written[..] {
        [one] => Some(one.address.as_str()),
        _ => None,
    });
    for address in addresses {
        let entry = ask.desk.directory.entry(address).await;
        let entry = entry.map_err(|error| MailboxError::Ours(error.to_string()))?;
        if let Some(entry) = entry {
            return Ok(vec![entry]);
        }
    }
    look::entries(ask, text, CANDIDATES_MAX).await
}

fn candidate(entry: &Entry) -> Recipient {
    Recipient {
        kind: RecipientKind::AddressList,
        display_name: entry.display_name().to_owned(),
        email_address: entry.address().to_owned(),
        availability: None,
        certificates: None,
        pictures: Vec::new(),
    }
}

/// The one who is meant, with a status for all that was asked and is not there; and how many members a group has.
fn recipient(entry: &Entry, members: Option<u32>, options: &Options) -> Recipient {
    let wants_certificates = matches!(
        options.certificate_retrieval,
        Some(CertificateRetrieval::Full | CertificateRetrieval::Mini)
    );
    let no_certificate = Certificates {
        status: Some(recipient_certificates::NO_CERTIFICATE),
        certificate_count: Some(0),
        recipient_count: members,
        ..Certificates::default()
    };
    // A store of mail does not know when people are free; "free" would be a guess.
    let not_known = Availability { status: Some(availability::FAILURE), merged_free_busy: None };
    let no_picture = RecipientPicture { status: Some(picture::NO_PICTURE), data: None };
    Recipient {
        availability: options.availability.as_ref().map(|_| not_known),
        certificates: wants_certificates.then_some(no_certificate),
        pictures: options.picture.iter().map(|_| no_picture.clone()).collect(),
        ..candidate(entry)
    }
}

/// MaxCertificates and MaxAmbiguousRecipients at most.
const LIMIT_MAX: u16 = 9_999;
/// Candidates told for a name where no limit is given.
const CANDIDATES_DEFAULT: usize = 20;
/// Candidates looked for and counted.
const CANDIDATES_MAX: usize = 100;
/// The shortest time asked about: one digit of MergedFreeBusy, in milliseconds.
const SLOT_MS: i64 = 30 * 60 * 1_000;
/// The longest: 42 days, in milliseconds ([MS-ASCMD] 7, <6>).
const SPAN_MS_MAX: i64 = 42 * 24 * 60 * 60 * 1_000;
