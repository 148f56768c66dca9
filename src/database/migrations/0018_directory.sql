-- Where users come from besides us, what the address list says of them, and the groups they are in.

-- origin: 'local', 'csv', 'ldap' or 'imap'. origin_key: what the source knows the user by; for 'imap', the name to sign in with there.
-- origin_print: a digest of what the source said last, so that a look that finds nothing new writes nothing.
-- is_gone: the source has the user no longer, or shuts them out; beside `disabled`, which is an administrator's word.
ALTER TABLE users ADD COLUMN origin TEXT NOT NULL DEFAULT 'local';
ALTER TABLE users ADD COLUMN origin_key TEXT;
ALTER TABLE users ADD COLUMN origin_print TEXT;
ALTER TABLE users ADD COLUMN is_gone BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX users_by_origin ON users (origin, origin_key) WHERE origin_key IS NOT NULL;

-- words: everything a search finds the user by besides name and addresses, in lower case, a blank before each word.
CREATE TABLE cards (
    user_id BIGINT NOT NULL PRIMARY KEY REFERENCES users (id),
    first_name TEXT,
    last_name TEXT,
    phone TEXT,
    mobile_phone TEXT,
    home_phone TEXT,
    title TEXT,
    company TEXT,
    office TEXT,
    words TEXT NOT NULL
);

-- name and address in lower case. Nothing points here but the members: a group that is gone is deleted.
CREATE TABLE user_groups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    address TEXT UNIQUE,
    display_name TEXT NOT NULL,
    words TEXT NOT NULL,
    origin TEXT NOT NULL,
    origin_key TEXT NOT NULL,
    origin_print TEXT NOT NULL,
    UNIQUE (origin, origin_key)
);

-- member_key is the origin_key of a user (kind 0) or of a group (kind 1) of the same origin.
CREATE TABLE group_members (
    group_id BIGINT NOT NULL REFERENCES user_groups (id),
    kind BIGINT NOT NULL,
    member_key TEXT NOT NULL,
    PRIMARY KEY (group_id, kind, member_key)
);
CREATE INDEX group_members_by_member ON group_members (kind, member_key);
