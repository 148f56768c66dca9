-- What is answered while a user is away, and who has been answered. Rooms: directory, delivery.

-- state: 0 off, 1 on, 2 between the times. began_at is when this absence was declared: a sender is answered anew in the next one.
CREATE TABLE away (
    user_id BIGINT NOT NULL PRIMARY KEY REFERENCES users (id),
    state BIGINT NOT NULL,
    starts_at BIGINT,
    ends_at BIGINT,
    began_at BIGINT NOT NULL
);

-- audience: 1 our own people, 2 others the user has written to, 3 everybody else.
CREATE TABLE away_texts (
    user_id BIGINT NOT NULL REFERENCES users (id),
    audience BIGINT NOT NULL,
    is_enabled BIGINT NOT NULL,
    is_html BIGINT NOT NULL,
    text TEXT,
    PRIMARY KEY (user_id, audience)
);

-- Who has been answered in which absence, and until when that counts.
CREATE TABLE away_answered (
    user_id BIGINT NOT NULL REFERENCES users (id),
    sender TEXT NOT NULL,
    absence BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (user_id, sender)
);
CREATE INDEX away_answered_by_time ON away_answered (until);

-- Answers that are owed: written with the arrival they answer, gone with the commit that puts the answer into the outbox.
CREATE TABLE away_owed (
    id INTEGER PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    mailbox_id BIGINT NOT NULL,
    identity_id BIGINT NOT NULL,
    sender TEXT NOT NULL,
    audience BIGINT NOT NULL,
    subject TEXT NOT NULL,
    refs TEXT NOT NULL,
    arrived_at BIGINT NOT NULL
);

-- Whom a user has written to.
CREATE INDEX outbox_recipients_by_name ON outbox_recipients (lower(recipient));
