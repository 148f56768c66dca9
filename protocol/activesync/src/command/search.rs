//! Search: mail of the mailbox, people of the address list, documents of a share ([MS-ASCMD] 2.2.1.16).
//!
//! A search that cannot be carried out is told in the answer's store and not at its top, so a query that is none is
//! kept as it came ([`Query::TooComplex`], [`Query::Invalid`]) instead of spoiling the request. Of options that stand
//! more than once the last counts, as with Exchange ([MS-ASCMD] 7).

use wbxml::Tag;

use crate::code_pages::search::*;
use crate::code_pages::{
    air_sync, air_sync_base as base, document_library, email, gal, rights_management,
};
use crate::document::Document;
use crate::element::{Cursor, Result, Subtree};
use crate::encoder::Encoder;
use crate::error::{Error, Problem};
use crate::fields::{Element, Field, fields};
use crate::item::ItemData;
use crate::item::body::{BodyPreference, MimeSupport, read_preference};
use crate::item::gal::{GalEntry, PictureOptions, PictureTags};
use crate::status::Status;
use crate::types::{ByteRange, ClassName, CollectionId, DateTime, LongId, RangeText, Secret};

/// Asks for a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where: `Mailbox`, `GAL` or `DocumentLibrary`.
    pub store: String,
    /// For what.
    pub query: Query,
    /// How.
    pub options: Options,
}

/// What is searched for ([MS-ASCMD] 2.2.3.142.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The beginnings of names in the address list.
    Text(String),
    /// Mail.
    Mailbox(Box<MailboxQuery>),
    /// A document or folder of a share, by its link.
    Document(String),
    /// A query with `Or`, with several `And`, or with something beside it: Status 8 of the store.
    TooComplex(Subtree),
    /// A query with something in it that is none: Status 2 of the store.
    Invalid(Subtree),
}

fields! {
    /// Mail that is searched for: all of it has to hold.
    pub struct MailboxQuery {
        /// The mail is of one of these classes; of any where there is none.
        classes: Vec<ClassName> = air_sync::CLASS,
        /// The mail is in one of these folders; in any where there is none.
        collection_ids: Vec<CollectionId> = air_sync::COLLECTION_ID,
        /// The mail holds these words.
        free_text: Option<String> = FREE_TEXT,
        /// The mail belongs to this conversation; since 14.0.
        conversation_id: Option<Vec<u8>> = CONVERSATION_ID,
        /// The mail came later.
        received_after: Option<Received> = GREATER_THAN,
        /// The mail came earlier.
        received_before: Option<Received> = LESS_THAN,
    }
}

/// A bound of the time mail came ([MS-ASCMD] 2.2.3.86, 2.2.3.96).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received(pub DateTime);

/// How the search is carried out and what is wanted of its results ([MS-ASCMD] 2.2.3.125.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Search anew, whatever is kept of an earlier search.
    pub rebuild_results: bool,
    /// Search the folders in the folders too.
    pub deep_traversal: bool,
    /// Which results are wanted.
    pub range: Option<RangeText>,
    /// A user a document server knows.
    pub user_name: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// For which mail whole messages are wanted.
    pub mime_support: Option<MimeSupport>,
    /// Which bodies are wanted.
    pub body_preferences: Vec<BodyPreference>,
    /// Which parts of bodies are wanted; since 14.1.
    pub body_part_preferences: Vec<BodyPreference>,
    /// Whether the client understands rights management; since 14.1.
    pub rights_management_support: Option<bool>,
    /// Which pictures are wanted; since 14.1.
    pub picture: Option<PictureOptions>,
}

/// What came of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Whether there was a search: [`crate::status::search`].
    pub status: Status,
    /// What came of it; only on success.
    pub store: Option<StoreAnswer>,
}

/// What came of the search in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAnswer {
    /// What came of it: [`crate::status::search_store`].
    pub status: Status,
    /// The results of the range, in order.
    pub results: Vec<Hit>,
    /// Which results they are; absent where there are none.
    pub range: Option<ByteRange>,
    /// About how many there are in all.
    pub total: Option<u32>,
}

/// One result. Where nothing was found Exchange writes one that is empty ([MS-ASCMD] 2.2.3.155.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// The class of the item.
    pub class: Option<ClassName>,
    /// What names the result to other commands.
    pub long_id: Option<LongId>,
    /// The folder it is in.
    pub collection_id: Option<CollectionId>,
    /// What is told of it.
    pub properties: Option<HitProperties>,
}

/// What is told of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HitProperties {
    /// A person.
    Person(Box<GalEntry>),
    /// An item, or a document as it came.
    Item(ItemData),
}

impl Request {
    /// A search without options.
    pub fn new(store: impl Into<String>, query: Query) -> Self {
        Self { store: store.into(), query, options: Options::default() }
    }
}

impl StoreAnswer {
    /// An answer that is a status alone.
    pub fn failure(status: Status) -> Self {
        Self { status, results: Vec::new(), range: None, total: None }
    }
}

impl Document for Request {
    const ROOT: Tag = SEARCH;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut request = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STORE => request = Some(Self::read_store(cursor)?),
                _ => return cursor.misplaced(),
            }
        }
        cursor.required(request, Self::ROOT, STORE)
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.container(STORE, |encoder| {
            encoder.text(NAME, &self.store);
            self.query.write(encoder, QUERY);
            if self.options != Options::default() {
                self.options.write(encoder, OPTIONS);
            }
        });
    }
}

impl Request {
    fn read_store(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut store, mut query, mut options) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                NAME => Field::read(&mut store, cursor)?,
                QUERY => Field::read(&mut query, cursor)?,
                OPTIONS => Field::read(&mut options, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            store: cursor.required(store, STORE, NAME)?,
            query: cursor.required(query, STORE, QUERY)?,
            options: options.unwrap_or_default(),
        })
    }
}

impl Element for Query {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let begin = cursor.clone();
        let read = match child_tags(cursor.clone())?[..] {
            [] => return String::read(cursor).map(Self::Text),
            [AND] => only_child(cursor, MailboxQuery::read).map(|q| Self::Mailbox(Box::new(q))),
            [EQUAL_TO] => only_child(cursor, read_link).map(Self::Document),
            _ => return Subtree::read(cursor).map(Self::TooComplex),
        };
        match read {
            // Broken text mends when it is kept, and would be another query the next time.
            Err(Error::Schema { problem: Problem::Utf8, .. }) => read,
            Err(Error::Schema { tag: AND | OR, .. }) => {
                *cursor = begin;
                Subtree::read(cursor).map(Self::TooComplex)
            }
            Err(Error::Schema { .. } | Error::Version { .. }) => {
                *cursor = begin;
                Subtree::read(cursor).map(Self::Invalid)
            }
            read => read,
        }
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        match self {
            Self::Text(text) => encoder.text(tag, text),
            Self::Mailbox(query) => {
                encoder.container(tag, |encoder| query.write(encoder, AND));
            }
            Self::Document(link) => encoder.container(tag, |encoder| {
                encoder.container(EQUAL_TO, |encoder| {
                    encoder.empty(document_library::LINK_ID);
                    encoder.text(VALUE, link);
                });
            }),
            Self::TooComplex(children) | Self::Invalid(children) => {
                encoder.container(tag, |encoder| children.write(encoder));
            }
        }
    }
}

/// The children of the element entered last; none if it holds text.
fn child_tags(mut cursor: Cursor<'_>) -> Result<Vec<Tag>> {
    let mut tags = Vec::new();
    loop {
        match cursor.next_child_any_version() {
            Ok(Some(tag)) => tags.push(tag),
            Ok(None) => return Ok(tags),
            Err(Error::Schema { .. }) if tags.is_empty() => return Ok(tags),
            Err(error) => return Err(error),
        }
        cursor.skip()?;
    }
}

/// Consumes the element entered last, which has one child.
fn only_child<T>(
    cursor: &mut Cursor<'_>,
    read: impl FnOnce(&mut Cursor<'_>) -> Result<T>,
) -> Result<T> {
    cursor.next_child()?;
    let child = read(cursor)?;
    match cursor.next_child()? {
        None => Ok(child),
        Some(_) => cursor.misplaced(),
    }
}

/// Consumes `EqualTo`: an empty `LinkId` and the link.
fn read_link(cursor: &mut Cursor<'_>) -> Result<String> {
    let (mut subject, mut link) = (false, None);
    while let Some(tag) = cursor.next_child()? {
        match tag {
            document_library::LINK_ID => cursor.flag(&mut subject)?,
            VALUE => Field::read(&mut link, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    cursor.required(link, EQUAL_TO, VALUE)
}

impl Element for Received {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let parent = cursor.element();
        let (mut subject, mut time) = (false, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                email::DATE_RECEIVED => cursor.flag(&mut subject)?,
                VALUE => Field::read(&mut time, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        cursor.required(time, parent, VALUE).map(Self)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.empty(email::DATE_RECEIVED);
            encoder.time(VALUE, self.0);
        });
    }
}

impl Element for Options {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                REBUILD_RESULTS => options.rebuild_results = cursor.boolean()?,
                DEEP_TRAVERSAL => options.deep_traversal = cursor.boolean()?,
                RANGE => options.range = Some(Element::read(cursor)?),
                USER_NAME => options.user_name = Some(Element::read(cursor)?),
                PASSWORD => options.password = Some(Element::read(cursor)?),
                air_sync::MIME_SUPPORT => options.mime_support = Some(Element::read(cursor)?),
                base::BODY_PREFERENCE => read_preference(&mut options.body_preferences, cursor)?,
                base::BODY_PART_PREFERENCE => {
                    read_preference(&mut options.body_part_preferences, cursor)?;
                }
                rights_management::RIGHTS_MANAGEMENT_SUPPORT => {
                    options.rights_management_support = Some(cursor.boolean()?);
                }
                PICTURE => options.picture = Some(PictureOptions::read(cursor, &PICTURE_TAGS)?),
                _ => return cursor.misplaced(),
            }
        }
        Ok(options)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.flag(REBUILD_RESULTS, self.rebuild_results);
            encoder.flag(DEEP_TRAVERSAL, self.deep_traversal);
            Field::write(&self.range, encoder, RANGE);
            encoder.opt_text(USER_NAME, self.user_name.as_ref());
            Field::write(&self.password, encoder, PASSWORD);
            Field::write(&self.mime_support, encoder, air_sync::MIME_SUPPORT);
            Field::write(&self.body_preferences, encoder, base::BODY_PREFERENCE);
            Field::write(&self.body_part_preferences, encoder, base::BODY_PART_PREFERENCE);
            let rights = self.rights_management_support;
            encoder.opt_boolean(rights_management::RIGHTS_MANAGEMENT_SUPPORT, rights);
            if let Some(picture) = self.picture {
                picture.write(encoder, PICTURE, &PICTURE_TAGS);
            }
        });
    }
}

impl Document for Response {
    const ROOT: Tag = SEARCH;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut store) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                RESPONSE => cursor.once(&mut store, |cursor| {
                    let mut store = None;
                    while let Some(tag) = cursor.next_child()? {
                        match tag {
                            STORE => Field::read(&mut store, cursor)?,
                            _ => return cursor.misplaced(),
                        }
                    }
                    cursor.required(store, RESPONSE, STORE)
                })?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, store })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        if let Some(store) = &self.store {
            encoder.container(RESPONSE, |encoder| store.write(encoder, STORE));
        }
    }
}

impl Element for StoreAnswer {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut results) = (None, Vec::new());
        let (mut range, mut total) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                RESULT => Field::read(&mut results, cursor)?,
                RANGE => Field::read(&mut range, cursor)?,
                TOTAL => Field::read(&mut total, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, STORE, STATUS)?, results, range, total })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.number(STATUS, self.status.0);
            Field::write(&self.results, encoder, RESULT);
            Field::write(&self.range, encoder, RANGE);
            Field::write(&self.total, encoder, TOTAL);
        });
    }
}

impl Element for Hit {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut hit = Self::default();
        while let Some(tag) = cursor.next_child()? {
            match tag {
                air_sync::CLASS => Field::read(&mut hit.class, cursor)?,
                LONG_ID => Field::read(&mut hit.long_id, cursor)?,
                air_sync::COLLECTION_ID => Field::read(&mut hit.collection_id, cursor)?,
                PROPERTIES => cursor.once(&mut hit.properties, HitProperties::read)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(hit)
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            Field::write(&self.class, encoder, air_sync::CLASS);
            Field::write(&self.long_id, encoder, LONG_ID);
            Field::write(&self.collection_id, encoder, air_sync::COLLECTION_ID);
            match &self.properties {
                None => {}
                Some(HitProperties::Person(person)) => person.write(encoder, PROPERTIES),
                Some(HitProperties::Item(item)) => item.write(encoder, PROPERTIES),
            }
        });
    }
}

impl HitProperties {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let first = cursor.clone().next_child_any_version()?;
        match first {
            Some(tag) if tag.page == gal::DISPLAY_NAME.page => {
                GalEntry::read(cursor).map(|person| Self::Person(Box::new(person)))
            }
            _ => ItemData::read(cursor).map(Self::Item),
        }
    }
}

/// How this command spells which pictures are wanted.
const PICTURE_TAGS: PictureTags = PictureTags { max_size: MAX_SIZE, max_pictures: MAX_PICTURES };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::item::body::BodyType;
    use crate::item::email::Email;
    use crate::item::gal::Picture;
    use crate::status::{picture, search, search_store};
    use crate::version::ProtocolVersion;

    const V12_1: ProtocolVersion = ProtocolVersion::V12_1;
    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;
    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;

    fn people() -> Request {
        let picture = PictureOptions { max_size: Some(8192), max_pictures: Some(3) };
        let range = RangeText::new("0-19").ok();
        let options = Options { range, picture: Some(picture), ..Options::default() };
        Request { options, ..Request::new("GAL", Query::Text("an".into())) }
    }

    fn time(text: &str) -> Option<Received> {
        DateTime::parse(text).ok().map(Received)
    }

    fn mail() -> Request {
        let query = MailboxQuery {
            classes: vec![ClassName::email()],
            collection_ids: vec![CollectionId::new("1").unwrap()],
            free_text: Some("budget".into()),
            received_after: time("2026-01-01T00:00:00.000Z"),
            received_before: time("2026-02-01T00:00:00.000Z"),
            ..MailboxQuery::default()
        };
        let preference =
            BodyPreference { truncation_size: Some(1024), ..BodyPreference::new(BodyType::Plain) };
        let options = Options {
            rebuild_results: true,
            deep_traversal: true,
            range: RangeText::new("0-9").ok(),
            body_preferences: vec![preference],
            ..Options::default()
        };
        Request { options, ..Request::new("Mailbox", Query::Mailbox(Box::new(query))) }
    }

    fn person(name: &str, alias: Option<&str>, address: &str, picture: Picture) -> Hit {
        let person = GalEntry {
            display_name: Some(name.into()),
            alias: alias.map(str::to_owned),
            email_address: Some(address.into()),
            picture: Some(picture),
            ..GalEntry::default()
        };
        Hit { properties: Some(HitProperties::Person(Box::new(person))), ..Hit::default() }
    }

    fn found(results: Vec<Hit>) -> Response {
        let last = results.len() as u32 - 1;
        let store = StoreAnswer {
            status: search_store::SUCCESS,
            results,
            range: Some(ByteRange { first: 0, last }),
            total: Some(last + 1),
        };
        Response { status: search::SUCCESS, store: Some(store) }
    }

    #[test]
    fn requests_are_known_answers() {
        both_ways("40", V14_1, people());
        both_ways("42", V12_1, mail());
        both_ways("42", V14_1, mail());
    }

    #[test]
    fn pictures_may_be_wanted_without_limits() {
        let xml = "<Search xmlns='Search'><Store><Name>GAL</Name><Query>an</Query><Options>\
                   <Range>0-19</Range><Picture/></Options></Store></Search>";
        let read: Request = decoded(V14_1, xml).unwrap();
        let options = Options { picture: Some(PictureOptions::default()), ..people().options };
        assert_eq!(read, Request { options, ..people() });
    }

    #[test]
    fn people_are_a_known_answer() {
        let data = Some(vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 0x10, b'J', b'F', b'I', b'F']);
        let shown = Picture { status: Some(picture::SUCCESS), data };
        let none = Picture { status: Some(picture::NO_PICTURE), data: None };
        let hits = vec![
            person("Anat Kerry", Some("anat"), "anat@contoso.example", shown),
            person("Andy Ruth", None, "andy@contoso.example", none),
        ];
        both_ways("41", V14_1, found(hits));
    }

    #[test]
    fn found_mail_comes_back() {
        let mail = Email { subject: Some("Budget".into()), ..Email::default() };
        let hit = Hit {
            class: Some(ClassName::email()),
            long_id: LongId::new("RgAAAAD").ok(),
            collection_id: CollectionId::new("1").ok(),
            properties: Some(HitProperties::Item(mail.into())),
        };
        for version in ProtocolVersion::ALL {
            comes_back(version, &found(vec![hit.clone()]));
            comes_back(version, &found(vec![Hit::default()]));
        }
        let failure = Some(StoreAnswer::failure(search_store::TOO_COMPLEX));
        comes_back(V12_1, &Response { status: search::SUCCESS, store: failure });
        comes_back(V12_1, &Response { status: search::SERVER_ERROR, store: None });
    }

    #[test]
    fn older_versions_search_without_pictures_and_conversations() {
        let mut conversation = mail();
        let Query::Mailbox(query) = &mut conversation.query else { panic!() };
        query.conversation_id = Some(vec![1, 2, 3]);
        comes_back(V14_0, &conversation);
        assert_eq!(Request::decode(V12_1, &conversation.encode(V12_1)), Ok(mail()));
        let read = Request::decode(V14_0, &people().encode(V14_1));
        assert!(matches!(read, Err(Error::Version { tag: PICTURE, .. })));
        // What the query has of another version is the query's fault.
        let read = Request::decode(V12_1, &conversation.encode(V14_0)).unwrap();
        assert!(matches!(read.query, Query::Invalid(_)));
    }

    fn query(xml: &str) -> Query {
        let xml = format!(
            "<Search xmlns='Search' xmlns:a='AirSync' xmlns:e='Email' xmlns:d='DocumentLibrary'>\
             <Store><Name>Mailbox</Name><Query>{xml}</Query></Store></Search>"
        );
        let request: Request = decoded(V14_1, &xml).unwrap();
        comes_back(V14_1, &request);
        request.query
    }

    #[test]
    fn only_one_and_is_not_too_complex() {
        for xml in [
            "<Or><FreeText>a</FreeText></Or>",
            "<And><FreeText>a</FreeText></And><And/>",
            "<FreeText>a</FreeText><And/>",
            "<a:Class>Email</a:Class><And/>",
            "<And><Or><FreeText>a</FreeText></Or></And>",
        ] {
            assert!(matches!(query(xml), Query::TooComplex(_)), "{xml}");
        }
    }

    #[test]
    fn what_is_no_query_is_invalid() {
        for xml in [
            "<And><e:To>anat</e:To></And>",
            "<And><FreeText>a</FreeText><FreeText>b</FreeText></And>",
            "<And><LessThan><e:DateReceived/><Value>50</Value></LessThan></And>",
            "<And><LessThan><e:DateReceived/></LessThan></And>",
            "<EqualTo><d:LinkId/></EqualTo>",
        ] {
            assert!(matches!(query(xml), Query::Invalid(_)), "{xml}");
        }
        let link = query("<EqualTo><d:LinkId/><Value>\\\\share\\folder</Value></EqualTo>");
        assert_eq!(link, Query::Document("\\\\share\\folder".into()));
        assert_eq!(query(""), Query::Text(String::new()));
    }

    #[test]
    fn a_password_is_not_shown() {
        let options = Options { password: Some(Secret::new("hunter2")), ..Options::default() };
        let request = Request { options, ..people() };
        assert!(!format!("{request:?}").contains("hunter2"));
        comes_back(V14_1, &request);
    }
}
