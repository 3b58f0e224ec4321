-- Apps that were added while the server ran: their keys, and as JSON their secrets and what they agree to.
-- Those of the configuration are not here.
CREATE TABLE tenants (
    app  INTEGER NOT NULL PRIMARY KEY,
    key  TEXT    NOT NULL UNIQUE,
    body TEXT    NOT NULL
);
