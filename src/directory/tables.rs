//! The SQL of this room: users and the addresses that reach them, migration 0002; who is away, migration 0013.

pub(super) const INSERT_USER: &str = "INSERT INTO users \
    (name, address, display_name, password_hash, is_admin, policy_name, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";

pub(super) const USER_BY_ID: &str = "SELECT id, name, address, display_name, disabled, is_admin, \
    policy_name, created_at, password_hash FROM users WHERE id = ?1";

pub(super) const USER_BY_NAME: &str = "SELECT id, name, address, display_name, disabled, is_admin, \
    policy_name, created_at, password_hash FROM users WHERE name = ?1";

pub(super) const USER_BY_ADDRESS: &str = "SELECT u.id, u.name, u.address, u.display_name, \
    u.disabled, u.is_admin, u.policy_name, u.created_at, u.password_hash \
    FROM aliases a JOIN users u ON u.id = a.user_id WHERE a.address = ?1";

pub(super) const LIST_USERS: &str = "SELECT id, name, address, display_name, disabled, is_admin, \
    policy_name, created_at, password_hash FROM users WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) const SEARCH_USERS: &str = "SELECT id, name, address, display_name, disabled, is_admin, \
    policy_name, created_at, password_hash FROM users \
    WHERE disabled = 0 AND (lower(display_name) LIKE ?1 ESCAPE '!' \
    OR lower(display_name) LIKE ?2 ESCAPE '!' OR address LIKE ?1 ESCAPE '!' OR name LIKE ?1 ESCAPE '!') \
    ORDER BY display_name, id LIMIT ?3";

pub(super) const SET_PASSWORD: &str = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
pub(super) const SET_DISABLED: &str = "UPDATE users SET disabled = ?2 WHERE id = ?1";
pub(super) const SET_ADMIN: &str = "UPDATE users SET is_admin = ?2 WHERE id = ?1";
pub(super) const SET_POLICY: &str = "UPDATE users SET policy_name = ?2 WHERE id = ?1";
pub(super) const SET_DISPLAY_NAME: &str = "UPDATE users SET display_name = ?2 WHERE id = ?1";

pub(super) const INSERT_ALIAS: &str = "INSERT INTO aliases (address, user_id) VALUES (?1, ?2) \
    ON CONFLICT (address) DO NOTHING";

pub(super) const DELETE_ALIAS: &str = "DELETE FROM aliases WHERE address = ?1 AND user_id = ?2";

pub(super) const LIST_ALIASES: &str =
    "SELECT address FROM aliases WHERE user_id = ?1 ORDER BY address LIMIT ?2";

pub(super) const COUNT_ALIASES: &str = "SELECT COUNT(*) FROM aliases WHERE user_id = ?1";

pub(super) const AWAY: &str =
    "SELECT state, starts_at, ends_at, began_at FROM away WHERE user_id = ?1";

pub(super) const AWAY_TEXTS: &str = "SELECT audience, is_enabled, is_html, text FROM away_texts \
    WHERE user_id = ?1 ORDER BY audience LIMIT 3";

pub(super) const SET_AWAY: &str = "INSERT INTO away (user_id, state, starts_at, ends_at, began_at) \
    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (user_id) DO UPDATE SET state = excluded.state, \
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, began_at = excluded.began_at";

pub(super) const SET_AWAY_TEXT: &str = "INSERT INTO away_texts \
    (user_id, audience, is_enabled, is_html, text) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (user_id, audience) DO UPDATE SET is_enabled = excluded.is_enabled, \
    is_html = excluded.is_html, text = excluded.text";
