//! The SQL of this room: the identities, migration 0002.

pub(super) const INSERT_IDENTITY: &str = "INSERT INTO identities \
    (claimed, verified, message_id, sent_at, from_address) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (claimed, verified) DO NOTHING RETURNING id";

pub(super) const FIND_IDENTITY: &str =
    "SELECT id FROM identities WHERE claimed = ?1 AND verified = ?2";

pub(super) const LOAD_IDENTITY: &str = "SELECT message_id, sent_at, from_address, claimed, verified \
    FROM identities WHERE id = ?1";

pub(super) const LIST_BY_MESSAGE_ID: &str =
    "SELECT id FROM identities WHERE message_id = ?1 ORDER BY id LIMIT ?2";
