-- One row per sealed record. A metric and its value stand at the same place of the two arrays.
--
-- ORDER BY begins with the stakeholder, so that one stakeholder's questions read its granules only. ReplacingMergeTree
-- folds rows of one record together should two processes store the same message. Partitions follow the server's clock:
-- a device with a wrong clock must not make partitions.
CREATE TABLE records
(
    received_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    at          DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    stakeholder LowCardinality(String),
    key_version UInt32 CODEC(T64, ZSTD(1)),
    kind        LowCardinality(String),
    endpoint    String CODEC(ZSTD(1)),
    sequence    UInt64 CODEC(Delta, ZSTD(1)),
    metrics     Array(LowCardinality(String)),
    values      Array(Float64) CODEC(Gorilla, ZSTD(1))
)
ENGINE = ReplacingMergeTree(received_at)
PARTITION BY toYYYYMM(received_at)
ORDER BY (stakeholder, endpoint, sequence)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- What could not be stored, and why. The payload is as sealed as it came.
CREATE TABLE dead_letters
(
    received_at DateTime64(3, 'UTC'),
    topic       String,
    reason      LowCardinality(String),
    payload     String
)
ENGINE = MergeTree
ORDER BY received_at
TTL toDateTime(received_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per value.
CREATE VIEW readings AS
SELECT stakeholder, key_version, kind, endpoint, sequence, at, received_at, metric, value
FROM records
ARRAY JOIN metrics AS metric, values AS value;

-- What one stakeholder may see: SELECT ... FROM stakeholder_readings(stakeholder = 'northern-power')
CREATE VIEW stakeholder_readings AS
SELECT stakeholder, key_version, kind, endpoint, sequence, at, received_at, metric, value
FROM records
ARRAY JOIN metrics AS metric, values AS value
WHERE stakeholder = {stakeholder:String};

-- The servers' side of the ledger, device by device.
CREATE VIEW ledger AS
SELECT
    endpoint,
    min(sequence) AS first_sequence,
    max(sequence) AS last_sequence,
    uniqExact(sequence) AS stored,
    count() - uniqExact(sequence) AS duplicated
FROM records
GROUP BY endpoint;
