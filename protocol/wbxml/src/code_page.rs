//! Code pages: the caller's tables of element names, flattened so that a name costs one look-up.

use crate::token::{TOKEN_MASK, TOKEN_MIN, Tag};

const PAGES: usize = 32;
const TOKENS: usize = 64;

/// One code page: a namespace and the names of its tags.
#[derive(Copy, Clone, Debug)]
pub struct CodePage {
    /// The page's number, 0 to 31.
    pub number: u8,
    /// The XML namespace the page stands for.
    pub namespace: &'static str,
    /// Tokens, 0x05 to 0x3F, and their names.
    pub tags: &'static [(u8, &'static str)],
}

/// All code pages of an application.
///
/// Made once, in a `static`: the table takes 32 KiB.
pub struct CodePages {
    pages: &'static [CodePage],
    namespaces: [&'static str; PAGES],
    names: [[&'static str; TOKENS]; PAGES],
}

impl CodePages {
    /// Flattens `pages`.
    ///
    /// # Panics
    /// If a page number or token is out of range, or given twice: in a `static` that is an error of compilation.
    pub const fn new(pages: &'static [CodePage]) -> Self {
        let mut namespaces = [""; PAGES];
        let mut names = [[""; TOKENS]; PAGES];
        let mut at = 0;
        while at < pages.len() {
            let page = &pages[at];
            let number = page.number as usize;
            assert!(number < PAGES, "page numbers go from 0 to 31");
            assert!(!page.namespace.is_empty(), "a page has a namespace");
            assert!(namespaces[number].is_empty(), "a page is given once");
            namespaces[number] = page.namespace;
            names[number] = flatten(page.tags);
            at += 1;
        }
        Self { pages, namespaces, names }
    }

    /// The name of `tag`, if it has one.
    #[inline]
    pub const fn name(&self, tag: Tag) -> Option<&'static str> {
        if tag.page as usize >= PAGES || tag.token as usize >= TOKENS {
            return None;
        }
        known(self.names[tag.page as usize][tag.token as usize])
    }

    /// The namespace of a page, if the page exists.
    #[inline]
    pub const fn namespace(&self, page: u8) -> Option<&'static str> {
        if page as usize >= PAGES {
            return None;
        }
        known(self.namespaces[page as usize])
    }

    /// The tag with this namespace and name; a search, for tools and tests.
    pub fn tag(&self, namespace: &str, name: &str) -> Option<Tag> {
        let page = self.pages.iter().find(|page| page.namespace == namespace)?;
        let (token, _) = page.tags.iter().find(|(_, known)| *known == name)?;
        Some(Tag::new(page.number, *token))
    }

    /// The pages as they were handed in.
    pub const fn pages(&self) -> &'static [CodePage] {
        self.pages
    }
}

impl core::fmt::Debug for CodePages {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.pages.iter().map(|page| page.namespace)).finish()
    }
}

const fn flatten(tags: &'static [(u8, &'static str)]) -> [&'static str; TOKENS] {
    let mut names = [""; TOKENS];
    let mut at = 0;
    while at < tags.len() {
        let (token, name) = tags[at];
        assert!(token >= TOKEN_MIN && token <= TOKEN_MASK, "tokens go from 0x05 to 0x3F");
        assert!(!name.is_empty(), "a tag has a name");
        assert!(names[token as usize].is_empty(), "a token is given once");
        names[token as usize] = name;
        at += 1;
    }
    names
}

const fn known(name: &'static str) -> Option<&'static str> {
    if name.is_empty() { None } else { Some(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAGES: CodePages = CodePages::new(&[
        CodePage { number: 0, namespace: "AirSync", tags: &[(0x05, "Sync"), (0x0E, "Status")] },
        CodePage { number: 13, namespace: "Ping", tags: &[(0x05, "Ping"), (0x07, "Status")] },
    ]);

    #[test]
    fn names_and_tags_are_each_others_inverse() {
        let status = Tag::new(13, 0x07);
        assert_eq!(PAGES.name(status), Some("Status"));
        assert_eq!(PAGES.tag("Ping", "Status"), Some(status));
        assert_eq!(PAGES.tag("AirSync", "Status"), Some(Tag::new(0, 0x0E)));
        assert_eq!(PAGES.namespace(13), Some("Ping"));
    }

    #[test]
    fn what_is_not_in_the_tables_has_no_name() {
        assert_eq!(PAGES.name(Tag::new(13, 0x06)), None);
        assert_eq!(PAGES.name(Tag::new(13, 0xFF)), None);
        assert_eq!(PAGES.name(Tag::new(200, 0x05)), None);
        assert_eq!(PAGES.namespace(1), None);
        assert_eq!(PAGES.namespace(255), None);
        assert_eq!(PAGES.tag("Ping", "Sync"), None);
    }

    #[test]
    #[should_panic(expected = "a token is given once")]
    fn a_token_twice_is_refused() {
        let _ =
            CodePages::new(&[CodePage { number: 0, namespace: "A", tags: &[(5, "X"), (5, "Y")] }]);
    }
}
