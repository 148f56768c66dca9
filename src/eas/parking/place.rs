//! What a path names, and which methods it knows.

use http::Method;

/// A place on the phone listener. Paths match in any letter case and with extra slashes, as phones send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/Microsoft-Server-ActiveSync` ([MS-ASHTTP] 2.2.1.1.1).
    ActiveSync,
    /// `/autodiscover/autodiscover.xml` ([MS-ASCMD] 2.2.1.1).
    AutodiscoverXml,
    /// `/autodiscover/autodiscover.json`, alone or followed by `/v1.0/{address}`.
    AutodiscoverJson,
}

impl Place {
    /// What `path` names; `path` as [`tidy`] leaves it.
    pub(super) fn of(path: &str) -> Option<Place> {
        let path = path.to_ascii_lowercase();
        match path.as_str() {
            "/microsoft-server-activesync" | "/microsoft-server-activesync/default.eas" => {
                Some(Place::ActiveSync)
            }
            "/autodiscover/autodiscover.xml" => Some(Place::AutodiscoverXml),
            _ => {
                let rest = path.strip_prefix("/autodiscover/autodiscover.json")?;
                (rest.is_empty() || rest.starts_with('/')).then_some(Place::AutodiscoverJson)
            }
        }
    }

    /// The methods it knows, as `Allow` lists them.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Place::ActiveSync => "OPTIONS,POST",
            Place::AutodiscoverXml => "GET,POST",
            Place::AutodiscoverJson => "GET",
        }
    }

    /// Whether there is a place that knows the method.
    pub(super) fn any_knows(method: &Method) -> bool {
        let places = [Place::ActiveSync, Place::AutodiscoverXml, Place::AutodiscoverJson];
        places.into_iter().any(|place| place.knows(method))
    }

    pub(super) fn knows(self, method: &Method) -> bool {
        self.methods().split(',').any(|known| known == method.as_str())
    }
}

/// The path with single slashes and none at its end.
pub(super) fn tidy(path: &str) -> String {
    path.split('/')
        .filter(|part| !part.is_empty())
        .fold(String::with_capacity(path.len()), |tidy, part| tidy + "/" + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_spell_paths_in_many_ways() {
        for path in ["/Microsoft-Server-ActiveSync", "//microsoft-server-activesync//"] {
            assert_eq!(Place::of(&tidy(path)), Some(Place::ActiveSync), "{path}");
        }
        let xml = Place::of(&tidy("/AutoDiscover/AutoDiscover.XML"));
        assert_eq!(xml, Some(Place::AutodiscoverXml));
        let path = "/autodiscover/autodiscover.json/v1.0/Ada@example.org";
        assert_eq!(Place::of(&tidy(path)), Some(Place::AutodiscoverJson));
        assert_eq!(tidy(path), path, "the address keeps its letters");
    }

    #[test]
    fn other_paths_are_nothing() {
        for path in ["", "/", "/Microsoft-Server-ActiveSyncs", "/autodiscover/autodiscover.jsonp"] {
            assert_eq!(Place::of(&tidy(path)), None, "{path}");
        }
    }

    #[test]
    fn methods_are_exact() {
        assert!(Place::ActiveSync.knows(&Method::OPTIONS));
        assert!(!Place::ActiveSync.knows(&Method::GET));
        assert!(!Place::AutodiscoverXml.knows(&Method::from_bytes(b"post").unwrap()));
    }
}
