-- The first schema of the data file. Migrations only go forward; the file's version is
-- `PRAGMA user_version`.

-- One row: what is true of this installation for ever, and how the last run ended.
CREATE TABLE installation (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    secret     BLOB    NOT NULL,
    app        INTEGER NOT NULL,
    app_key    TEXT    NOT NULL,
    app_secret TEXT    NOT NULL,
    clean      INTEGER NOT NULL
);

-- One row per app: how far expiry has come. A channel without a row has `forgotten` as its floor.
CREATE TABLE apps (
    app        INTEGER PRIMARY KEY,
    floor      INTEGER NOT NULL DEFAULT 0,
    keys_floor INTEGER NOT NULL DEFAULT 0,
    forgotten  INTEGER NOT NULL DEFAULT 0
);

-- What happened: one row per committed command, dense per app and in the order of commits.
CREATE TABLE changes (
    app      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    key_hash BLOB,
    reply    BLOB,
    events   BLOB    NOT NULL,
    PRIMARY KEY (app, position)
) WITHOUT ROWID;

-- Short ids for channel names. The id is the coordinate of the first event of the channel, which
-- no other channel of the app can have.
CREATE TABLE channels (
    app   INTEGER NOT NULL,
    name  TEXT    NOT NULL,
    id    INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    PRIMARY KEY (app, name)
) WITHOUT ROWID;

-- Which events a channel has. A coordinate is a position and a place within its row.
CREATE TABLE feed (
    app        INTEGER NOT NULL,
    channel    INTEGER NOT NULL,
    coordinate INTEGER NOT NULL,
    PRIMARY KEY (app, channel, coordinate)
) WITHOUT ROWID;

-- The newest event of every key of a channel.
CREATE TABLE latest (
    app        INTEGER NOT NULL,
    channel    INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    coordinate INTEGER NOT NULL,
    PRIMARY KEY (app, channel, key)
) WITHOUT ROWID;

-- Which commands were taken, so that a retry finds its first answer.
CREATE TABLE keys (
    app       INTEGER NOT NULL,
    key_hash  BLOB    NOT NULL,
    body_hash INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (app, key_hash)
) WITHOUT ROWID;

-- What a clean stop wrote down for the next start: the log of an app, and its sessions.
CREATE TABLE carried (
    app  INTEGER NOT NULL,
    what TEXT    NOT NULL,
    body TEXT    NOT NULL,
    PRIMARY KEY (app, what)
) WITHOUT ROWID;
