-- What webhook endpoints send later: events that wait for their hour, such as the end of somebody's quiet hours.
-- The event itself stands in `changes`.
CREATE TABLE later (
    app        INTEGER NOT NULL,
    endpoint   TEXT    NOT NULL,
    hour       INTEGER NOT NULL,
    coordinate INTEGER NOT NULL,
    PRIMARY KEY (app, endpoint, hour, coordinate)
) WITHOUT ROWID;
