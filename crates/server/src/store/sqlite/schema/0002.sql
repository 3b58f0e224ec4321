-- The ledger: what can be booked, by whom it is, and who waits for it. Bodies are JSON.

-- Usage that a row changed and did not tell, because the resource was told of a moment before.
ALTER TABLE changes ADD COLUMN touched BLOB;

-- Claims of days before this one may be gone: nobody can claim the past.
ALTER TABLE apps ADD COLUMN claims_floor INTEGER NOT NULL DEFAULT 0;

-- The index of events (`channels`, `feed`, `latest`) is complete up to this position; what lies behind it
-- is found in `changes`. Until now it was written with each row.
ALTER TABLE apps ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
UPDATE apps SET indexed = coalesce((SELECT max(position) FROM changes WHERE changes.app = apps.app), 0);

CREATE TABLE resources (
    app  INTEGER NOT NULL,
    id   TEXT    NOT NULL,
    body TEXT    NOT NULL,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;

-- Holds and bookings in every state. `due` is when something happens by itself to what is no hold;
-- holds are found through their claims, so that a hold costs no index.
CREATE TABLE reservations (
    app     INTEGER NOT NULL,
    id      TEXT    NOT NULL,
    state   INTEGER NOT NULL,
    version INTEGER NOT NULL,
    due     INTEGER,
    body    TEXT    NOT NULL,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;

CREATE INDEX reservations_due ON reservations (app, due) WHERE due IS NOT NULL;
CREATE INDEX reservations_pending ON reservations (app, id) WHERE state = 1;

-- What is claimed now: a row for each part of a live claim that lies in one UTC day.
CREATE TABLE claims (
    app         INTEGER NOT NULL,
    resource    TEXT    NOT NULL,
    day         INTEGER NOT NULL,
    start       INTEGER NOT NULL,
    reservation TEXT    NOT NULL,
    nth         INTEGER NOT NULL,
    "end"       INTEGER NOT NULL,
    units       INTEGER NOT NULL,
    by          INTEGER NOT NULL,
    until       INTEGER,
    forced      INTEGER NOT NULL,
    PRIMARY KEY (app, resource, day, start, reservation, nth)
) WITHOUT ROWID;

-- How bookings are found: by holder (0), e-mail address (1), resource (2), and resource and UTC day (3).
-- A hold has no rows here until it is booked.
CREATE TABLE lookups (
    app         INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    value       TEXT    NOT NULL,
    day         INTEGER NOT NULL,
    reservation TEXT    NOT NULL,
    PRIMARY KEY (app, kind, value, day, reservation)
) WITHOUT ROWID;

CREATE TABLE waits (
    app       INTEGER NOT NULL,
    id        TEXT    NOT NULL,
    principal TEXT    NOT NULL,
    state     INTEGER NOT NULL,
    joined    INTEGER NOT NULL,
    version   INTEGER NOT NULL,
    body      TEXT    NOT NULL,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;

-- Entries that wait or have an offer: all of them, and each principal's.
CREATE INDEX waits_live ON waits (app, joined) WHERE state < 2;
CREATE INDEX waits_principal ON waits (app, principal, joined) WHERE state < 2;

-- The same by resource.
CREATE TABLE waiting (
    app      INTEGER NOT NULL,
    resource TEXT    NOT NULL,
    joined   INTEGER NOT NULL,
    wait     TEXT    NOT NULL,
    PRIMARY KEY (app, resource, joined)
) WITHOUT ROWID;

-- When principals let holds expire; `at` is the last time.
CREATE TABLE strikes (
    app       INTEGER NOT NULL,
    principal TEXT    NOT NULL,
    resource  TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    body      TEXT    NOT NULL,
    PRIMARY KEY (app, principal, resource)
) WITHOUT ROWID;

-- What the ledger tells is a stream, of which nobody is owed only the newest.
DELETE FROM latest WHERE EXISTS (
    SELECT 1 FROM channels WHERE channels.app = latest.app AND channels.id = latest.channel
    AND (name GLOB 'slots:*' OR name GLOB 'booking:*' OR name GLOB 'user:*'
         OR name GLOB 'provider:*' OR name GLOB 'staff:*')
);
