-- +goose Up

-- Who this registry is, so that a backup put in its place is noticed.
CREATE TABLE registry (
    id TEXT NOT NULL
) STRICT;
INSERT INTO registry (id) VALUES (lower(hex(randomblob(16))));

-- One row an import, the trace of where the facts come from. The highest epoch is that of the present content.
CREATE TABLE import (
    epoch     INTEGER NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL, -- microseconds since 1970 UTC, as all times here
    mode      TEXT    NOT NULL CHECK (mode IN ('merge', 'replace')),
    digest    BLOB    NOT NULL, -- SHA-256 of the octets imported
    rows      INTEGER NOT NULL,
    added     INTEGER NOT NULL,
    removed   INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    facts     INTEGER NOT NULL  -- in all, afterwards
) STRICT;

-- Times without bound are the least and the greatest integer, so that every comparison is one comparison.
CREATE TABLE fact (
    subject_type    TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    attribute       TEXT    NOT NULL, -- canonical name, in the certified namespace
    value           TEXT    NOT NULL,
    not_before      INTEGER NOT NULL,
    not_on_or_after INTEGER NOT NULL,
    PRIMARY KEY (subject_type, subject, attribute, value, not_before, not_on_or_after),
    CHECK (not_before < not_on_or_after)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE fact;
DROP TABLE import;
DROP TABLE registry;
