//! The code pages of Exchange ActiveSync ([MS-ASWBXML] 2.1.2.1): every tag, as data and by name.
//!
//! `code_pages::air_sync::SYNC` is a tag; [`PAGES`] is what a reader needs; [`versions`] says which
//! protocol versions use a tag, so that what a version does not have is neither taken nor written.
//! Tags of 2.5 and older revisions are known by name, for logs and for `retract wbxml`, and belong
//! to no version we speak.

use wbxml::{CodePage, CodePages, Tag};

use crate::version::Versions;

mod commands;
mod items;
pub use commands::*;
pub use items::*;

/// All pages, for [`wbxml::Reader`].
pub static PAGES: CodePages = CodePages::new(TABLE);

/// How many page numbers there are; page 3 is retired and empty.
pub const PAGE_COUNT: usize = 26;

/// The protocol versions that use `tag`; none for a tag nobody knows.
pub fn versions(tag: Tag) -> Versions {
    let page = VERSIONS.get(usize::from(tag.page));
    let versions = page.and_then(|page| page.get(usize::from(tag.token)));
    versions.copied().unwrap_or(Versions::NONE)
}

/// The name of `tag` on its page, `?` for a tag nobody knows.
pub fn name(tag: Tag) -> &'static str {
    PAGES.name(tag).unwrap_or("?")
}

/// The namespace of a page (`AirSync`, `Email2`), `?` for a page nobody knows.
pub fn namespace(page: u8) -> &'static str {
    PAGES.namespace(page).unwrap_or("?")
}

/// Makes one page: a module of tag constants, its table of names and its table of versions.
macro_rules! page {
    ($module:ident $number:literal $namespace:literal {
        $($constant:ident $token:literal $name:literal $versions:ident)*
    }) => {
        #[doc = concat!("Page ", stringify!($number), ", namespace `", $namespace, "`.")]
        pub mod $module {
            use wbxml::{CodePage, Tag};
            use crate::version::Versions;
            $(
                #[doc = concat!("`", $namespace, ":", $name, "`, token ", stringify!($token), ".")]
                pub const $constant: Tag = Tag::new($number, $token);
            )*
            pub(crate) const PAGE: CodePage = CodePage {
                number: $number,
                namespace: $namespace,
                tags: &[$(($token, $name)),*],
            };
            pub(crate) const VERSIONS: &[(u8, Versions)] =
                &[$(($token, Versions::$versions)),*];
        }
    };
}
use page;

/// Lists the pages once, for the table of names and for the table of versions.
macro_rules! tables {
    ($($page:ident)*) => {
        static TABLE: &[CodePage] = &[$($page::PAGE),*];
        static VERSIONS: [[Versions; TOKEN_COUNT]; PAGE_COUNT] = {
            let mut table = [[Versions::NONE; TOKEN_COUNT]; PAGE_COUNT];
            $(
                let row = &mut table[$page::PAGE.number as usize];
                let mut at = 0;
                while at < $page::VERSIONS.len() {
                    row[$page::VERSIONS[at].0 as usize] = $page::VERSIONS[at].1;
                    at += 1;
                }
            )*
            table
        };
    };
}

tables! {
    air_sync contacts email calendar move_items get_item_estimate folder_hierarchy
    meeting_response tasks resolve_recipients validate_cert contacts2 ping provision search gal
    air_sync_base settings document_library item_operations compose_mail email2 notes
    rights_management find
}

/// A tag octet has six bits of token.
const TOKEN_COUNT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::ProtocolVersion;

    #[test]
    fn the_specification_counts_608_tags_in_use_on_25_pages() {
        assert_eq!(TABLE.len(), 25);
        let used =
            TABLE.iter().flat_map(|page| page.tags.iter().map(|t| Tag::new(page.number, t.0)));
        let (used, retired): (Vec<_>, Vec<_>) =
            used.partition(|tag| versions(*tag) != Versions::NONE);
        assert_eq!((used.len(), retired.len()), (608, 17));
    }

    #[test]
    fn tokens_and_names_are_unique_and_ascend() {
        for page in TABLE {
            assert!(page.tags.windows(2).all(|pair| pair[0].0 < pair[1].0), "{}", page.namespace);
            for (token, name) in page.tags {
                assert_eq!(PAGES.tag(page.namespace, name), Some(Tag::new(page.number, *token)));
            }
        }
    }

    #[test]
    fn gaps_do_not_shift_later_tags() {
        // The neighbours of gaps, from the examples of the specification.
        assert_eq!(contacts::LAST_NAME, Tag::new(1, 0x29));
        assert_eq!(email2::IS_DRAFT, Tag::new(22, 0x15));
        assert_eq!(air_sync::SOFT_DELETE, Tag::new(0, 0x21));
        assert_eq!(name(email2::IS_DRAFT), "IsDraft");
        assert_eq!(name(Tag::new(22, 0x14)), "?");
        assert_eq!((namespace(22), namespace(3)), ("Email2", "?"));
    }

    #[test]
    fn versions_of_a_tag() {
        let has = |tag, version: ProtocolVersion| versions(tag).contain(version);
        assert!(has(air_sync::CONVERSATION_MODE, ProtocolVersion::V14_0));
        assert!(!has(air_sync::CONVERSATION_MODE, ProtocolVersion::V12_1));
        assert!(has(email::GLOBAL_OBJ_ID, ProtocolVersion::V14_1));
        assert!(!has(email::GLOBAL_OBJ_ID, ProtocolVersion::V16_0));
        assert!(!has(email::BODY, ProtocolVersion::V12_1), "2.5 only");
        assert_eq!(versions(Tag::new(200, 0x05)), Versions::NONE);
    }
}
