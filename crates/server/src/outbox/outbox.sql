-- Functions by which an application publishes from within its own transactions. Run this once in the
-- application's database, as the user whom Deskbell connects as; running it again does no harm.
--
--     SELECT deskbell.publish('slots-news', 'slot.added', '{"id": 7}');
--     SELECT deskbell.link('r_…', 'order-4711');
--
-- What a transaction publishes becomes an event when it commits, and never if it does not. Nothing in here
-- waits for another transaction, and no position is kept: Deskbell takes what it sees and deletes it, so a
-- transaction that commits late is taken late.

CREATE SCHEMA IF NOT EXISTS deskbell;

CREATE TABLE IF NOT EXISTS deskbell.outbox (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel      text,
    name         text,
    data         text,
    id           text,
    reservation  text,
    external_ref text
);

-- What can never become an event, and why. It is for people to look at and to delete.
CREATE TABLE IF NOT EXISTS deskbell.outbox_refused (
    LIKE deskbell.outbox,
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason     text NOT NULL
);

-- Publishes an event when the transaction commits. Gives the event's id. An `id` of your own makes a second
-- publish of it no second event.
CREATE OR REPLACE FUNCTION deskbell.publish(channel text, name text, data jsonb, id text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    event text := coalesce(publish.id, 'e_' || replace(gen_random_uuid()::text, '-', ''));
BEGIN
    IF publish.channel IS NULL OR publish.channel !~ '^[A-Za-z0-9_=@,.;:#-]{1,200}$' THEN
        RAISE EXCEPTION 'a channel has 1 to 200 of A-Z a-z 0-9 _ = @ , . ; : # -' USING ERRCODE = '22023';
    END IF;
    IF coalesce(publish.name, '') = '' OR publish.data IS NULL THEN
        RAISE EXCEPTION 'an event needs a name and data; null as data is ''null''::jsonb' USING ERRCODE = '22023';
    END IF;
    INSERT INTO deskbell.outbox (channel, name, data, id)
        VALUES (publish.channel, publish.name, publish.data::text, event);
    RETURN event;
END $$;

-- Tells Deskbell which of the application's own records a booking belongs to, when the transaction commits.
CREATE OR REPLACE FUNCTION deskbell.link(reservation text, external_ref text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF coalesce(link.reservation, '') = '' OR coalesce(link.external_ref, '') = '' THEN
        RAISE EXCEPTION 'a link needs a reservation and a reference' USING ERRCODE = '22023';
    END IF;
    INSERT INTO deskbell.outbox (reservation, external_ref) VALUES (link.reservation, link.external_ref);
END $$;
