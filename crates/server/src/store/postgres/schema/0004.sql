-- What webhooks of Pusher's kinds have not told yet, in the order of its numbers, and who was here as far as their
-- endpoints know. Connections are of one server, and `server` says of which.
CREATE TABLE news (
    app      bigint NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    server   text COLLATE "C" NOT NULL,
    number   bigint NOT NULL,
    body     text COLLATE "C" NOT NULL,
    PRIMARY KEY (app, endpoint, server, number)
);
CREATE TABLE news_here (
    app      bigint NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    server   text COLLATE "C" NOT NULL,
    channel  text COLLATE "C" NOT NULL,
    member   text COLLATE "C" NOT NULL,
    PRIMARY KEY (app, endpoint, server, channel, member)
);
