-- Items that could not be shown to a device, and when they are tried again. Room: ledger.
CREATE TABLE isolated (
    device_id BIGINT NOT NULL,
    folder_id BIGINT NOT NULL,
    item      BIGINT NOT NULL,
    tries     BIGINT NOT NULL,
    again_at  BIGINT NOT NULL,
    software  TEXT NOT NULL,             -- the version that could not show it
    PRIMARY KEY (device_id, folder_id, item)
) WITHOUT ROWID;
