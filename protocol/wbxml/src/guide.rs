//! The crate in five chapters, with examples that are compiled and run as tests.

/// # Reading
///
/// A [`Reader`](crate::Reader) walks once over octets that it borrows. Each call of [`next_token`](crate::Reader::next_token) gives
/// a [`Token`](crate::Token): an element begins, it ends, or there is text or octets in between. `None` says that the root
/// has ended and the input with it, so a document that was cut off is never taken for a whole one.
///
/// ```
/// use wbxml::{CodePage, CodePages, Limits, Reader, Tag, Token};
///
/// static PAGES: CodePages = CodePages::new(&[
///     CodePage { number: 0, namespace: "AirSync", tags: &[(0x05, "Sync"), (0x1D, "ApplicationData")] },
///     CodePage { number: 2, namespace: "Email", tags: &[(0x14, "Subject")] },
/// ]);
/// const SUBJECT: Tag = Tag::new(2, 0x14);
///
/// let octets = "\x03\x01\x6A\x00\x45\x5D\x00\x02\x54\x03Grüße\x00\x01\x01\x01".as_bytes();
/// let mut reader = Reader::new(octets, &PAGES, Limits::default())?;
/// let mut subject = None;
/// let mut inside = None;
/// while let Some(token) = reader.next_token()? {
///     match token {
///         Token::Start { tag, .. } => inside = Some(tag),
///         Token::End => inside = None,
///         // The text points into `octets`: nothing was copied.
///         Token::Text(text) if inside == Some(SUBJECT) => subject = Some(text.to_str()?),
///         _ => {}
///     }
/// }
/// assert_eq!(subject, Some("Grüße"));
/// # Ok::<(), wbxml::Error>(())
/// ```
///
/// An element without content is spelt in two ways on the wire, as a bare tag or as a tag with an END; both are a
/// `Start` and an `End` here, so that a recursive descent needs no special case. Page switches are seen to and never show.
///
/// A text may come in several pieces, and a leaf may hold octets where another client would send text. Who reads
/// leaves appends the pieces. [`Text::to_str`](crate::Text::to_str) is strict and names the octet that is wrong, which is right for
/// ids; [`Text::to_str_lossy`](crate::Text::to_str_lossy) mends, which is right for what people wrote.
///
/// A reader is small and `Clone`: to look ahead, clone it and walk on with the clone.
pub mod reading {}

/// # Writing
///
/// A [`Writer`](crate::Writer) is told of elements in order and sees to the rest: page switches where the page changes,
/// bare tags where an element turns out to be empty, characters that XML forbids, which phones hand to XML parsers
/// and which are left out. There is one spelling of each document, the one Exchange writes, so octets can be compared.
///
/// ```
/// # use wbxml::{CodePage, CodePages, Tag, Writer};
/// # static PAGES: CodePages = CodePages::new(&[
/// #     CodePage { number: 0, namespace: "AirSync", tags: &[(0x05, "Sync"), (0x14, "MoreAvailable")] },
/// #     CodePage { number: 17, namespace: "AirSyncBase", tags: &[(0x0B, "Data")] },
/// # ]);
/// # const SYNC: Tag = Tag::new(0, 0x05);
/// # const MORE_AVAILABLE: Tag = Tag::new(0, 0x14);
/// # const DATA: Tag = Tag::new(17, 0x0B);
/// let mut buffer = Vec::with_capacity(4096);
/// for body in [&b"first"[..], b"second"] {
///     let mut writer = Writer::with_buffer(&PAGES, buffer);
///     writer.start(SYNC);
///     writer.empty(MORE_AVAILABLE);
///     writer.start(DATA);
///     writer.opaque(body);
///     writer.end();
///     writer.end();
///     buffer = writer.finish();
///     // ... send it; the next document uses the same memory.
/// }
/// assert_eq!(buffer, b"\x03\x01\x6A\x00\x45\x14\x00\x11\x4B\xC3\x06second\x01\x01");
/// ```
///
/// Order is the caller's business, and so is that a tag exists: what only a mistake in the program can cause panics with a
/// sentence, and nothing that comes from outside can cause it. Texts and octets may be anything.
pub mod writing {}

/// # Vocabularies
///
/// WBXML numbers element names, and what the numbers mean is agreed elsewhere. [`CodePages`](crate::CodePages) takes the agreement as
/// data. Made in a `static`, it is checked when it is compiled: a number out of range or given twice is an error there.
///
/// ```compile_fail
/// use wbxml::{CodePage, CodePages};
///
/// static PAGES: CodePages = CodePages::new(&[CodePage {
///     number: 0,
///     namespace: "A",
///     tags: &[(0x05, "Five"), (0x05, "Also five")], // a token is given once
/// }]);
/// ```
///
/// Documents of ActiveSync have neither a string table nor entities, and a public identifier of 1. Others do, and are
/// read with [`Profile::Wbxml`](crate::Profile::Wbxml); SyncML's own identifier is written by
/// [`Writer::with_public_id`](crate::Writer::with_public_id).
///
/// ```
/// use wbxml::{CodePage, CodePages, Limits, Profile, Reader, Tag, Token, Writer};
///
/// static SYNC_ML: CodePages = CodePages::new(&[CodePage {
///     number: 0,
///     namespace: "SYNCML:SYNCML1.2",
///     tags: &[(0x12, "Final"), (0x2B, "SyncBody"), (0x2D, "SyncML")],
/// }]);
///
/// let mut writer = Writer::with_public_id(&SYNC_ML, Vec::new(), 0x1201);
/// writer.start(Tag::new(0, 0x2D));
/// writer.start(Tag::new(0, 0x2B));
/// writer.empty(Tag::new(0, 0x12));
/// writer.end();
/// writer.end();
/// let octets = writer.finish();
///
/// let mut reader = Reader::with_profile(&octets, &SYNC_ML, Limits::default(), Profile::Wbxml)?;
/// assert_eq!(reader.header().public_id, 0x1201);
/// let Some(Token::Start { name, .. }) = reader.next_token()? else { panic!("a root") };
/// assert_eq!(name, "SyncML");
/// # Ok::<(), wbxml::Error>(())
/// ```
///
/// Attributes are not read, so of WML only what has none: the reader says [`ErrorKind::Attributes`](crate::ErrorKind::Attributes)
/// rather than passing over them.
pub mod vocabularies {}

/// # What a peer can do
///
/// Whatever the octets, reading ends, never panics and costs no more than the input is long. What is wrong is one
/// [`ErrorKind`](crate::ErrorKind) with an offset, and asking again gives the same error.
///
/// ```
/// # use wbxml::{CodePage, CodePages, ErrorKind, Limits, Reader};
/// # static PAGES: CodePages = CodePages::new(&[
/// #     CodePage { number: 0, namespace: "AirSync", tags: &[(0x05, "Sync")] },
/// # ]);
/// let cut_off = b"\x03\x01\x6A\x00\x45\x03te";
/// let mut reader = Reader::new(cut_off, &PAGES, Limits::default())?;
/// reader.next_token()?;
/// let error = reader.next_token().unwrap_err();
/// assert_eq!((error.kind, error.offset), (ErrorKind::UnexpectedEnd, 8));
/// assert_eq!(error.to_string(), "octet 8: the input ends too early");
/// # Ok::<(), wbxml::Error>(())
/// ```
///
/// [`Limits`](crate::Limits) bound what a sound document may cost those who build something from it. The defaults stand far above what phones and
/// servers send.
///
/// ```
/// # use wbxml::{CodePage, CodePages, ErrorKind, Limits, Reader};
/// # static PAGES: CodePages = CodePages::new(&[
/// #     CodePage { number: 0, namespace: "AirSync", tags: &[(0x05, "Sync")] },
/// # ]);
/// let deep = [&b"\x03\x01\x6A\x00"[..], &[0x45; 100]].concat();
/// let limits = Limits { depth_max: 10, ..Limits::default() };
/// let mut reader = Reader::new(&deep, &PAGES, limits)?;
/// let error = loop {
///     if let Err(error) = reader.next_token() {
///         break error;
///     }
/// };
/// assert_eq!((error.kind, error.offset), (ErrorKind::TooDeep, 14));
/// # Ok::<(), wbxml::Error>(())
/// ```
pub mod peers {}

/// # Looking at documents
///
/// [`xml::to_xml`](crate::xml::to_xml) shows a document and [`xml::from_xml`](crate::xml::from_xml) makes octets of what was shown, or of what a person made of it:
/// for logs, tests and tools.
///
/// ```
/// use wbxml::{CodePage, CodePages, Limits, Reader, xml};
///
/// static PAGES: CodePages = CodePages::new(&[CodePage {
///     number: 13,
///     namespace: "Ping",
///     tags: &[(0x05, "Ping"), (0x07, "Status")],
/// }]);
///
/// let octets = b"\x03\x01\x6A\x00\x00\x0D\x45\x47\x031\x00\x01\x01";
/// let shown = xml::to_xml(Reader::new(octets, &PAGES, Limits::default())?)?;
/// assert!(shown.ends_with("<Ping xmlns=\"Ping\">\n  <Status>1</Status>\n</Ping>\n"));
///
/// let changed = shown.replace('1', "2").replace("2.0", "1.0");
/// let octets = xml::from_xml(&changed, &PAGES, Limits::default()).expect("XML of these pages");
/// assert_eq!(octets, b"\x03\x01\x6A\x00\x00\x0D\x45\x47\x032\x00\x01\x01");
/// # Ok::<(), wbxml::Error>(())
/// ```
pub mod looking {}
