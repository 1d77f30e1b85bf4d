-- What live runs amount to as evidence, and what people found the containments to be.

CREATE TABLE evidence (
    baseline INTEGER PRIMARY KEY REFERENCES baselines ON DELETE CASCADE,
    -- The detector, as the engine writes it: of one certificate and of one list of budgets.
    detector BLOB NOT NULL,
    -- Whether it may act: for people.
    standing TEXT NOT NULL,
    -- When the block before began, in seconds since 1970.
    before INTEGER,
    -- The last ruling that it has heard.
    ruled INTEGER NOT NULL
) STRICT;

CREATE TABLE rulings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    baseline INTEGER NOT NULL REFERENCES baselines ON DELETE CASCADE,
    -- Seconds since 1970.
    at INTEGER NOT NULL,
    ruling TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
