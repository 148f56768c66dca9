//! The SQL of this room: the outbox and what phones were answered, migration 0006; automatic replies, migration 0013; mail of
//! users and copies owed, migration 0016.

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
    (user_id, sender, identity_id, body_hash, size, submitted_at, next_try_at, held, held_order, held_why) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN ?7 = 0 THEN ?6 END, ?7, ?8, ?9) RETURNING id";

pub(super) const INSERT_RECIPIENT: &str = "INSERT INTO outbox_recipients \
    (outbox_id, recipient, local_user, state, changed_at) VALUES (?1, ?2, ?3, 'waiting', ?4) \
    ON CONFLICT (outbox_id, recipient) DO NOTHING";

/// A mail whose next try lies further ahead than any wait was put off by a clock that has been set back since.
pub(super) const DUE: &str = "SELECT id, user_id, sender, body_hash, size, submitted_at, attempts, held, identity_id \
    FROM outbox WHERE next_try_at IS NOT NULL AND held IN (0, 3) AND (next_try_at <= ?1 OR next_try_at > ?3) \
    ORDER BY next_try_at, id LIMIT ?2";

pub(super) const NEXT_DUE: &str = "SELECT next_try_at FROM outbox WHERE next_try_at IS NOT NULL \
    AND held IN (0, 3) ORDER BY next_try_at, id LIMIT 1";

pub(super) const OPEN_RECIPIENTS: &str = "SELECT recipient, local_user FROM outbox_recipients \
    WHERE outbox_id = ?1 AND state IN ('waiting', 'offered') ORDER BY recipient";

pub(super) const SET_RECIPIENT: &str = "UPDATE outbox_recipients \
    SET state = ?3, reply = ?4, maybe_twice = maybe_twice + ?5, changed_at = ?6 \
    WHERE outbox_id = ?1 AND recipient = ?2 AND state IN ('waiting', 'offered')";

pub(super) const SET_OFFERED: &str = "UPDATE outbox_recipients SET state = 'offered', changed_at = ?3, \
    maybe_twice = maybe_twice + CASE WHEN state = 'offered' THEN 1 ELSE 0 END \
    WHERE outbox_id = ?1 AND recipient = ?2 AND state IN ('waiting', 'offered')";

/// What a recall took back meanwhile is not offered again.
pub(super) const RECOVER_OFFERED: &str = "UPDATE outbox_recipients SET maybe_twice = maybe_twice + 1, changed_at = ?1, \
    state = CASE WHEN EXISTS (SELECT 1 FROM outbox WHERE id = outbox_id AND held = 1) THEN 'withdrawn' ELSE 'waiting' END \
    WHERE state = 'offered'";

pub(super) const TRY_AGAIN: &str =
    "UPDATE outbox SET next_try_at = ?2, attempts = attempts + ?3, awaits_user = ?4 WHERE id = ?1";

pub(super) const DONE: &str = "UPDATE outbox SET next_try_at = NULL, done_at = ?2 \
    WHERE id = ?1 AND next_try_at IS NOT NULL";

/// Withdrawn by a recall: neither due nor done.
pub(super) const PARK: &str = "UPDATE outbox SET next_try_at = NULL WHERE id = ?1 AND held = 1 \
    AND EXISTS (SELECT 1 FROM outbox_recipients WHERE outbox_id = ?1 AND state = 'withdrawn')";

pub(super) const IS_WITHHELD: &str = "SELECT 1 FROM outbox WHERE id = ?1 AND held = 1";

pub(super) const WITHHOLD: &str = "UPDATE outbox SET held = 1 WHERE id = ?1";

/// After an attempt that ended in an error of ours: the relay may have had it, and a recall took it back meanwhile.
pub(super) const TAKE_BACK_OFFERED: &str = "UPDATE outbox_recipients SET state = 'withdrawn', maybe_twice = maybe_twice + 1 \
    WHERE outbox_id = ?1 AND state = 'offered' AND EXISTS (SELECT 1 FROM outbox WHERE id = ?1 AND held = 1)";

pub(super) const WAIT_AGAIN: &str = "UPDATE outbox_recipients SET state = 'waiting', changed_at = ?2 WHERE state = 'withdrawn' \
    AND outbox_id IN (SELECT id FROM outbox WHERE identity_id = ?1 AND held = 1)";

/// Patience begins anew with the second start. What had left before the recall was written is over, and its body let go of.
/// What nobody has reviewed waits for its review again.
pub(super) const RESUME: &str = "UPDATE outbox SET held = CASE WHEN held_order IS NULL THEN 0 ELSE 2 END, \
    next_try_at = CASE WHEN held_order IS NULL THEN ?2 END, submitted_at = ?2, attempts = 0 \
    WHERE identity_id = ?1 AND held = 1 AND done_at IS NULL";

pub(super) const HELD: &str = "SELECT id, sender, submitted_at, held_order, held_why, size FROM outbox \
    WHERE held = 2 ORDER BY id LIMIT ?1";

pub(super) const RELEASE_HELD: &str = "UPDATE outbox SET held = 0, held_order = NULL, next_try_at = ?2, submitted_at = ?2 \
    WHERE id = ?1 AND held = 2";

pub(super) const REFUSE_HELD: &str =
    "UPDATE outbox SET held = 3, next_try_at = ?2 WHERE id = ?1 AND held = 2";

pub(super) const OLD_DONE: &str =
    "SELECT id FROM outbox WHERE done_at IS NOT NULL AND done_at < ?1 ORDER BY done_at LIMIT ?2";

pub(super) const DELETE_RECIPIENTS: &str = "DELETE FROM outbox_recipients WHERE outbox_id = ?1";

pub(super) const DELETE_OUTBOX: &str = "DELETE FROM outbox WHERE id = ?1";

pub(super) const UNDONE_BY_IDENTITY: &str = "SELECT id, body_hash FROM outbox \
    WHERE identity_id = ?1 AND done_at IS NULL ORDER BY id";

pub(super) const WITHDRAW: &str = "UPDATE outbox_recipients SET state = 'withdrawn', changed_at = ?2 \
    WHERE outbox_id = ?1 AND state = 'waiting'";

pub(super) const IS_OPEN: &str = "SELECT 1 FROM outbox_recipients \
    WHERE outbox_id = ?1 AND state IN ('waiting', 'offered') LIMIT 1";

pub(super) const COUNT_OPEN: &str =
    "SELECT COUNT(*) FROM outbox WHERE next_try_at IS NOT NULL AND held <> 1";

pub(super) const COUNT_TWICE: &str =
    "SELECT COALESCE(SUM(maybe_twice), 0) FROM outbox_recipients WHERE maybe_twice > 0";

pub(super) const LIST_RECIPIENTS: &str = "SELECT recipient, state, reply, maybe_twice \
    FROM outbox_recipients WHERE outbox_id = ?1 ORDER BY recipient";

pub(super) const OWE_AWAY: &str = "INSERT INTO away_owed \
    (user_id, mailbox_id, identity_id, sender, audience, subject, refs, arrived_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(super) const AWAY_OWED: &str = "SELECT id, user_id, mailbox_id, identity_id, sender, audience, subject, refs, arrived_at \
    FROM away_owed WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) const SETTLE_AWAY: &str = "DELETE FROM away_owed WHERE id = ?1";

pub(super) const CLAIM_ANSWERED: &str = "INSERT INTO away_answered (user_id, sender, absence, until) \
    VALUES (?1, ?2, ?3, ?4) ON CONFLICT (user_id, sender) DO UPDATE \
    SET absence = excluded.absence, until = excluded.until \
    WHERE away_answered.absence <> excluded.absence OR away_answered.until <= ?5";

pub(super) const COUNT_ANSWERED: &str = "SELECT COUNT(*) FROM away_answered WHERE user_id = ?1";

pub(super) const FORGET_ANSWERED: &str = "DELETE FROM away_answered WHERE (user_id, sender) IN \
    (SELECT user_id, sender FROM away_answered WHERE until <= ?1 ORDER BY until LIMIT ?2)";

/// Not counting our own automatic replies, which have no sender.
pub(super) const HAS_WRITTEN_TO: &str = "SELECT 1 FROM outbox_recipients r JOIN outbox o ON o.id = r.outbox_id \
    WHERE lower(r.recipient) = ?2 AND o.user_id = ?1 AND o.sender <> '' LIMIT 1";

/// Patience begins anew for what nobody could be asked about yet.
pub(super) const USER_IS_BACK: &str = "UPDATE outbox SET next_try_at = ?2, awaits_user = 0, \
    submitted_at = CASE WHEN awaits_user = 1 THEN ?2 ELSE submitted_at END \
    WHERE user_id = ?1 AND awaits_user > 0 AND next_try_at IS NOT NULL";

pub(super) const FILINGS_OF_USER_ARE_DUE: &str =
    "UPDATE filings_owed SET next_try_at = ?2 WHERE user_id = ?1 AND next_try_at > ?2";

pub(super) const IS_AWAITED: &str = "SELECT 1 FROM outbox WHERE user_id = ?1 AND awaits_user > 0 \
    UNION ALL SELECT 1 FROM filings_owed WHERE user_id = ?1 LIMIT 1";

pub(super) const AWAITED: &str = "SELECT user_id FROM outbox WHERE awaits_user > 0 \
    UNION SELECT user_id FROM filings_owed";

/// Whose mail is under way. What waits for its user's coming needs nobody's credential yet.
pub(super) const UNDER_WAY: &str = "SELECT user_id FROM outbox WHERE next_try_at IS NOT NULL AND held IN (0, 3) AND awaits_user <> 1 \
    UNION SELECT user_id FROM filings_owed LIMIT ?1";

pub(super) const OWE_FILING: &str = "INSERT INTO filings_owed \
    (user_id, folder, token, message_id, body_hash, written_at, next_try_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (token) DO NOTHING";

/// One whose next try lies further ahead than any wait was put off by a clock that has been set back since.
pub(super) const FILINGS_DUE: &str = "SELECT id, user_id, folder, token, message_id, body_hash, written_at, attempts \
    FROM filings_owed WHERE next_try_at <= ?1 OR next_try_at > ?3 ORDER BY next_try_at, id LIMIT ?2";

pub(super) const NEXT_FILING: &str =
    "SELECT next_try_at FROM filings_owed ORDER BY next_try_at, id LIMIT 1";

pub(super) const BEGIN_FILING: &str =
    "UPDATE filings_owed SET next_try_at = ?2, attempts = attempts + 1 WHERE id = ?1";

pub(super) const SETTLE_FILING: &str = "DELETE FROM filings_owed WHERE id = ?1";

pub(super) const COUNT_FILINGS: &str = "SELECT COUNT(*) FROM filings_owed";
