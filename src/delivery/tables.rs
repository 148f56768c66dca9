//! The SQL of this room: the outbox and what phones were answered, migration 0006.

pub(super) const FIND_RESULT: &str = "SELECT outbox_id, sent_folder, sent_item FROM client_results \
    WHERE user_id = ?1 AND device_id = ?2 AND client_id = ?3 AND until > ?4";

pub(super) const REMEMBER_RESULT: &str = "INSERT INTO client_results \
    (user_id, device_id, client_id, outbox_id, sent_folder, sent_item, until) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (user_id, device_id, client_id) DO UPDATE \
    SET outbox_id = excluded.outbox_id, sent_folder = excluded.sent_folder, \
    sent_item = excluded.sent_item, until = excluded.until";

pub(super) const FORGET_RESULTS: &str = "DELETE FROM client_results \
    WHERE (user_id, device_id, client_id) IN (SELECT user_id, device_id, client_id \
    FROM client_results WHERE until <= ?1 ORDER BY until LIMIT ?2)";

pub(super) const INSERT_OUTBOX: &str = "INSERT INTO outbox \
    (user_id, sender, identity_id, body_hash, size, submitted_at, next_try_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) RETURNING id";

pub(super) const INSERT_RECIPIENT: &str = "INSERT INTO outbox_recipients \
    (outbox_id, recipient, local_user, state, changed_at) VALUES (?1, ?2, ?3, 'waiting', ?4) \
    ON CONFLICT (outbox_id, recipient) DO NOTHING";

pub(super) const DUE: &str = "SELECT id, user_id, sender, body_hash, size, submitted_at, attempts \
    FROM outbox WHERE next_try_at IS NOT NULL AND next_try_at <= ?1 ORDER BY next_try_at, id LIMIT ?2";

pub(super) const NEXT_DUE: &str = "SELECT next_try_at FROM outbox WHERE next_try_at IS NOT NULL \
    ORDER BY next_try_at, id LIMIT 1";

pub(super) const OPEN_RECIPIENTS: &str = "SELECT recipient, local_user FROM outbox_recipients \
    WHERE outbox_id = ?1 AND state IN ('waiting', 'offered') ORDER BY recipient";

pub(super) const SET_RECIPIENT: &str = "UPDATE outbox_recipients \
    SET state = ?3, reply = ?4, maybe_twice = maybe_twice + ?5, changed_at = ?6 \
    WHERE outbox_id = ?1 AND recipient = ?2 AND state IN ('waiting', 'offered')";

pub(super) const SET_OFFERED: &str = "UPDATE outbox_recipients SET state = 'offered', changed_at = ?3, \
    maybe_twice = maybe_twice + CASE WHEN state = 'offered' THEN 1 ELSE 0 END \
    WHERE outbox_id = ?1 AND recipient = ?2 AND state IN ('waiting', 'offered')";

pub(super) const RECOVER_OFFERED: &str = "UPDATE outbox_recipients \
    SET state = 'waiting', maybe_twice = maybe_twice + 1, changed_at = ?1 WHERE state = 'offered'";

pub(super) const TRY_AGAIN: &str =
    "UPDATE outbox SET next_try_at = ?2, attempts = attempts + ?3 WHERE id = ?1";

pub(super) const DONE: &str = "UPDATE outbox SET next_try_at = NULL, done_at = ?2 \
    WHERE id = ?1 AND next_try_at IS NOT NULL";

pub(super) const OLD_DONE: &str =
    "SELECT id FROM outbox WHERE done_at IS NOT NULL AND done_at < ?1 ORDER BY done_at LIMIT ?2";

pub(super) const DELETE_RECIPIENTS: &str = "DELETE FROM outbox_recipients WHERE outbox_id = ?1";

pub(super) const DELETE_OUTBOX: &str = "DELETE FROM outbox WHERE id = ?1";

pub(super) const UNDONE_BY_IDENTITY: &str = "SELECT id, body_hash FROM outbox \
    WHERE identity_id = ?1 AND next_try_at IS NOT NULL ORDER BY id";

pub(super) const WITHDRAW: &str = "UPDATE outbox_recipients SET state = 'withdrawn', changed_at = ?2 \
    WHERE outbox_id = ?1 AND state = 'waiting'";

pub(super) const IS_OPEN: &str = "SELECT 1 FROM outbox_recipients \
    WHERE outbox_id = ?1 AND state IN ('waiting', 'offered') LIMIT 1";

pub(super) const COUNT_OPEN: &str = "SELECT COUNT(*) FROM outbox WHERE next_try_at IS NOT NULL";

pub(super) const COUNT_TWICE: &str =
    "SELECT COALESCE(SUM(maybe_twice), 0) FROM outbox_recipients WHERE maybe_twice > 0";

pub(super) const LIST_RECIPIENTS: &str = "SELECT recipient, state, reply, maybe_twice \
    FROM outbox_recipients WHERE outbox_id = ?1 ORDER BY recipient";
