-- What a device must obey. Room: policy.
CREATE TABLE policies (
    name                TEXT   PRIMARY KEY,
    revision            BIGINT NOT NULL,           -- grows with every change: devices fetch it again
    rules               TEXT   NOT NULL,           -- policy::Rules as JSON
    exempts_unprovisionable BIGINT NOT NULL,       -- 1: clients that cannot be provisioned are let in
    accepts_partial     BIGINT NOT NULL,           -- 1: devices that apply it in part are let in
    changed_at          BIGINT NOT NULL
);
INSERT INTO policies (name, revision, rules, exempts_unprovisionable, accepts_partial, changed_at)
    VALUES ('default', 1, '{}', 1, 1, 0);

CREATE TABLE policy_settings (
    id                  INTEGER PRIMARY KEY,
    default_access      TEXT   NOT NULL            -- of devices nobody decided about
);
INSERT INTO policy_settings (id, default_access) VALUES (1, 'allow');

CREATE TABLE device_policies (
    device_id           INTEGER PRIMARY KEY REFERENCES devices (id),
    access              TEXT,                      -- allow, block, quarantine; NULL: the default
    offered_key         BIGINT,                    -- the temporary key that went out with the policy
    offered_name        TEXT,
    offered_revision    BIGINT,
    policy_key          BIGINT,                    -- the key the device acknowledged its policy for
    policy_name         TEXT,
    policy_revision     BIGINT,
    acknowledged_offer  BIGINT,                    -- the temporary key under which it did
    compliance          BIGINT,                    -- what the device said: 1 whole, 2 in part, 3 not, 4 managed elsewhere
    acknowledged_at     BIGINT
);

CREATE TABLE wipes (
    device_id           INTEGER PRIMARY KEY REFERENCES devices (id),
    kind                TEXT   NOT NULL,           -- account, device
    state               TEXT   NOT NULL,           -- requested, signalled, sent, acked, refused, corroborated
    block_after         BIGINT NOT NULL,
    sent_count          BIGINT NOT NULL DEFAULT 0,
    refused_count       BIGINT NOT NULL DEFAULT 0,
    requested_at        BIGINT NOT NULL,
    changed_at          BIGINT NOT NULL
);
