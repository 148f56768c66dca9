//! The SQL of the embedded store: mailboxes, folders, messages and who needs which body, migration 0002; conversations that are always moved,
//! migration 0015.

pub(super) const FIND_MAILBOX: &str = "SELECT id FROM mailboxes WHERE user_id = ?1";

pub(super) const INSERT_MAILBOX: &str = "INSERT INTO mailboxes \
    (id, user_id, next_number, hierarchy_seq) VALUES (?1, ?1, 1, 0) ON CONFLICT (id) DO NOTHING";

pub(super) const USE_BYTES: &str = "UPDATE mailboxes SET used_bytes = used_bytes + ?2 \
    WHERE id = ?1 RETURNING used_bytes, quota_bytes";

pub(super) const READ_USAGE: &str = "SELECT used_bytes, quota_bytes FROM mailboxes WHERE id = ?1";

pub(super) const SET_QUOTA: &str = "UPDATE mailboxes SET quota_bytes = ?2 WHERE id = ?1";

pub(super) const NEXT_NUMBER: &str = "UPDATE mailboxes SET next_number = next_number + 1 \
    WHERE id = ?1 RETURNING next_number - 1";

pub(super) const NEXT_HIERARCHY: &str = "UPDATE mailboxes SET hierarchy_seq = hierarchy_seq + 1 \
    WHERE id = ?1 RETURNING hierarchy_seq";

pub(super) const HIERARCHY_HEAD: &str = "SELECT hierarchy_seq FROM mailboxes WHERE id = ?1";

pub(super) const INSERT_FOLDER: &str = "INSERT INTO folders \
    (mailbox_id, number, parent_number, name, name_key, kind, hierarchy_seq) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";

pub(super) const LIST_FOLDERS: &str = "SELECT id, mailbox_id, number, parent_number, name, kind \
    FROM folders WHERE mailbox_id = ?1 AND deleted = 0 ORDER BY number LIMIT ?2";

pub(super) const FOLDER_BY_NUMBER: &str = "SELECT id, mailbox_id, number, parent_number, name, kind \
    FROM folders WHERE mailbox_id = ?1 AND number = ?2 AND deleted = 0";

pub(super) const FOLDER_BY_ID: &str = "SELECT id, mailbox_id, number, parent_number, name, kind \
    FROM folders WHERE id = ?1 AND deleted = 0";

pub(super) const FOLDER_BY_NAME: &str = "SELECT id, mailbox_id, number, parent_number, name, kind \
    FROM folders WHERE mailbox_id = ?1 AND parent_number = ?2 AND name_key = ?3 AND deleted = 0";

pub(super) const COUNT_FOLDERS: &str =
    "SELECT COUNT(*) FROM folders WHERE mailbox_id = ?1 AND deleted = 0";

pub(super) const RENAME_FOLDER: &str = "UPDATE folders \
    SET parent_number = ?2, name = ?3, name_key = ?4, hierarchy_seq = ?5 WHERE id = ?1";

pub(super) const DELETE_FOLDER: &str =
    "UPDATE folders SET deleted = 1, hierarchy_seq = ?2 WHERE id = ?1";

pub(super) const DELETED_FOLDER_WITH_MAIL: &str = "SELECT f.id FROM folders f WHERE f.deleted = 1 \
    AND EXISTS (SELECT 1 FROM messages m WHERE m.folder_id = f.id) ORDER BY f.id LIMIT 1";

pub(super) const MAILBOX_OF_FOLDER: &str = "SELECT mailbox_id FROM folders WHERE id = ?1";

pub(super) const HEAD: &str = "SELECT change_seq FROM folders WHERE id = ?1 AND deleted = 0";

pub(super) const NEXT_CHANGE: &str = "UPDATE folders SET change_seq = change_seq + 1 \
    WHERE id = ?1 AND deleted = 0 RETURNING change_seq";

pub(super) const NEXT_ITEM: &str = "UPDATE folders \
    SET change_seq = change_seq + 1, next_item = next_item + 1 \
    WHERE id = ?1 AND deleted = 0 RETURNING next_item - 1, change_seq, mailbox_id";

pub(super) const READ_NEXT_ITEM: &str =
    "SELECT next_item FROM folders WHERE id = ?1 AND deleted = 0";

pub(super) const INSERT_MESSAGE: &str = "INSERT INTO messages (folder_id, item, body_hash, size, \
    received_at, is_read, flag, categories, verb, verb_at, is_draft, identity_id, change_seq, arrived_seq) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)";

pub(super) const CHANGES_SINCE: &str = "SELECT item, change_seq, arrived_seq, received_at, size, \
    is_read, flag, categories, verb, verb_at, is_draft, identity_id, deleted \
    FROM messages WHERE folder_id = ?1 AND change_seq > ?2 ORDER BY change_seq LIMIT ?3";

pub(super) const BELOW: &str = "SELECT item, change_seq, arrived_seq, received_at, size, \
    is_read, flag, categories, verb, verb_at, is_draft, identity_id, deleted \
    FROM messages WHERE folder_id = ?1 AND deleted = 0 AND received_at >= ?4 \
    AND (received_at, item) < (?2, ?3) ORDER BY received_at DESC, item DESC LIMIT ?5";

pub(super) const ABOVE: &str = "SELECT item, change_seq, arrived_seq, received_at, size, \
    is_read, flag, categories, verb, verb_at, is_draft, identity_id, deleted \
    FROM messages WHERE folder_id = ?1 AND deleted = 0 AND received_at < ?4 \
    AND (received_at, item) >= (?2, ?3) ORDER BY received_at, item LIMIT ?5";

pub(super) const READ_ITEM: &str = "SELECT item, change_seq, arrived_seq, received_at, size, \
    is_read, flag, categories, verb, verb_at, is_draft, identity_id, deleted, body_hash \
    FROM messages WHERE folder_id = ?1 AND item = ?2 AND deleted = 0";

pub(super) const IS_MIRRORED: &str = "SELECT body_hash IS NULL FROM messages \
    WHERE folder_id = ?1 AND item = ?2 AND deleted = 0";

pub(super) const LIVE_ITEMS: &str = "SELECT item FROM messages WHERE folder_id = ?1 AND deleted = 0 ORDER BY received_at, item LIMIT ?2";

pub(super) const ANY_ROWS: &str = "SELECT item, size, body_hash, deleted FROM messages \
    WHERE folder_id = ?1 ORDER BY item LIMIT ?2";

pub(super) const DROP_ROW: &str = "DELETE FROM messages WHERE folder_id = ?1 AND item = ?2";

pub(super) const SET_STATE: &str = "UPDATE messages SET is_read = ?3, flag = ?4, categories = ?5, \
    verb = ?6, verb_at = ?7, change_seq = ?8 WHERE folder_id = ?1 AND item = ?2 AND deleted = 0";

pub(super) const REPLACE_BODY: &str = "UPDATE messages SET body_hash = ?3, size = ?4, \
    identity_id = ?5, change_seq = ?6 WHERE folder_id = ?1 AND item = ?2 AND deleted = 0";

pub(super) const SET_SIZE: &str =
    "UPDATE messages SET size = ?3 WHERE folder_id = ?1 AND item = ?2 AND deleted = 0";

pub(super) const SET_IDENTITY: &str = "UPDATE messages SET identity_id = ?3 \
    WHERE folder_id = ?1 AND item = ?2 AND deleted = 0";

pub(super) const IS_LIVE: &str = "SELECT 1 FROM messages m JOIN folders f ON f.id = m.folder_id \
    WHERE m.folder_id = ?1 AND m.item = ?2 AND m.deleted = 0 AND f.deleted = 0";

pub(super) const LIVE_FROM: &str = "SELECT item, change_seq, arrived_seq, received_at, size, \
    is_read, flag, categories, verb, verb_at, is_draft, identity_id, deleted \
    FROM messages WHERE folder_id = ?1 AND item >= ?2 AND deleted = 0 ORDER BY item LIMIT ?3";

pub(super) const MAKE_TOMBSTONE: &str = "UPDATE messages SET deleted = 1, body_hash = NULL, \
    flag = NULL, categories = NULL, change_seq = ?3 \
    WHERE folder_id = ?1 AND item = ?2 AND deleted = 0";

pub(super) const COPIES_BY_MESSAGE_ID: &str = "SELECT f.mailbox_id, m.folder_id, m.item, m.identity_id \
    FROM identities i JOIN messages m ON m.identity_id = i.id JOIN folders f ON f.id = m.folder_id \
    WHERE i.message_id = ?1 AND m.deleted = 0 AND f.deleted = 0 \
    ORDER BY f.mailbox_id, m.folder_id, m.item";

pub(super) const COPIES_BY_IDENTITY: &str = "SELECT f.mailbox_id, m.folder_id, m.item, m.identity_id \
    FROM messages m JOIN folders f ON f.id = m.folder_id \
    WHERE m.identity_id = ?1 AND m.deleted = 0 AND f.deleted = 0 \
    ORDER BY f.mailbox_id, m.folder_id, m.item";

pub(super) const COPIES_IN_MAILBOX: &str = "SELECT ?2, folder_id, item, identity_id FROM messages \
    WHERE identity_id = ?1 AND folder_id IN (SELECT id FROM folders WHERE mailbox_id = ?2 AND deleted = 0) \
    AND deleted = 0 ORDER BY folder_id, item";

pub(super) const FIND_ONCE: &str = "SELECT folder_id, item FROM appended_once \
    WHERE mailbox_id = ?1 AND token = ?2 AND made_at >= ?3";

pub(super) const IS_ONCE: &str =
    "SELECT 1 FROM appended_once WHERE mailbox_id = ?1 AND folder_id = ?2 AND item = ?3 LIMIT 1";

pub(super) const REMEMBER_ONCE: &str = "INSERT INTO appended_once \
    (mailbox_id, token, folder_id, item, made_at) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (mailbox_id, token) DO UPDATE SET folder_id = excluded.folder_id, \
    item = excluded.item, made_at = excluded.made_at";

pub(super) const FORGET_ONCE: &str = "DELETE FROM appended_once WHERE (mailbox_id, token) IN \
    (SELECT mailbox_id, token FROM appended_once WHERE made_at < ?1 ORDER BY made_at LIMIT ?2)";

pub(super) const HOLD_BODY: &str = "INSERT INTO body_refs (hash, kind, count) VALUES (?1, ?2, 1) \
    ON CONFLICT (hash, kind) DO UPDATE SET count = body_refs.count + 1";

pub(super) const COUNT_HOLDS: &str = "SELECT count FROM body_refs WHERE hash = ?1 AND kind = ?2";

pub(super) const LOWER_HOLD: &str =
    "UPDATE body_refs SET count = count - 1 WHERE hash = ?1 AND kind = ?2";

pub(super) const DROP_HOLD: &str = "DELETE FROM body_refs WHERE hash = ?1 AND kind = ?2";

pub(super) const IS_HELD: &str = "SELECT 1 FROM body_refs WHERE hash = ?1 LIMIT 1";

pub(super) const FILE_CONVERSATION: &str = "INSERT INTO conversations_filed \
    (mailbox_id, conversation, folder_id, filed_at) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT (mailbox_id, conversation) DO UPDATE SET folder_id = ?3, filed_at = ?4";

pub(super) const UNFILE_CONVERSATION: &str = "DELETE FROM conversations_filed \
    WHERE mailbox_id = ?1 AND conversation = ?2";

pub(super) const FORGET_FILED: &str = "DELETE FROM conversations_filed \
    WHERE mailbox_id = ?1 AND conversation NOT IN (SELECT conversation FROM conversations_filed \
    WHERE mailbox_id = ?1 ORDER BY filed_at DESC LIMIT ?2)";

pub(super) const FOLDER_OF_CONVERSATION: &str = "SELECT f.id, f.mailbox_id, f.number, \
    f.parent_number, f.name, f.kind FROM conversations_filed c JOIN folders f ON f.id = c.folder_id \
    WHERE c.mailbox_id = ?1 AND c.conversation = ?2 AND f.deleted = 0";
