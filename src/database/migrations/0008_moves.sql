-- What phones moved (MoveItems), kept so that a repetition after a lost answer gets the same answer. Room: ledger.
CREATE TABLE moves (
    device_id BIGINT NOT NULL,
    folder_id BIGINT NOT NULL,
    item      BIGINT NOT NULL,
    to_id     BIGINT NOT NULL,
    identity_id BIGINT NOT NULL,
    to_cursor BIGINT NOT NULL,           -- head of the destination's log when the move was intended
    to_item   BIGINT,                    -- none while the intent runs
    at        BIGINT NOT NULL,
    PRIMARY KEY (device_id, folder_id, item, to_id)
) WITHOUT ROWID;
CREATE INDEX moves_by_time ON moves (at);
