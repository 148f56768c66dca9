//! What a server says it can do (RFC 9051 6.1.1).

/// The capabilities of a server, as it spelt them last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    words: Vec<String>,
}

/// How a literal may be sent (RFC 7888).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiteralMode {
    /// Only after the server has said "go ahead".
    #[default]
    Wait,
    /// At once up to 4,096 octets (LITERAL-).
    Minus,
    /// At once (LITERAL+).
    Plus,
}

impl Capabilities {
    pub(crate) fn from_words(words: Vec<String>) -> Capabilities {
        Capabilities { words }
    }

    /// Is the capability there, whatever its case? `AUTH=PLAIN`, `CONDSTORE`.
    pub fn has(&self, capability: &str) -> bool {
        self.words.iter().any(|word| word.eq_ignore_ascii_case(capability))
    }

    /// The capability or what includes it: IMAP4rev2 and QRESYNC bring others with them (RFC 9051 Appendix E, RFC 7162 3.2.3).
    pub fn offers(&self, capability: &str) -> bool {
        let in_rev2 = IN_REV2.iter().any(|word| word.eq_ignore_ascii_case(capability));
        self.has(capability)
            || (in_rev2 && self.has("IMAP4REV2"))
            || (capability.eq_ignore_ascii_case("CONDSTORE") && self.has("QRESYNC"))
    }

    /// What follows the `=` of a capability, such as `APPENDLIMIT=35651584`.
    pub fn value(&self, capability: &str) -> Option<&str> {
        self.words.iter().find_map(|word| {
            let (name, value) = word.split_once('=')?;
            name.eq_ignore_ascii_case(capability).then_some(value)
        })
    }

    /// How literals may be sent.
    pub fn literals(&self) -> LiteralMode {
        match (self.has("LITERAL+"), self.offers("LITERAL-")) {
            (true, _) => LiteralMode::Plus,
            (false, true) => LiteralMode::Minus,
            (false, false) => LiteralMode::Wait,
        }
    }

    /// All of them, as spelt.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

const IN_REV2: [&str; 16] = [
    "NAMESPACE",
    "UNSELECT",
    "UIDPLUS",
    "ESEARCH",
    "SEARCHRES",
    "ENABLE",
    "IDLE",
    "SASL-IR",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "MOVE",
    "LITERAL-",
    "BINARY",
    "SPECIAL-USE",
    "STATUS=SIZE",
    "CHILDREN",
];
