-- Inboxes and conversations. Bodies are JSON.

-- One row per user who has an inbox: its marks, its count, what is preferred. `oldest` is a time that no row of
-- `notifications` is older than; by it expiry finds what is too old, and what was cleared.
CREATE TABLE inboxes (
    app    INTEGER NOT NULL,
    owner  TEXT    NOT NULL,
    oldest INTEGER,
    body   TEXT    NOT NULL,
    PRIMARY KEY (app, owner)
) WITHOUT ROWID;

CREATE INDEX inboxes_oldest ON inboxes (app, oldest) WHERE oldest IS NOT NULL;

-- `read` is 1 for what was read by itself; what the inbox's mark covers may have 0.
CREATE TABLE notifications (
    app    INTEGER NOT NULL,
    owner  TEXT    NOT NULL,
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    topic  TEXT    NOT NULL,
    read   INTEGER NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (app, owner, number)
) WITHOUT ROWID;

-- `oldest` as above, of `messages`.
CREATE TABLE conversations (
    app        INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    created    INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    newest     INTEGER NOT NULL,
    gone_up_to INTEGER NOT NULL,
    oldest     INTEGER,
    body       TEXT    NOT NULL,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;

CREATE INDEX conversations_oldest ON conversations (app, oldest) WHERE oldest IS NOT NULL;

CREATE TABLE members (
    app          INTEGER NOT NULL,
    conversation TEXT    NOT NULL,
    member       TEXT    NOT NULL,
    body         TEXT    NOT NULL,
    PRIMARY KEY (app, conversation, member)
) WITHOUT ROWID;

-- The conversations of a user.
CREATE INDEX members_member ON members (app, member);

CREATE TABLE messages (
    app          INTEGER NOT NULL,
    conversation TEXT    NOT NULL,
    number       INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    body         TEXT    NOT NULL,
    PRIMARY KEY (app, conversation, number)
) WITHOUT ROWID;

-- What the ledger tells is a stream, of which nobody is owed only the newest.
DELETE FROM latest WHERE EXISTS (
    SELECT 1 FROM channels WHERE channels.app = latest.app AND channels.id = latest.channel
    AND (name GLOB 'conversation:*' OR name GLOB 'webhook:*')
);
