-- Bookings are found by what the host calls them (kind 4 of `lookups`). Until now only those were that were written
-- since there are such rows.
INSERT OR IGNORE INTO lookups (app, kind, value, day, reservation)
SELECT app, 4, body ->> '$.external_ref', 0, id FROM reservations
WHERE state NOT IN (0, 5, 6) AND body ->> '$.external_ref' IS NOT NULL AND body -> '$.block' IS NULL;
