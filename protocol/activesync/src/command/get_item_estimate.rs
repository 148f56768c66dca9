//! GetItemEstimate: how many changes a Sync would bring ([MS-ASCMD] 2.2.1.9).
//!
//! 12.1 says what it wants in the collection itself; later versions in Options, as in Sync.

use wbxml::Tag;

use crate::code_pages::air_sync;
use crate::code_pages::get_item_estimate::*;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Field, fields};
use crate::status::Status;
use crate::types::{ClassName, CollectionId, SyncKey};
use crate::version::ProtocolVersion;

/// Asks for estimates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// For which collections, at least one.
    pub collections: Vec<Collection>,
}

/// One collection to be estimated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The key the client has.
    pub sync_key: SyncKey,
    /// The collection.
    pub collection_id: CollectionId,
    /// Whether whole conversations count; since 14.0.
    pub conversation_mode: Option<bool>,
    /// What counts: up to one block for each class; in 12.1 one block without a name of its own.
    pub options: Vec<Options>,
}

fields! {
    /// What counts.
    pub struct Options {
        /// The class of items that count.
        class: Option<ClassName> = air_sync::CLASS,
        /// How old items may be, 0 to 8.
        filter_type: Option<u8> = air_sync::FILTER_TYPE,
        /// How many entries of the recipient cache; since 14.0.
        max_items: Option<u32> = air_sync::MAX_ITEMS,
    }
}

/// The estimates, or why there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Why there are no estimates at all; absent where there are some.
    pub status: Option<Status>,
    /// The estimates, in the order of the collections.
    pub responses: Vec<Estimate>,
}

/// The estimate for one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// What came of it: [`crate::status::get_item_estimate`].
    pub status: Status,
    /// The collection and its number, if the collection is known.
    pub collection: Option<Estimated>,
}

/// A collection and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimated {
    /// The collection's class; until 12.1.
    pub class: Option<ClassName>,
    /// The collection.
    pub collection_id: CollectionId,
    /// How many changes there are.
    pub estimate: Option<u32>,
}

impl Document for Request {
    const ROOT: Tag = GET_ITEM_ESTIMATE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut collections = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                COLLECTIONS => cursor.once(&mut collections, read_collections)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { collections: cursor.required(collections, Self::ROOT, COLLECTIONS)? })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.container(COLLECTIONS, |encoder| {
            for collection in &self.collections {
                encoder.container(COLLECTION, |encoder| collection.write(encoder));
            }
        });
    }
}

fn read_collections(cursor: &mut Cursor<'_>) -> Result<Vec<Collection>> {
    let mut collections = Vec::new();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            COLLECTION if collections.len() == COLLECTIONS_MAX => {
                return Err(cursor.over_limit("1000 collections"));
            }
            COLLECTION => collections.push(Collection::read(cursor)?),
            _ => return cursor.misplaced(),
        }
    }
    let some = (!collections.is_empty()).then_some(collections);
    cursor.required(some, COLLECTIONS, COLLECTION)
}

impl Collection {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut sync_key, mut collection_id) = (None, None);
        let (mut conversation_mode, mut options) = (None::<bool>, Vec::new());
        let mut own = Options::default();
        let in_collection = has_own_options(cursor.version());
        while let Some(tag) = cursor.next_child()? {
            match tag {
                air_sync::SYNC_KEY => Field::read(&mut sync_key, cursor)?,
                COLLECTION_ID => Field::read(&mut collection_id, cursor)?,
                air_sync::CONVERSATION_MODE => Field::read(&mut conversation_mode, cursor)?,
                air_sync::OPTIONS if !in_collection => {
                    options.push(read_options(cursor, &options)?)
                }
                CLASS if in_collection => Field::read(&mut own.class, cursor)?,
                air_sync::FILTER_TYPE if in_collection => {
                    cursor.once(&mut own.filter_type, filter_type)?;
                }
                _ => return cursor.misplaced(),
            }
        }
        if own != Options::default() {
            options.push(own);
        }
        Ok(Self {
            sync_key: cursor.required(sync_key, COLLECTION, air_sync::SYNC_KEY)?,
            collection_id: cursor.required(collection_id, COLLECTION, COLLECTION_ID)?,
            conversation_mode,
            options,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        if has_own_options(encoder.version()) {
            return self.write_flat(encoder);
        }
        encoder.text(air_sync::SYNC_KEY, &self.sync_key);
        encoder.text(COLLECTION_ID, &self.collection_id);
        encoder.opt_boolean(air_sync::CONVERSATION_MODE, self.conversation_mode);
        self.options.write(encoder, air_sync::OPTIONS);
    }

    /// The order and shape of 12.1 ([MS-ASCMD] 2.2.3.29.1).
    fn write_flat(&self, encoder: &mut Encoder) {
        let own = self.options.first();
        encoder.opt_text(CLASS, own.and_then(|own| own.class.as_ref()));
        encoder.text(COLLECTION_ID, &self.collection_id);
        encoder.opt_number(air_sync::FILTER_TYPE, own.and_then(|own| own.filter_type));
        encoder.text(air_sync::SYNC_KEY, &self.sync_key);
    }
}

/// Whether the version says in the collection itself what counts.
fn has_own_options(version: ProtocolVersion) -> bool {
    version < ProtocolVersion::V14_0
}

fn read_options(cursor: &mut Cursor<'_>, before: &[Options]) -> Result<Options> {
    if before.len() == OPTIONS_MAX {
        return Err(cursor.problem(Problem::Duplicate));
    }
    let mut options = Options::default();
    while let Some(tag) = cursor.next_child()? {
        match tag {
            air_sync::FILTER_TYPE => cursor.once(&mut options.filter_type, filter_type)?,
            _ if options.read_child(cursor, tag)? => {}
            _ => return cursor.misplaced(),
        }
    }
    Ok(options)
}

/// Consumes a filter; 9 and above break the schema ([MS-ASCMD] 2.2.3.68.1).
fn filter_type(cursor: &mut Cursor<'_>) -> Result<u8> {
    let value = cursor.number()?;
    if value <= FILTER_TYPE_MAX { Ok(value) } else { Err(cursor.problem(Problem::Value)) }
}

impl Document for Response {
    const ROOT: Tag = GET_ITEM_ESTIMATE;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut response = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut response.status, cursor)?,
                RESPONSE => response.responses.push(Estimate::read(cursor)?),
                _ => return cursor.misplaced(),
            }
        }
        Ok(response)
    }

    fn write(&self, encoder: &mut Encoder) {
        Field::write(&self.status, encoder, STATUS);
        for estimate in &self.responses {
            encoder.container(RESPONSE, |encoder| estimate.write(encoder));
        }
    }
}

impl Estimate {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut collection) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                COLLECTION => cursor.once(&mut collection, Estimated::read)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, RESPONSE, STATUS)?, collection })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        let Some(collection) = &self.collection else { return };
        encoder.container(COLLECTION, |encoder| {
            encoder.opt_text(CLASS, collection.class.as_ref());
            encoder.text(COLLECTION_ID, &collection.collection_id);
            encoder.opt_number(ESTIMATE, collection.estimate);
        });
    }
}

impl Estimated {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut class, mut collection_id, mut estimate) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                CLASS => Field::read(&mut class, cursor)?,
                COLLECTION_ID => Field::read(&mut collection_id, cursor)?,
                ESTIMATE => Field::read(&mut estimate, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        let collection_id = cursor.required(collection_id, COLLECTION, COLLECTION_ID)?;
        Ok(Self { class, collection_id, estimate })
    }
}

/// How many collections one request may have ([MS-ASCMD] 3.1.5.10).
const COLLECTIONS_MAX: usize = 1000;
const OPTIONS_MAX: usize = 2;
const FILTER_TYPE_MAX: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::Error;
    use crate::status::get_item_estimate;

    const V12_1: ProtocolVersion = ProtocolVersion::V12_1;
    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;

    fn collection(options: Vec<Options>) -> Collection {
        Collection {
            sync_key: SyncKey::new("2").unwrap(),
            collection_id: CollectionId::new("1").unwrap(),
            conversation_mode: None,
            options,
        }
    }

    fn options(class: &str) -> Options {
        Options { class: ClassName::new(class).ok(), filter_type: Some(5), max_items: None }
    }

    fn estimate(status: Status, collection_id: &str, estimate: u32) -> Estimate {
        let collection = Some(Estimated {
            class: None,
            collection_id: CollectionId::new(collection_id).unwrap(),
            estimate: Some(estimate),
        });
        Estimate { status, collection }
    }

    #[test]
    fn request_and_response_are_known_answers() {
        let filter = Options { class: None, filter_type: Some(5), max_items: None };
        let asked = Collection { conversation_mode: Some(false), ..collection(vec![filter]) };
        both_ways("50", V14_0, Request { collections: vec![asked] });
        let responses = vec![
            estimate(get_item_estimate::SUCCESS, "1", 34),
            estimate(get_item_estimate::NOT_PRIMED, "4", 0),
        ];
        both_ways("51", V14_0, Response { status: None, responses });
    }

    #[test]
    fn the_shape_depends_on_the_version() {
        let request = Request { collections: vec![collection(vec![options("Email")])] };
        let old = comes_back(V12_1, &request);
        let new = comes_back(V14_0, &request);
        assert!(Request::decode(V14_0, &old).is_err());
        assert!(Request::decode(V12_1, &new).is_err());
        let class = b"\x45\x47\x48\x49\x03Email\x00\x01\x4A\x031\x00\x01\x00\x00\x58\x035\x00\x01";
        assert_eq!(old[6..6 + class.len()], class[..]);
    }

    #[test]
    fn a_class_in_the_answer_ends_with_12_1() {
        let mut response = Response::default();
        response.responses.push(estimate(get_item_estimate::SUCCESS, "1", 3));
        let estimated = response.responses[0].collection.as_mut().unwrap();
        estimated.class = Some(ClassName::email());
        comes_back(V12_1, &response);
        let newer = Response::decode(V14_0, &response.encode(V14_0)).unwrap();
        assert_eq!(newer.responses[0].collection.as_ref().unwrap().class, None);
    }

    #[test]
    fn limits_and_values_are_checked() {
        let many = Request { collections: vec![collection(vec![]); COLLECTIONS_MAX + 1] };
        let read = Request::decode(V14_0, &many.encode(V14_0));
        assert!(matches!(read, Err(Error::Limit { .. })));

        let blocks = vec![options("Email"), options("SMS"), options("Email")];
        let three = Request { collections: vec![collection(blocks)] };
        let read = Request::decode(V14_0, &three.encode(V14_0));
        assert!(matches!(read, Err(Error::Schema { problem: Problem::Duplicate, .. })));

        let mut filter = options("Email");
        filter.filter_type = Some(9);
        let nine = Request { collections: vec![collection(vec![filter])] };
        let read = Request::decode(V14_0, &nine.encode(V14_0));
        assert!(matches!(read, Err(Error::Schema { problem: Problem::Value, .. })));

        let empty = "<GetItemEstimate xmlns='GetItemEstimate'><Collections/></GetItemEstimate>";
        let read = decoded::<Request>(V14_0, empty);
        assert!(matches!(read, Err(Error::Schema { problem: Problem::Missing(_), .. })));
    }
}
