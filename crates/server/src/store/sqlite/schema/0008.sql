-- What webhooks of Pusher's kinds have not told yet, in the order of its numbers, and who was here as far as their
-- endpoints know. `server` is empty here: nobody else writes this file.
CREATE TABLE news (
    app      INTEGER NOT NULL,
    endpoint TEXT    NOT NULL,
    server   TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (app, endpoint, server, number)
) WITHOUT ROWID;
CREATE TABLE news_here (
    app      INTEGER NOT NULL,
    endpoint TEXT    NOT NULL,
    server   TEXT    NOT NULL,
    channel  TEXT    NOT NULL,
    member   TEXT    NOT NULL,
    PRIMARY KEY (app, endpoint, server, channel, member)
) WITHOUT ROWID;
