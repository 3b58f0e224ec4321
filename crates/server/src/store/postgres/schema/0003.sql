-- Bookings are found by what the host calls them (kind 4 of `lookups`). Until now only those were that were written
-- since there are such rows. The body is read as text: what a site says in `meta`, which comes last, may be JSON that
-- PostgreSQL's own type refuses. A name has no control characters, so quotes and backslashes alone are escaped.
INSERT INTO lookups (app, kind, value, day, reservation)
SELECT app, 4, regexp_replace(substring(head FROM '"external_ref":"(([^"\\]|\\.)*)"'), '\\(.)', '\1', 'g'), 0, id
FROM (SELECT app, id, state, split_part(body, ',"meta":', 1) AS head FROM reservations) AS said
WHERE state NOT IN (0, 5, 6) AND head LIKE '%"external_ref":"%' AND head NOT LIKE '%"block":%'
ON CONFLICT DO NOTHING;
