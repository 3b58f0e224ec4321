-- Apps that were added while a server ran: their keys, and as JSON their secrets and what they agree to.
-- Those of the configuration are not here.
CREATE TABLE tenants (
    app  bigint NOT NULL PRIMARY KEY,
    key  text COLLATE "C" NOT NULL UNIQUE,
    body text COLLATE "C" NOT NULL
);
