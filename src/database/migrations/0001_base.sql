-- What every installation has: who it is, its secrets, the epochs of its ledger, and the audit.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- 32 random bytes each; 'sync_keys' makes the tags of sync keys.
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL,
    made_at BIGINT NOT NULL
);

-- A new epoch begins when the ledger may have lost what it knew: at the start, after a restore, when a phone shows a key from the future.
CREATE TABLE epochs (
    epoch BIGINT NOT NULL PRIMARY KEY,
    began_at BIGINT NOT NULL,
    reason TEXT NOT NULL
);

-- One row per entry; number is its leaf in the tree, from 0. body is the canonical encoding, leaf its RFC 6962 leaf hash.
-- order_id repeats the body's field, for reading by order only.
CREATE TABLE audit_entries (
    number BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    order_id BIGINT,
    body BLOB NOT NULL,
    leaf BLOB NOT NULL
);
CREATE INDEX audit_entries_by_order ON audit_entries (order_id, number) WHERE order_id IS NOT NULL;

-- The clear values behind the commitments in audit_entries.body; a row may be erased and the proofs still hold.
CREATE TABLE audit_personal (
    number BIGINT NOT NULL REFERENCES audit_entries (number),
    position BIGINT NOT NULL,
    salt BLOB NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (number, position)
);
CREATE INDEX audit_personal_by_value ON audit_personal (value);

-- The tree so far: how many leaves, and the roots of its complete subtrees, largest first, 32 bytes each.
CREATE TABLE audit_tree (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    size BIGINT NOT NULL,
    frontier BLOB NOT NULL
);
INSERT INTO audit_tree (id, size, frontier) VALUES (1, 0, x'');
