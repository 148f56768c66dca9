-- How operators talk to us (src/admin).

-- Bearer tokens of the API. Only the SHA-256 of a token is kept. A revoked row stays: its name is in orders and in the audit.
CREATE TABLE admin_tokens (
    name       TEXT   NOT NULL PRIMARY KEY,
    hash       BLOB   NOT NULL UNIQUE,
    role       BIGINT NOT NULL,  -- 1 viewer, 2 operator, 3 administrator
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    expires_at BIGINT,           -- NULL: never
    revoked_at BIGINT
);

-- One-time links to the pages, by the SHA-256 of their code; gone once used.
CREATE TABLE admin_links (
    hash       BLOB   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    role       BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Sessions of browsers, by the SHA-256 of their cookie.
CREATE TABLE admin_sessions (
    hash       BLOB   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    role       BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
