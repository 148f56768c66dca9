//! The crate in five chapters, with examples that are compiled and run as tests.

/// # Serving
///
/// A request has a query, headers and mostly a body. [`http::Query`](crate::http::Query) reads the query in either spelling and takes the
/// headers in; then [`command::Request`](crate::command::Request) decodes the body as that command in that version.
///
/// ```
/// use activesync::command::{Request, folder_sync};
/// use activesync::http::{MS_AS_PROTOCOL_VERSION, Query};
/// use activesync::types::{ServerId, SyncKey};
/// use activesync::{Document, status};
///
/// let mut query = Query::decode("Cmd=FolderSync&User=anat&DeviceId=APPL1&DeviceType=iPhone").expect("a query");
/// let header = |name: &str| (name == MS_AS_PROTOCOL_VERSION).then_some("16.1");
/// let version = query.complete(header).expect("a version of ours");
///
/// let body = b"\x03\x01\x6A\x00\x00\x07\x56\x52\x030\x00\x01\x01";
/// let answer = match Request::decode(query.command, version, body) {
///     Ok(Request::FolderSync(request)) if request.sync_key.is_initial() => {
///         let inbox = folder_sync::Folder {
///             server_id: ServerId::new("1")?,
///             parent_id: ServerId::new("0")?,
///             display_name: "Inbox".into(),
///             folder_type: folder_sync::FolderType::INBOX,
///         };
///         folder_sync::Response {
///             status: status::folder_sync::SUCCESS,
///             sync_key: Some(SyncKey::new("1")?),
///             changes: Some(folder_sync::Changes { adds: vec![inbox], ..Default::default() }),
///         }
///     }
///     Ok(_) => unreachable!("the command is that of the query"),
///     Err(error) => folder_sync::Response {
///         status: error.status(query.command),
///         sync_key: None,
///         changes: None,
///     },
/// };
/// let octets = answer.encode(version);
/// assert!(octets.len() > 4);
/// # Ok::<(), activesync::types::Invalid>(())
/// ```
///
/// Every response is a [`Document`](crate::Document) of its own in the module of its command. An answer without a document, such as
/// that of a successful SendMail, has no type: nothing is sent.
pub mod serving {}

/// # Asking
///
/// A client uses the same types the other way round: requests encode, responses decode.
///
/// ```
/// use activesync::command::sync::{Collection, Request, Response};
/// use activesync::command::CommandName;
/// use activesync::http::Query;
/// use activesync::types::{CollectionId, SyncKey};
/// use activesync::{Document, ProtocolVersion};
///
/// let version = ProtocolVersion::V14_1;
/// let mut query = Query::new(CommandName::Sync, "APPL1", "iPhone");
/// query.version = Some(version);
/// let line = format!("POST /Microsoft-Server-ActiveSync?{} HTTP/1.1", query.encode_plain());
/// assert_eq!(query.headers(), [("ms-asprotocolversion", "14.1".to_owned())]);
///
/// let collection = Collection::new(CollectionId::new("1")?, SyncKey::initial());
/// let request = Request { collections: vec![collection], ..Request::default() };
/// let body = request.encode(version);
///
/// // What a server answers to that:
/// let answer = b"\x03\x01\x6A\x00\x45\x5C\x4F\x4B\x031\x00\x01\x52\x031\x00\x01\x4E\x031\x00\x01\x01\x01\x01";
/// let answer = Response::decode(version, answer)?;
/// assert_eq!(answer.collections[0].sync_key.as_str(), "1");
/// # assert!(line.contains("Cmd=Sync") && !body.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// How a client finds the server is in the module `autodiscover`, behind the feature of that name.
pub mod asking {}

/// # Versions
///
/// Each tag of the [code pages](crate::code_pages) knows the versions that have it. Decoding refuses a tag the spoken version does not have;
/// encoding leaves it out, with all that would be in it. So a type is that of the newest version, and is right for all.
///
/// ```
/// use activesync::command::search::{Options, Query, Request};
/// use activesync::item::gal::PictureOptions;
/// use activesync::{Document, Error, ProtocolVersion};
///
/// let pictures = Some(PictureOptions { max_size: Some(8192), max_pictures: None });
/// let options = Options { deep_traversal: true, picture: pictures, ..Options::default() };
/// let request = Request { options, ..Request::new("GAL", Query::Text("an".into())) };
///
/// // Pictures came with 14.1.
/// let older = Request::decode(ProtocolVersion::V12_1, &request.encode(ProtocolVersion::V12_1))?;
/// assert_eq!(older.options.picture, None);
/// let refused = Request::decode(ProtocolVersion::V12_1, &request.encode(ProtocolVersion::V14_1));
/// assert!(matches!(refused, Err(Error::Version { .. })));
/// # Ok::<(), Error>(())
/// ```
///
/// 12.1 says in its queries what newer versions say in documents: [`plain_mail`](crate::command::plain_mail) is mail with the body as it
/// is, [`get_attachment`](crate::command::get_attachment) asks for bytes. And it knows no common statuses:
/// [`Status::http_below_14`](crate::status::Status::http_below_14) is the status of HTTP that says the same.
pub mod versions {}

/// # When something is wrong
///
/// An [`Error`](crate::Error) is one of five facts, because they are answered differently: no document, no WBXML, not the command's
/// schema, not of this version, or too much. It names the element and the octet.
///
/// ```
/// use activesync::command::{CommandName, Request};
/// use activesync::{ProtocolVersion, status};
///
/// let body = b"\x03\x01\x6A\x00\x00\x05\x45\x46\x47\x031:1\x00\x01\x01\x01";
/// let error = Request::decode(CommandName::MoveItems, ProtocolVersion::V16_1, body).unwrap_err();
/// assert_eq!(error.to_string(), "at 15, Move:Move: lacks SrcFldId");
/// assert_eq!(error.status(CommandName::MoveItems), status::common::INVALID_XML);
/// ```
///
/// Where the specification lets one thing fail and the rest go on, the types do so too: an item of a Sync that is wrong is
/// [`ItemData::Broken`](crate::item::ItemData::Broken), a query of a Search that is none is [`Query::Invalid`](crate::command::search::Query::Invalid) or
/// [`TooComplex`](crate::command::search::Query::TooComplex), a range, an occurrence and a certificate are kept as the client spelt them, with a
/// method that says whether they are one.
pub mod errors {}

/// # Adding to it
///
/// Items of other classes than mail are kept as they came ([`OtherClass`](crate::item::OtherClass)) and given back as they came. For more, the
/// two sides every type here is made of are public: [`Cursor`](crate::element::Cursor) descends into a document, and
/// [`Encoder`](crate::encoder::Encoder) writes one, both with the version in mind.
///
/// ```
/// use activesync::code_pages::notes;
/// use activesync::element::{Cursor, Result};
/// use activesync::encoder::Encoder;
/// use activesync::{Document, ProtocolVersion};
/// use wbxml::Tag;
///
/// /// A document of one's own: a note, alone.
/// #[derive(Debug, PartialEq)]
/// struct Note {
///     subject: String,
/// }
///
/// impl Document for Note {
///     const ROOT: Tag = activesync::code_pages::air_sync::APPLICATION_DATA;
///
///     fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
///         let mut subject = None;
///         while let Some(tag) = cursor.next_child()? {
///             match tag {
///                 notes::SUBJECT => cursor.once(&mut subject, Cursor::text_lossy)?,
///                 _ => return cursor.misplaced(),
///             }
///         }
///         Ok(Self { subject: cursor.required(subject, Self::ROOT, notes::SUBJECT)? })
///     }
///
///     fn write(&self, encoder: &mut Encoder) {
///         encoder.text(notes::SUBJECT, &self.subject);
///     }
/// }
///
/// let note = Note { subject: "Milk".into() };
/// let octets = note.encode(ProtocolVersion::V14_0);
/// assert_eq!(Note::decode(ProtocolVersion::V14_0, &octets)?, note);
/// # Ok::<(), activesync::Error>(())
/// ```
pub mod adding {}
