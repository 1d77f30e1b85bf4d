-- The first schema of baseline stores. Published: never edited, only followed by another file.

CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- What hashes of this store's baselines are keyed with.
    key BLOB NOT NULL CHECK (length(key) = 16)
) STRICT;
INSERT INTO store VALUES (1, randomblob(16));

CREATE TABLE baselines (
    number INTEGER PRIMARY KEY,
    -- Digest over the four columns that follow.
    subject BLOB NOT NULL UNIQUE CHECK (length(subject) = 32),
    plugin TEXT NOT NULL,
    artifact TEXT NOT NULL,
    manifest TEXT NOT NULL,
    deployment TEXT NOT NULL,
    -- There were more runs than are kept.
    sampled INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    baseline INTEGER NOT NULL REFERENCES baselines ON DELETE CASCADE,
    id BLOB NOT NULL CHECK (length(id) = 16),
    -- Seconds since 1970.
    began INTEGER NOT NULL,
    lasted_ms INTEGER NOT NULL,
    started INTEGER NOT NULL,
    facts INTEGER NOT NULL,
    UNIQUE (baseline, id)
) STRICT;

-- Why a run teaches nothing.
CREATE TABLE faults (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    fault TEXT NOT NULL,
    times INTEGER NOT NULL,
    PRIMARY KEY (run, fault)
) STRICT, WITHOUT ROWID;

-- Families of which a run had too many kinds.
CREATE TABLE full_families (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    family TEXT NOT NULL,
    PRIMARY KEY (run, family)
) STRICT, WITHOUT ROWID;

-- Each text once, for all baselines.
CREATE TABLE templates (
    number INTEGER PRIMARY KEY,
    family TEXT NOT NULL,
    template TEXT NOT NULL,
    UNIQUE (family, template)
) STRICT;

CREATE TABLE counts (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    template INTEGER NOT NULL REFERENCES templates,
    times INTEGER NOT NULL,
    PRIMARY KEY (run, template)
) STRICT, WITHOUT ROWID;

CREATE TABLE accepted (
    baseline INTEGER NOT NULL REFERENCES baselines ON DELETE CASCADE,
    -- Seconds since 1970.
    at INTEGER NOT NULL,
    family TEXT NOT NULL,
    template TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (baseline, at, family, template, by, reason)
) STRICT, WITHOUT ROWID;
