//! libwbxml, loaded at run time: the few functions that are measured.
#![expect(unsafe_code, reason = "a C library is called")]

use std::ffi::{c_int, c_uchar, c_uint, c_void};
use std::ptr;
use std::sync::OnceLock;

use libloading::{Library as Dynamic, Symbol};

/// `WBXML_LANG_ACTIVESYNC` of `wbxml_conv.h`.
const ACTIVESYNC: c_uint = 2402;
/// `WBXML_CHARSET_UTF_8` of the same.
const UTF_8: c_uint = 106;
/// `WBXML_OK`.
const OK: c_int = 0;

type Create = unsafe extern "C" fn() -> *mut c_void;
type SetLanguage = unsafe extern "C" fn(*mut c_void, c_uint) -> c_int;
type Parse = unsafe extern "C" fn(*mut c_void, *const c_uchar, c_uint) -> c_int;
type Drop = unsafe extern "C" fn(*mut c_void);
type FromWbxml =
    unsafe extern "C" fn(*const c_uchar, c_uint, c_uint, c_uint, *mut *mut c_void) -> c_int;
type ToWbxml =
    unsafe extern "C" fn(*mut c_void, *mut *mut c_uchar, *mut c_uint, *const Parameters) -> c_int;

/// `WBXMLGenWBXMLParams`.
#[repr(C)]
struct Parameters {
    version: c_uint,
    keep_ignorable_whitespace: c_uchar,
    use_string_table: c_uchar,
    anonymous: c_uchar,
}

/// The library, if it is on this machine.
pub(crate) struct Library {
    create: Symbol<'static, Create>,
    set_language: Symbol<'static, SetLanguage>,
    parse: Symbol<'static, Parse>,
    destroy: Symbol<'static, Drop>,
    from_wbxml: Symbol<'static, FromWbxml>,
    to_wbxml: Symbol<'static, ToWbxml>,
    free: Symbol<'static, Drop>,
}

/// A document as the library's own tree.
pub(crate) struct Tree(*mut c_void);

impl Library {
    /// The library; looked for once.
    pub(crate) fn get() -> Option<&'static Self> {
        static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
        LIBRARY.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let names = ["libwbxml2.so.1", "libwbxml2.so.0", "libwbxml2.so"];
        // SAFETY: the library's initialisers do nothing but that.
        let library = names.iter().find_map(|name| unsafe { Dynamic::new(*name) }.ok())?;
        let library: &'static Dynamic = Box::leak(Box::new(library));
        // SAFETY: the types are those of the library's source; only one thread at a time uses it.
        unsafe {
            Some(Self {
                create: library.get(b"wbxml_parser_create").ok()?,
                set_language: library.get(b"wbxml_parser_set_language").ok()?,
                parse: library.get(b"wbxml_parser_parse").ok()?,
                destroy: library.get(b"wbxml_parser_destroy").ok()?,
                from_wbxml: library.get(b"wbxml_tree_from_wbxml").ok()?,
                to_wbxml: library.get(b"wbxml_tree_to_wbxml").ok()?,
                free: library.get(b"wbxml_free").ok()?,
            })
        }
    }

    /// Reads a document and hands on nothing of it.
    pub(crate) fn parse(&self, octets: &[u8]) {
        // SAFETY: the parser is destroyed after its last use, and the octets outlive it.
        let result = unsafe {
            let parser = (self.create)();
            (self.set_language)(parser, ACTIVESYNC);
            let result = (self.parse)(parser, octets.as_ptr(), octets.len() as c_uint);
            (self.destroy)(parser);
            result
        };
        assert_eq!(result, OK, "libwbxml reads what we read");
    }

    /// Reads a document into a tree, which is never given back.
    pub(crate) fn tree(&self, octets: &[u8]) -> Tree {
        let (mut tree, length) = (ptr::null_mut(), octets.len() as c_uint);
        // SAFETY: the octets are copied into the tree.
        let result =
            unsafe { (self.from_wbxml)(octets.as_ptr(), length, ACTIVESYNC, UTF_8, &mut tree) };
        assert_eq!(result, OK, "libwbxml reads what we read");
        Tree(tree)
    }

    /// Writes a document.
    pub(crate) fn encode(&self, tree: &Tree) {
        let parameters = Parameters {
            version: 0x03,
            keep_ignorable_whitespace: 1,
            use_string_table: 0,
            anonymous: 1,
        };
        let (mut octets, mut length) = (ptr::null_mut(), 0);
        // SAFETY: the tree is one of the library's, and what it wrote is given back to it.
        let result = unsafe {
            let result = (self.to_wbxml)(tree.0, &mut octets, &mut length, &parameters);
            (self.free)(octets.cast());
            result
        };
        assert_eq!(result, OK, "libwbxml writes what it read");
    }
}
