//! The SQL of this room: users and the addresses that reach them, migration 0002; who is away, migration 0013; what comes from
//! outside, and groups, migration 0018.

pub(super) const INSERT_USER: &str = "INSERT INTO users \
    (name, address, display_name, password_hash, is_admin, policy_name, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";

/// What a user is read from, of `users u`.
macro_rules! users {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.name, u.address, u.display_name, u.disabled, u.is_admin, u.policy_name, u.created_at, \
             u.password_hash, u.origin, u.origin_key, u.is_gone ",
            $rest
        )
    };
}

pub(super) const USER_BY_ID: &str = users!("FROM users u WHERE u.id = ?1");
pub(super) const USER_BY_NAME: &str = users!("FROM users u WHERE u.name = ?1");
pub(super) const USER_BY_ADDRESS: &str =
    users!("FROM aliases a JOIN users u ON u.id = a.user_id WHERE a.address = ?1");
pub(super) const LIST_USERS: &str = users!("FROM users u WHERE u.id > ?1 ORDER BY u.id LIMIT ?2");
pub(super) const SEARCH_USERS: &str = users!(
    "FROM users u LEFT JOIN cards c ON c.user_id = u.id WHERE u.disabled = 0 AND u.is_gone = 0 \
     AND (lower(u.display_name) LIKE ?1 ESCAPE '!' OR lower(u.display_name) LIKE ?2 ESCAPE '!' \
     OR u.name LIKE ?1 ESCAPE '!' OR c.words LIKE ?2 ESCAPE '!' OR EXISTS \
     (SELECT 1 FROM aliases a WHERE a.user_id = u.id AND a.address LIKE ?1 ESCAPE '!')) \
     ORDER BY u.display_name, u.id LIMIT ?3"
);
/// Members of a group that are users, of those the source still has.
pub(super) const MEMBERS: &str = users!(
    "FROM group_members m JOIN user_groups g ON g.id = m.group_id \
     JOIN users u ON u.origin = g.origin AND u.origin_key = m.member_key \
     WHERE m.group_id = ?1 AND m.kind = 0 AND u.is_gone = 0 AND u.disabled = 0 ORDER BY u.id LIMIT ?2"
);

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

pub(super) const CARD: &str = "SELECT first_name, last_name, phone, mobile_phone, home_phone, title, company, office \
    FROM cards WHERE user_id = ?1";

pub(super) const SET_CARD: &str = "INSERT INTO cards (user_id, first_name, last_name, phone, mobile_phone, home_phone, \
    title, company, office, words) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
    ON CONFLICT (user_id) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name, \
    phone = excluded.phone, mobile_phone = excluded.mobile_phone, home_phone = excluded.home_phone, \
    title = excluded.title, company = excluded.company, office = excluded.office, words = excluded.words";

pub(super) const KNOWN_USERS: &str =
    "SELECT id, name, address, origin, origin_key, origin_print, is_gone FROM users";

pub(super) const INSERT_FROM_OUTSIDE: &str = "INSERT INTO users (name, address, display_name, password_hash, \
    is_admin, created_at, origin, origin_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id";

pub(super) const UPDATE_FROM_OUTSIDE: &str = "UPDATE users SET name = ?2, address = ?3, display_name = ?4, \
    password_hash = COALESCE(?5, password_hash), is_admin = COALESCE(?6, is_admin), origin = ?7, origin_key = ?8 \
    WHERE id = ?1";

pub(super) const SET_PRINT: &str = "UPDATE users SET origin_print = ?2, is_gone = ?3 WHERE id = ?1";

pub(super) const SET_ADDRESS: &str = "UPDATE users SET address = ?2 WHERE id = ?1";

pub(super) const COUNT_BY_ORIGIN: &str =
    "SELECT COUNT(*), COALESCE(SUM(is_gone), 0) FROM users WHERE origin = ?1";
pub(super) const COUNT_GROUPS: &str = "SELECT COUNT(*) FROM user_groups";

pub(super) const KNOWN_GROUPS: &str =
    "SELECT id, origin_key, origin_print FROM user_groups WHERE origin = ?1";

pub(super) const OTHER_GROUP_NAMED: &str = "SELECT name FROM user_groups WHERE (name = ?1 OR address = ?2) AND NOT (origin = ?3 AND origin_key = ?4) LIMIT 1";

pub(super) const PUT_GROUP: &str = "INSERT INTO user_groups \
    (name, address, display_name, words, origin, origin_key, origin_print) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
    ON CONFLICT (origin, origin_key) DO UPDATE SET name = excluded.name, address = excluded.address, \
    display_name = excluded.display_name, words = excluded.words, origin_print = excluded.origin_print RETURNING id";

pub(super) const DELETE_GROUP: &str = "DELETE FROM user_groups WHERE id = ?1";
pub(super) const DELETE_MEMBERS: &str = "DELETE FROM group_members WHERE group_id = ?1";
pub(super) const INSERT_MEMBER: &str = "INSERT INTO group_members (group_id, kind, member_key) \
    VALUES (?1, ?2, ?3) ON CONFLICT (group_id, kind, member_key) DO NOTHING";

pub(super) const GROUP_BY_NAME: &str = "SELECT id, name, address, display_name FROM user_groups WHERE name = ?1 OR address = ?1 LIMIT 1";

pub(super) const LIST_GROUPS: &str = "SELECT id, name, address, display_name FROM user_groups \
    WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) const SEARCH_GROUPS: &str = "SELECT id, name, address, display_name FROM user_groups \
    WHERE address IS NOT NULL AND (words LIKE ?2 ESCAPE '!' OR address LIKE ?1 ESCAPE '!') \
    ORDER BY display_name, id LIMIT ?3";

pub(super) const GROUPS_WITHIN: &str = "SELECT s.id FROM group_members m JOIN user_groups g ON g.id = m.group_id \
    JOIN user_groups s ON s.origin = g.origin AND s.origin_key = m.member_key \
    WHERE m.group_id = ?1 AND m.kind = 1 ORDER BY s.id LIMIT ?2";

pub(super) const GROUPS_OF_USER: &str = "SELECT g.id, g.name FROM users u \
    JOIN group_members m ON m.kind = 0 AND m.member_key = u.origin_key \
    JOIN user_groups g ON g.id = m.group_id AND g.origin = u.origin WHERE u.id = ?1 LIMIT ?2";

pub(super) const GROUPS_AROUND: &str = "SELECT g.id, g.name FROM user_groups s \
    JOIN group_members m ON m.kind = 1 AND m.member_key = s.origin_key \
    JOIN user_groups g ON g.id = m.group_id AND g.origin = s.origin WHERE s.id = ?1 LIMIT ?2";
