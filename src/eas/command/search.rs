//! Search ([MS-ASCMD] 2.2.1.16): mail of the mailbox, and people of the address list.
//!
//! What is found is content that leaves: each hit passes the gate in one transaction and is booked as a search copy. Mail that an order
//! covers is neither shown nor counted.

mod mailbox;

use activesync::command::search::{
    Hit, HitProperties, Options, Query, Request, Response, StoreAnswer,
};
use activesync::document::Document as _;
use activesync::status::{common, search as status, search_store as store_status};
use activesync::types::ByteRange;
use bytes::Bytes;

use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::look::{self, People};
use crate::eas::status::Refusal;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    let options = &request.options;
    let names = [options.user_name.as_deref(), options.password.as_ref().map(|it| it.reveal())];
    if names.into_iter().flatten().any(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(Refusal::Status(common::INVALID_XML));
    }
    let is = |name: &str| request.store.eq_ignore_ascii_case(name);
    let answer = match &request.query {
        Query::Mailbox(query) if is(MAILBOX) => {
            return match mailbox::answer(ask, query, &request.options).await {
                // [MS-ASCMD] 2.2.3.177.14: a temporary failure of the server; the phone tries again.
                Err(Refusal::Busy) => {
                    Ok(ask.plain(&whole(StoreAnswer::failure(store_status::SERVER_ERROR))).into())
                }
                answered => answered,
            };
        }
        Query::Text(text) if is(GAL) => people(ask, text, &request.options).await?,
        Query::TooComplex(_) => StoreAnswer::failure(store_status::TOO_COMPLEX),
        // There is no document library behind us.
        Query::Document(_) if is(DOCUMENTS) => StoreAnswer::failure(store_status::NOT_FOUND),
        _ => StoreAnswer::failure(store_status::INVALID_REQUEST),
    };
    Ok(ask.plain(&whole(answer)).into())
}

fn whole(store: StoreAnswer) -> Response {
    Response { status: status::SUCCESS, store: Some(store) }
}

/// Sends what holds content; `None` when something in it was fenced meanwhile.
async fn release(
    ask: &Ask,
    store: StoreAnswer,
    contents: Vec<crate::recall::gate::Content>,
) -> Result<Option<Outcome>, Refusal> {
    let response = whole(store);
    let bytes = Bytes::from(response.encode(ask.version));
    let released = ask.release(&response, bytes, contents, Vec::new()).await?;
    Ok(released.map(|released| ask.send(released).into()))
}

/// Which results are wanted, from the first one counted as 0.
fn range(options: &Options) -> Option<ByteRange> {
    match &options.range {
        None => Some(ByteRange { first: 0, last: RESULTS_MAX - 1 }),
        Some(text) => text.range(),
    }
}

/// Puts the results that were found into an answer: `found` are those of the range, in order, `total` all there are.
fn results(asked: ByteRange, found: Vec<Hit>, total: u32) -> StoreAnswer {
    // [MS-ASCMD] 2.2.3.177.14: past the end is told with what there is.
    let is_past = asked.last >= RESULTS_MAX || (asked.first > 0 && found.is_empty());
    let status = if is_past { store_status::END_OF_RANGE } else { store_status::SUCCESS };
    let count = u32::try_from(found.len()).unwrap_or(0);
    let range = count
        .checked_sub(1)
        .map(|last| ByteRange { first: asked.first, last: asked.first.saturating_add(last) });
    // [MS-ASCMD] 2.2.3.155.3: nothing found is a result that is empty.
    let results = if found.is_empty() { vec![Hit::default()] } else { found };
    StoreAnswer { status, results, range, total: Some(total) }
}

async fn people(ask: &Ask, text: &str, options: &Options) -> Result<StoreAnswer, Refusal> {
    let Some(asked) = range(options) else {
        return Ok(StoreAnswer::failure(store_status::INVALID_REQUEST));
    };
    let People { page, total } = look::people(ask, text, asked, options.picture.is_some()).await?;
    let hits = page.into_iter().map(|person| Hit {
        properties: Some(HitProperties::Person(Box::new(person))),
        ..Hit::default()
    });
    Ok(results(asked, hits.collect(), total))
}

/// Characters of a UserName, and of a Password ([MS-ASCMD] 2.2.3.190, 2.2.3.132).
const NAME_CHARS_MAX: usize = 100;
/// The stores ([MS-ASCMD] 2.2.3.117.6).
const MAILBOX: &str = "Mailbox";
const GAL: &str = "GAL";
const DOCUMENTS: &str = "DocumentLibrary";
/// Results of one search at most ([MS-ASCMD] 2.2.3.143.3).
const RESULTS_MAX: u32 = 100;
