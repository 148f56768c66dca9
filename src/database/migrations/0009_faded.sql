-- Held items that an answer which was never proven took out of the filter's window: perhaps gone from the device. A bitmap in roaring's
-- portable form; NULL for none.
ALTER TABLE collections ADD COLUMN faded BLOB;
