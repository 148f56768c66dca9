//! Find: mail of the mailbox and people of the address list, page by page ([MS-ASCMD] 2.2.1.2); 16.1 only.

use wbxml::Tag;

use crate::code_pages::find::*;
use crate::code_pages::{air_sync, email, email2, gal, item_operations};
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::error::Problem;
use crate::fields::{Element, Field, fields};
use crate::item::gal::{GalEntry, PictureOptions, PictureTags};
use crate::status::Status;
use crate::types::{ByteRange, ClassName, CollectionId, DateTime, RangeText, SearchId, ServerId};

/// Asks for a page of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id the client gave the search: the pages of one search have the same.
    pub search_id: SearchId,
    /// What is searched for.
    pub criterion: Criterion,
}

/// What is searched for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Mail.
    Mailbox(MailboxCriterion),
    /// People.
    People(PeopleCriterion),
}

fields! {
    /// Mail that is searched for ([MS-ASCMD] 2.2.3.101).
    pub struct MailboxCriterion {
        /// What is searched for.
        query: Option<MailboxQuery> = QUERY,
        /// Which results are wanted.
        options: Option<MailboxOptions> = OPTIONS,
    }
}

fields! {
    /// Mail that is searched for: all of it has to hold.
    pub struct MailboxQuery {
        /// The class of the mail.
        class: Option<ClassName> = air_sync::CLASS,
        /// The folder it is in; any where absent.
        collection_id: Option<CollectionId> = air_sync::COLLECTION_ID,
        /// Words and restrictions in the Keyword Query Language ([MS-KQL]).
        free_text: Option<String> = FREE_TEXT,
    }
}

fields! {
    /// Which mail is wanted.
    pub struct MailboxOptions {
        /// Which results.
        range: Option<RangeText> = RANGE,
        /// Those of the folders in the folder too.
        deep_traversal: bool = DEEP_TRAVERSAL,
    }
}

/// People who are searched for ([MS-ASCMD] 2.2.3.83).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeopleCriterion {
    /// The beginnings of names.
    pub query: String,
    /// Which results are wanted.
    pub range: Option<RangeText>,
    /// Which pictures are wanted.
    pub picture: Option<PictureOptions>,
}

/// What came of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Whether there was a search: [`crate::status::find`].
    pub status: Status,
    /// What came of it; only on success.
    pub page: Option<Page>,
}

/// A page of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it was searched: `Mailbox` or `GAL`.
    pub store: Option<String>,
    /// What came of it: [`crate::status::find`].
    pub status: Status,
    /// The results, in order.
    pub results: Vec<Hit>,
    /// Which results they are; absent where there are none.
    pub range: Option<ByteRange>,
    /// How many there are in all.
    pub total: Option<u32>,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The class of the item.
    pub class: Option<ClassName>,
    /// The item.
    pub server_id: Option<ServerId>,
    /// The folder it is in.
    pub collection_id: Option<CollectionId>,
    /// What is told of it.
    pub properties: HitProperties,
}

/// What is told of a result ([MS-ASCMD] 2.2.3.139.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HitProperties {
    /// A mail.
    Mail(Box<MailSummary>),
    /// A person.
    Person(Box<GalEntry>),
}

fields! {
    /// What a list shows of a mail.
    pub struct MailSummary {
        /// The subject.
        subject: Option<String> = email::SUBJECT,
        /// When it came.
        date_received: Option<DateTime> = email::DATE_RECEIVED,
        /// Names of the recipients.
        display_to: Option<String> = email::DISPLAY_TO,
        /// Names of the recipients of copies.
        display_cc: Option<String> = DISPLAY_CC,
        /// Names of the hidden recipients.
        display_bcc: Option<String> = DISPLAY_BCC,
        /// 0 low, 1 normal, 2 high.
        importance: Option<u8> = email::IMPORTANCE,
        /// Whether it was read.
        read: Option<bool> = email::READ,
        /// Whether it is a draft.
        is_draft: Option<bool> = email2::IS_DRAFT,
        /// The beginning of its text, at most 255 characters.
        preview: Option<String> = PREVIEW,
        /// Whether it has attachments.
        has_attachments: Option<bool> = HAS_ATTACHMENTS,
        /// The author's address.
        from: Option<String> = email::FROM,
    }
}

impl Page {
    /// A page that is a status alone.
    pub fn failure(status: Status) -> Self {
        Self { store: None, status, results: Vec::new(), range: None, total: None }
    }
}

impl Document for Request {
    const ROOT: Tag = FIND;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut search_id, mut criterion) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                SEARCH_ID => Field::read(&mut search_id, cursor)?,
                EXECUTE_SEARCH => cursor.once(&mut criterion, Criterion::read)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            search_id: cursor.required(search_id, Self::ROOT, SEARCH_ID)?,
            criterion: cursor.required(criterion, Self::ROOT, EXECUTE_SEARCH)?,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(SEARCH_ID, &self.search_id);
        encoder.container(EXECUTE_SEARCH, |encoder| match &self.criterion {
            Criterion::Mailbox(criterion) => criterion.write(encoder, MAIL_BOX_SEARCH_CRITERION),
            Criterion::People(criterion) => criterion.write(encoder, GAL_SEARCH_CRITERION),
        });
    }
}

impl Criterion {
    /// Consumes `ExecuteSearch`, which holds one criterion.
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut criterion = None;
        while let Some(tag) = cursor.next_child()? {
            if criterion.is_some() {
                return Err(cursor.problem(Problem::Combination));
            }
            criterion = Some(match tag {
                MAIL_BOX_SEARCH_CRITERION => Self::Mailbox(MailboxCriterion::read(cursor)?),
                GAL_SEARCH_CRITERION => Self::People(PeopleCriterion::read(cursor)?),
                _ => return cursor.misplaced(),
            });
        }
        cursor.required(criterion, EXECUTE_SEARCH, MAIL_BOX_SEARCH_CRITERION)
    }
}

impl Element for PeopleCriterion {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut query, mut options) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                QUERY => Field::read(&mut query, cursor)?,
                OPTIONS => cursor.once(&mut options, read_people_options)?,
                _ => return cursor.misplaced(),
            }
        }
        let query = cursor.required(query, GAL_SEARCH_CRITERION, QUERY)?;
        let (range, picture) = options.unwrap_or_default();
        Ok(Self { query, range, picture })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.text(QUERY, &self.query);
            if self.range.is_none() && self.picture.is_none() {
                return;
            }
            encoder.container(OPTIONS, |encoder| {
                Field::write(&self.range, encoder, RANGE);
                if let Some(picture) = self.picture {
                    picture.write(encoder, PICTURE, &PICTURE_TAGS);
                }
            });
        });
    }
}

fn read_people_options(
    cursor: &mut Cursor<'_>,
) -> Result<(Option<RangeText>, Option<PictureOptions>)> {
    let (mut range, mut picture) = (None, None);
    while let Some(tag) = cursor.next_child()? {
        match tag {
            RANGE => Field::read(&mut range, cursor)?,
            PICTURE => {
                cursor.once(&mut picture, |c| PictureOptions::read(c, &PICTURE_TAGS))?;
            }
            _ => return cursor.misplaced(),
        }
    }
    Ok((range, picture))
}

impl Document for Response {
    const ROOT: Tag = FIND;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut status, mut page) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                STATUS => Field::read(&mut status, cursor)?,
                RESPONSE => Field::read(&mut page, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, page })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.number(STATUS, self.status.0);
        Field::write(&self.page, encoder, RESPONSE);
    }
}

impl Element for Page {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut store, mut status, mut results) = (None, None, Vec::new());
        let (mut range, mut total) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                item_operations::STORE => Field::read(&mut store, cursor)?,
                STATUS => Field::read(&mut status, cursor)?,
                RESULT => Field::read(&mut results, cursor)?,
                RANGE => Field::read(&mut range, cursor)?,
                TOTAL => Field::read(&mut total, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        let status = cursor.required(status, RESPONSE, STATUS)?;
        Ok(Self { store, status, results, range, total })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            encoder.opt_text(item_operations::STORE, self.store.as_ref());
            encoder.number(STATUS, self.status.0);
            Field::write(&self.results, encoder, RESULT);
            Field::write(&self.range, encoder, RANGE);
            Field::write(&self.total, encoder, TOTAL);
        });
    }
}

impl Element for Hit {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut class, mut server_id, mut collection_id) = (None, None, None);
        let mut properties = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                air_sync::CLASS => Field::read(&mut class, cursor)?,
                air_sync::SERVER_ID => Field::read(&mut server_id, cursor)?,
                air_sync::COLLECTION_ID => Field::read(&mut collection_id, cursor)?,
                PROPERTIES => cursor.once(&mut properties, HitProperties::read)?,
                _ => return cursor.misplaced(),
            }
        }
        let properties = cursor.required(properties, RESULT, PROPERTIES)?;
        Ok(Self { class, server_id, collection_id, properties })
    }

    fn write(&self, encoder: &mut Encoder, tag: Tag) {
        encoder.container(tag, |encoder| {
            Field::write(&self.class, encoder, air_sync::CLASS);
            Field::write(&self.server_id, encoder, air_sync::SERVER_ID);
            Field::write(&self.collection_id, encoder, air_sync::COLLECTION_ID);
            match &self.properties {
                HitProperties::Mail(mail) => mail.write(encoder, PROPERTIES),
                HitProperties::Person(person) => person.write(encoder, PROPERTIES),
            }
        });
    }
}

impl HitProperties {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let first = cursor.clone().next_child()?;
        match first {
            Some(tag) if tag.page == gal::DISPLAY_NAME.page => {
                GalEntry::read(cursor).map(|person| Self::Person(Box::new(person)))
            }
            _ => MailSummary::read(cursor).map(|mail| Self::Mail(Box::new(mail))),
        }
    }
}

/// How this command spells which pictures are wanted.
const PICTURE_TAGS: PictureTags = PictureTags { max_size: MAX_SIZE, max_pictures: MAX_PICTURES };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded};
    use crate::error::Error;
    use crate::status::find;
    use crate::version::ProtocolVersion;

    const V16_0: ProtocolVersion = ProtocolVersion::V16_0;
    const V16_1: ProtocolVersion = ProtocolVersion::V16_1;

    fn request(criterion: Criterion) -> Request {
        let search_id = SearchId::new("1F9E0E2C-7A1B-4C52-9E5A-0F6E0D3C2B1A").unwrap();
        Request { search_id, criterion }
    }

    fn mailbox() -> MailboxCriterion {
        let query = MailboxQuery {
            class: Some(ClassName::email()),
            collection_id: CollectionId::new("1").ok(),
            free_text: Some("subject:budget".into()),
        };
        let options = MailboxOptions { range: RangeText::new("0-9").ok(), deep_traversal: true };
        MailboxCriterion { query: Some(query), options: Some(options) }
    }

    fn response(hit: Hit, store: &str) -> Response {
        let page = Page {
            store: Some(store.into()),
            status: find::SUCCESS,
            results: vec![hit],
            range: Some(ByteRange { first: 0, last: 0 }),
            total: Some(1),
        };
        Response { status: find::SUCCESS, page: Some(page) }
    }

    #[test]
    fn finding_mail_is_a_known_answer() {
        both_ways("43", V16_1, request(Criterion::Mailbox(mailbox())));
        let mail = MailSummary {
            subject: Some("Quarterly numbers".into()),
            date_received: DateTime::parse("2026-03-02T09:15:00.000Z").ok(),
            display_to: Some("Anat Kerry".into()),
            importance: Some(1),
            read: Some(false),
            is_draft: Some(false),
            preview: Some("Hi Anat".into()),
            has_attachments: Some(true),
            from: Some("chris@contoso.example".into()),
            ..MailSummary::default()
        };
        let hit = Hit {
            class: Some(ClassName::email()),
            server_id: ServerId::new("1:41").ok(),
            collection_id: CollectionId::new("1").ok(),
            properties: HitProperties::Mail(Box::new(mail)),
        };
        both_ways("44", V16_1, response(hit, "Mailbox"));
    }

    #[test]
    fn finding_people_comes_back() {
        let picture = PictureOptions { max_size: Some(4096), max_pictures: None };
        let criterion = PeopleCriterion {
            query: "an".into(),
            range: RangeText::new("0-4").ok(),
            picture: Some(picture),
        };
        comes_back(V16_1, &request(Criterion::People(criterion)));
        let plain = PeopleCriterion { query: "an".into(), ..PeopleCriterion::default() };
        comes_back(V16_1, &request(Criterion::People(plain)));
        let person = GalEntry { display_name: Some("Anat".into()), ..GalEntry::default() };
        let properties = HitProperties::Person(Box::new(person));
        let hit = Hit { class: None, server_id: None, collection_id: None, properties };
        comes_back(V16_1, &response(hit, "GAL"));
        let page = Some(Page::failure(find::START_WITH_RANGE_ZERO));
        comes_back(V16_1, &Response { status: find::SUCCESS, page });
        comes_back(V16_1, &Response { status: find::INVALID_REQUEST, page: None });
    }

    #[test]
    fn only_16_1_finds() {
        let request = request(Criterion::Mailbox(mailbox()));
        assert_eq!(request.encode(V16_0), b"");
        let read = Request::decode(V16_0, &request.encode(V16_1));
        assert!(matches!(read, Err(Error::Version { tag: FIND, .. })));
    }

    #[test]
    fn a_search_has_one_criterion() {
        let problem = |xml: &str| {
            let xml = format!("<Find xmlns='Find'><SearchId>1</SearchId>{xml}</Find>");
            match decoded::<Request>(V16_1, &xml) {
                Err(Error::Schema { problem, .. }) => problem,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(problem(""), Problem::Missing(EXECUTE_SEARCH));
        assert_eq!(problem("<ExecuteSearch/>"), Problem::Missing(MAIL_BOX_SEARCH_CRITERION));
        let both = "<ExecuteSearch><MailBoxSearchCriterion/><GalSearchCriterion/></ExecuteSearch>";
        assert_eq!(problem(both), Problem::Combination);
        let none = "<ExecuteSearch><GalSearchCriterion/></ExecuteSearch>";
        assert_eq!(problem(none), Problem::Missing(QUERY));
    }
}
