//! The SQL of this room: users and the addresses that reach them, migration 0002.

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
