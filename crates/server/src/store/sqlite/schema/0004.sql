-- What is kept beside the ledger: how far each webhook endpoint is, what could not be delivered, and which
-- calendar links still count.

-- One row per endpoint. `body` is JSON: the coordinate up to which `changes` was read, and what is still open.
CREATE TABLE endpoints (
    app  INTEGER NOT NULL,
    name TEXT    NOT NULL,
    body TEXT    NOT NULL,
    PRIMARY KEY (app, name)
) WITHOUT ROWID;

-- What an endpoint did not take in time, with the body as it would have been sent: the row of `changes` may be
-- gone before somebody looks. `due` is 1 while it is tried again.
CREATE TABLE letters (
    app        INTEGER NOT NULL,
    endpoint   TEXT    NOT NULL,
    coordinate INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    lane       TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    died       INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    why        TEXT    NOT NULL,
    due        INTEGER NOT NULL,
    PRIMARY KEY (app, endpoint, coordinate)
) WITHOUT ROWID;

CREATE INDEX letters_due ON letters (app, endpoint, coordinate) WHERE due = 1;

-- How often the calendar links of a user or a resource were changed. Where there is no row: never.
CREATE TABLE links (
    app        INTEGER NOT NULL,
    subject    TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (app, subject)
) WITHOUT ROWID;
