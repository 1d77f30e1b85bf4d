-- Calibrations: what certifies how often a frozen baseline is surprised while nobody attacks.

CREATE TABLE calibrations (
    baseline INTEGER PRIMARY KEY REFERENCES baselines ON DELETE CASCADE,
    -- Digest over what the baseline had learned when it was frozen. Of anything else these scores say nothing.
    frozen BLOB NOT NULL CHECK (length(frozen) = 32),
    -- Seconds since 1970, and the certificate as the engine writes it; neither while conditions are missing.
    certified INTEGER,
    certificate BLOB,
    CHECK ((certified IS NULL) = (certificate IS NULL))
) STRICT;

-- Runs that the frozen baseline scored. Scores are in sixteenths of a bit.
CREATE TABLE calibrated_runs (
    baseline INTEGER NOT NULL REFERENCES calibrations ON DELETE CASCADE,
    id BLOB NOT NULL CHECK (length(id) = 16),
    -- Seconds since 1970.
    began INTEGER NOT NULL,
    lasted_ms INTEGER NOT NULL,
    started INTEGER NOT NULL,
    danger INTEGER NOT NULL,
    novelty INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    rate INTEGER NOT NULL,
    lifecycle INTEGER NOT NULL,
    loss INTEGER NOT NULL,
    PRIMARY KEY (baseline, id)
) STRICT, WITHOUT ROWID;
