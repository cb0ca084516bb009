-- The servers' side of the ledger, device by device and stakeholder by stakeholder: a device may seal for several, and
-- then one number can stand for a record of each.
DROP VIEW IF EXISTS ledger;

CREATE VIEW ledger AS
SELECT
    endpoint,
    stakeholder,
    min(sequence) AS first_sequence,
    max(sequence) AS last_sequence,
    uniqExact(sequence) AS stored,
    count() - uniqExact(sequence) AS duplicated
FROM records
GROUP BY endpoint, stakeholder;
