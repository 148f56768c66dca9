//! Properties: queries and requests come back, and mutants of real requests do no harm.

#[cfg(test)]
mod properties {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::LazyLock;

    use activesync::autodiscover;
    use activesync::check;
    use activesync::command::CommandName;
    use activesync::command::sync::{
        Add, Change, ClientCommand, Collection, Delete, Options, Request,
    };
    use activesync::http::Query;
    use activesync::item::ItemData;
    use activesync::item::body::{Body, BodyPreference, BodyType, Content, MimeSupport};
    use activesync::item::email::{Categories, Email, Flag};
    use activesync::types::{ClientId, CollectionId, DateTime, ServerId, SyncKey};
    use activesync::{Document, ProtocolVersion};
    use proptest::option;
    use proptest::prelude::*;

    /// Real requests, as inputs of `check`.
    static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus");
        let index = fs::read_to_string(folder.join("index.tsv")).unwrap();
        let seed = |row: &str| {
            let [file, _, _, uri] = row.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{row}")
            };
            let query = Query::decode(uri.split_once('?').unwrap().1).unwrap();
            let body = fs::read(folder.join(file)).unwrap();
            let input = || check::input(ProtocolVersion::V16_1, query.command, &body);
            (body.len() < SEED_OCTETS_MAX).then(input)
        };
        index.lines().skip(1).filter_map(seed).collect()
    });

    /// Longer seeds only repeat themselves.
    const SEED_OCTETS_MAX: usize = 2000;

    fn mutant() -> impl Strategy<Value = Vec<u8>> {
        let edit = (any::<prop::sample::Index>(), any::<u8>(), 0..3u8);
        let edits = prop::collection::vec(edit, 1..6);
        (any::<prop::sample::Index>(), 0..5u8, edits).prop_map(|(seed, version, edits)| {
            let mut octets = seed.get(&SEEDS).clone();
            octets[0] = version;
            for (at, octet, kind) in edits {
                let at = 2 + at.index(octets.len() - 2);
                match kind {
                    0 => octets[at] = octet,
                    1 => octets.insert(at, octet),
                    _ if octets.len() > 3 => drop(octets.remove(at)),
                    _ => {}
                }
            }
            octets
        })
    }

    fn name() -> impl Strategy<Value = String> {
        "[!-~]{1,15}"
    }

    prop_compose! {
        fn query()(
            command in prop::sample::select(CommandName::ALL),
            device in (name(), "[ -~]{1,20}"),
            texts in prop::array::uniform6(option::of("\\PC{0,60}")),
            version in option::of(prop::sample::select(&ProtocolVersion::ALL[..])),
            policy_key in option::of(any::<u32>()),
            locale in option::of(any::<u16>()),
            flags in any::<(bool, bool)>(),
        ) -> Query {
            let mut query = Query::new(command, device.0, device.1);
            [query.user, query.attachment_name, query.collection_id, query.item_id, query.long_id,
                query.occurrence] = texts;
            (query.version, query.policy_key, query.locale) = (version, policy_key, locale);
            (query.accept_multipart, query.save_in_sent) = flags;
            query
        }
    }

    fn text() -> impl Strategy<Value = String> {
        "[^\\p{C}]{0,20}"
    }

    prop_compose! {
        fn body()(
            body_type in prop::sample::select(vec![BodyType::Plain, BodyType::Html, BodyType::Mime]),
            data in option::of(prop_oneof![
                text().prop_map(Content::Text),
                prop::collection::vec(any::<u8>(), 1..40).prop_map(Content::Octets),
            ]),
            truncated in option::of(any::<bool>()),
        ) -> Body {
            Body { body_type: Some(body_type), data, truncated, ..Body::default() }
        }
    }

    prop_compose! {
        fn email()(
            texts in prop::array::uniform4(option::of(text())),
            read in option::of(any::<bool>()),
            importance in option::of(0..3u8),
            body in option::of(body()),
            categories in option::of(prop::collection::vec(text(), 0..4)),
            flag in option::of((option::of(0..3u8), option::of(text()), option::of(any::<i32>()))),
        ) -> Email {
            let [to, cc, bcc, subject] = texts;
            let flag = flag.map(|(status, flag_type, due)| Flag {
                status,
                flag_type,
                due_date: due.map(|s| DateTime::from_ms(i64::from(s) * 1000)),
                ..Flag::default()
            });
            let categories = categories.map(|names| Categories { names });
            Email { to, cc, bcc, subject, read, importance, body, categories, flag, ..Email::default() }
        }
    }

    fn data() -> impl Strategy<Value = ItemData> {
        email().prop_map(ItemData::from)
    }

    fn command() -> impl Strategy<Value = ClientCommand> {
        let id = || name().prop_map(|id| ServerId::new(id).unwrap());
        prop_oneof![
            (name(), any::<bool>(), data()).prop_map(|(id, send, data)| {
                let client_id = ClientId::new(id).unwrap();
                ClientCommand::Add(Add { class: None, client_id, send, data })
            }),
            (id(), any::<bool>(), data()).prop_map(|(server_id, send, data)| {
                ClientCommand::Change(Change { server_id, instance_id: None, send, data })
            }),
            id().prop_map(|server_id| ClientCommand::Delete(Delete {
                server_id,
                instance_id: None
            })),
            id().prop_map(ClientCommand::Fetch),
        ]
    }

    prop_compose! {
        fn options()(
            filter_type in option::of(0..9u8),
            truncation_size in option::of(any::<u32>()),
            all_or_none in option::of(any::<bool>()),
            preview in option::of(any::<u8>()),
            mime_support in option::of(Just(MimeSupport::All)),
            conflict in option::of(0..2u8),
        ) -> Options {
            let html = BodyPreference { truncation_size, all_or_none, preview, ..BodyPreference::new(BodyType::Html) };
            let body_preferences = vec![html, BodyPreference::new(BodyType::Mime)];
            Options { filter_type, mime_support, conflict, body_preferences, ..Options::default() }
        }
    }

    prop_compose! {
        fn collection()(
            ids in (name(), name()),
            flags in prop::array::uniform3(option::of(any::<bool>())),
            window_size in option::of(any::<u32>()),
            options in option::of(options()),
            commands in prop::collection::vec(command(), 0..5),
        ) -> Collection {
            let id = CollectionId::new(ids.0).unwrap();
            let mut collection = Collection::new(id, SyncKey::new(ids.1).unwrap());
            [collection.deletes_as_moves, collection.get_changes, collection.conversation_mode] = flags;
            collection.window_size = window_size;
            collection.options.extend(options);
            collection.commands = commands;
            collection
        }
    }

    prop_compose! {
        fn request()(
            collections in prop::collection::vec(collection(), 1..4),
            heartbeat_interval_s in option::of(any::<u32>()),
            window_size in option::of(any::<u32>()),
            partial in any::<bool>(),
        ) -> Request {
            Request { collections, wait_min: None, heartbeat_interval_s, window_size, partial }
        }
    }

    proptest! {
        // A failure is kept as a seed of the fuzz target, not in a file beside the tests.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn queries_come_back(query in query()) {
            let raw = query.encode_plain();
            let decoded = Query::decode(&raw).unwrap();
            prop_assert_eq!(decoded.encode_plain(), raw.clone());
            check::http_query(raw.as_bytes());
            if let Some(raw) = query.encode_base64() {
                check::http_query(raw.as_bytes());
            }
        }

        #[test]
        fn any_text_is_read_as_a_query_or_refused(raw in "\\PC{0,80}") {
            check::http_query(raw.as_bytes());
        }

        #[test]
        fn anything_like_xml_is_read_as_autodiscover_or_refused(
            xml in "(<|>|/|!\\[CDATA\\[|--|\\?|&|;|#x?[0-9]{0,9}|\\[|\\]|=|'|\"|:|Request|Response|Error|xmlns| |\\PC){0,30}"
        ) {
            let whole = format!("<Autodiscover>{xml}</Autodiscover>");
            for xml in [&xml, &whole] {
                let _ = autodiscover::Request::decode(xml.as_bytes());
                let _ = autodiscover::Response::decode(xml.as_bytes());
            }
        }

        #[test]
        fn sync_requests_come_back(request in request()) {
            let octets = request.encode(ProtocolVersion::V16_1);
            prop_assert_eq!(Request::decode(ProtocolVersion::V16_1, &octets), Ok(request));
        }

        #[test]
        fn no_version_gets_what_it_does_not_have(request in request()) {
            for version in ProtocolVersion::ALL {
                let octets = request.encode(version);
                let decoded = Request::decode(version, &octets).unwrap();
                for command in decoded.collections.iter().flat_map(|one| &one.commands) {
                    let broken = matches!(
                        command,
                        ClientCommand::Add(Add { data: ItemData::Broken(_), .. })
                            | ClientCommand::Change(Change { data: ItemData::Broken(_), .. })
                    );
                    prop_assert!(!broken);
                }
            }
        }

        #[test]
        fn mutants_of_requests_do_no_harm(octets in mutant()) {
            check::request_decode(&octets);
            check::request_round_trip(&octets);
        }
    }
}
