-- The first schema of a shared database. Every column has the name and the meaning that it has in the data
-- file, so that a question stands once; numbers are 64 bits wide, texts are ordered by their bytes.

-- The time of everybody who works on this database, in UTC milliseconds.
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
    $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE TABLE installation (
    one        bigint PRIMARY KEY CHECK (one = 1),
    secret     bytea  NOT NULL,
    app        bigint NOT NULL,
    app_key    text   NOT NULL,
    app_secret text   NOT NULL,
    clean      bigint NOT NULL
);

-- One row per app. Whoever writes for the app locks it first, and finds in it the last row of `changes`.
CREATE TABLE apps (
    app          bigint PRIMARY KEY,
    floor        bigint NOT NULL DEFAULT 0,
    keys_floor   bigint NOT NULL DEFAULT 0,
    forgotten    bigint NOT NULL DEFAULT 0,
    claims_floor bigint NOT NULL DEFAULT 0,
    indexed      bigint NOT NULL DEFAULT 0,
    position     bigint NOT NULL DEFAULT 0,
    check_value  bigint NOT NULL DEFAULT 0,
    at           bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- `batch` is the same in all rows of one commit and in no others: by it a writer whose connection was lost
-- while it committed finds out what happened.
CREATE TABLE changes (
    app      bigint NOT NULL,
    position bigint NOT NULL,
    at       bigint NOT NULL,
    key_hash bytea,
    reply    bytea,
    events   bytea  NOT NULL,
    touched  bytea,
    batch    bytea,
    PRIMARY KEY (app, position)
);

CREATE TABLE channels (
    app   bigint NOT NULL,
    name  text COLLATE "C" NOT NULL,
    id    bigint NOT NULL,
    floor bigint NOT NULL,
    PRIMARY KEY (app, name)
);

CREATE TABLE feed (
    app        bigint NOT NULL,
    channel    bigint NOT NULL,
    coordinate bigint NOT NULL,
    PRIMARY KEY (app, channel, coordinate)
);

CREATE TABLE latest (
    app        bigint NOT NULL,
    channel    bigint NOT NULL,
    key        text COLLATE "C" NOT NULL,
    coordinate bigint NOT NULL,
    PRIMARY KEY (app, channel, key)
);

CREATE TABLE keys (
    app       bigint NOT NULL,
    key_hash  bytea  NOT NULL,
    body_hash bigint NOT NULL,
    position  bigint NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (app, key_hash)
);

CREATE TABLE resources (
    app  bigint NOT NULL,
    id   text COLLATE "C" NOT NULL,
    body text   NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE reservations (
    app     bigint NOT NULL,
    id      text COLLATE "C" NOT NULL,
    state   bigint NOT NULL,
    version bigint NOT NULL,
    due     bigint,
    body    text   NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE INDEX reservations_due ON reservations (app, due) WHERE due IS NOT NULL;
CREATE INDEX reservations_pending ON reservations (app, id) WHERE state = 1;
-- What changed since a position, for a process that another one was faster than.
CREATE INDEX reservations_version ON reservations (app, version);

-- `alone`: nobody else can have this time, because the resource has one unit and no force was used.
CREATE TABLE claims (
    app         bigint NOT NULL,
    resource    text COLLATE "C" NOT NULL,
    day         bigint NOT NULL,
    start       bigint NOT NULL,
    reservation text COLLATE "C" NOT NULL,
    nth         bigint NOT NULL,
    "end"       bigint NOT NULL,
    units       bigint NOT NULL,
    by          bigint NOT NULL,
    until       bigint,
    forced      bigint NOT NULL,
    alone       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (app, resource, day, start, reservation, nth)
);

CREATE INDEX claims_held ON claims (app, resource) WHERE by = 0;

CREATE TABLE lookups (
    app         bigint NOT NULL,
    kind        bigint NOT NULL,
    value       text COLLATE "C" NOT NULL,
    day         bigint NOT NULL,
    reservation text COLLATE "C" NOT NULL,
    PRIMARY KEY (app, kind, value, day, reservation)
);

CREATE TABLE waits (
    app       bigint NOT NULL,
    id        text COLLATE "C" NOT NULL,
    principal text COLLATE "C" NOT NULL,
    state     bigint NOT NULL,
    joined    bigint NOT NULL,
    version   bigint NOT NULL,
    body      text   NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE INDEX waits_live ON waits (app, joined) WHERE state < 2;
CREATE INDEX waits_principal ON waits (app, principal, joined) WHERE state < 2;

CREATE TABLE waiting (
    app      bigint NOT NULL,
    resource text COLLATE "C" NOT NULL,
    joined   bigint NOT NULL,
    wait     text COLLATE "C" NOT NULL,
    PRIMARY KEY (app, resource, joined)
);

CREATE TABLE strikes (
    app       bigint NOT NULL,
    principal text COLLATE "C" NOT NULL,
    resource  text COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    body      text   NOT NULL,
    PRIMARY KEY (app, principal, resource)
);

-- Inboxes and conversations.
CREATE TABLE inboxes (
    app    bigint NOT NULL,
    owner  text COLLATE "C" NOT NULL,
    oldest bigint,
    body   text NOT NULL,
    PRIMARY KEY (app, owner)
);

CREATE INDEX inboxes_oldest ON inboxes (app, oldest) WHERE oldest IS NOT NULL;

CREATE TABLE notifications (
    app    bigint NOT NULL,
    owner  text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    at     bigint NOT NULL,
    topic  text COLLATE "C" NOT NULL,
    read   bigint NOT NULL,
    body   text NOT NULL,
    PRIMARY KEY (app, owner, number)
);

CREATE TABLE conversations (
    app        bigint NOT NULL,
    id         text COLLATE "C" NOT NULL,
    created    bigint NOT NULL,
    last_at    bigint NOT NULL,
    newest     bigint NOT NULL,
    gone_up_to bigint NOT NULL,
    oldest     bigint,
    body       text NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE INDEX conversations_oldest ON conversations (app, oldest) WHERE oldest IS NOT NULL;

CREATE TABLE members (
    app          bigint NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL,
    body         text NOT NULL,
    PRIMARY KEY (app, conversation, member)
);

CREATE INDEX members_member ON members (app, member);

CREATE TABLE messages (
    app          bigint NOT NULL,
    conversation text COLLATE "C" NOT NULL,
    number       bigint NOT NULL,
    at           bigint NOT NULL,
    body         text NOT NULL,
    PRIMARY KEY (app, conversation, number)
);

-- What webhooks and calendars keep beside the ledger.
CREATE TABLE endpoints (
    app  bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (app, name)
);

CREATE TABLE letters (
    app        bigint NOT NULL,
    endpoint   text COLLATE "C" NOT NULL,
    coordinate bigint NOT NULL,
    id         text   NOT NULL,
    kind       text   NOT NULL,
    lane       text   NOT NULL,
    body       bytea  NOT NULL,
    died       bigint NOT NULL,
    attempts   bigint NOT NULL,
    why        text   NOT NULL,
    due        bigint NOT NULL,
    PRIMARY KEY (app, endpoint, coordinate)
);

CREATE INDEX letters_due ON letters (app, endpoint, coordinate) WHERE due = 1;

CREATE TABLE later (
    app        bigint NOT NULL,
    endpoint   text COLLATE "C" NOT NULL,
    hour       bigint NOT NULL,
    coordinate bigint NOT NULL,
    PRIMARY KEY (app, endpoint, hour, coordinate)
);

CREATE TABLE links (
    app        bigint NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    PRIMARY KEY (app, subject)
);

-- What only one process does at a time, until when in the database's time, over which of the database's own
-- processes it said so, and what others asked it to do.
CREATE TABLE leases (
    app     bigint NOT NULL,
    name    text COLLATE "C" NOT NULL,
    process bytea  NOT NULL,
    pid     bigint NOT NULL,
    until   bigint NOT NULL,
    wish    text,
    PRIMARY KEY (app, name)
);

-- Which principals with holds are connected where: a lease of each process, in the database's time.
CREATE TABLE attendance (
    app       bigint NOT NULL,
    principal text COLLATE "C" NOT NULL,
    process   bytea  NOT NULL,
    until     bigint NOT NULL,
    PRIMARY KEY (app, principal, process)
);
