-- Policies as versions. Everything is text, so that both databases have the same columns, and anybody can read them.

-- +goose Up
CREATE TABLE policy_store (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    id       TEXT NOT NULL -- random; signed with every event
);

-- Contents, each once: sha256 in hex, of the octets.
CREATE TABLE policy_file (
    sha256  TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL
);

-- Which files a content is made of. digest is that of the list of its files, as sha256sum prints it, sorted by path.
CREATE TABLE policy_content (
    digest TEXT NOT NULL,
    path   TEXT NOT NULL,
    sha256 TEXT NOT NULL REFERENCES policy_file (sha256),
    PRIMARY KEY (digest, path)
);

-- What happened, only ever added to. signature is that of actor over all else (base64).
CREATE TABLE policy_event (
    number    BIGINT NOT NULL PRIMARY KEY,
    kind      TEXT   NOT NULL,
    version   BIGINT NOT NULL,
    content   TEXT   NOT NULL,
    base      BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    at        TEXT   NOT NULL, -- RFC 3339, in seconds, UTC
    note      TEXT   NOT NULL,
    previous  TEXT   NOT NULL, -- hash of the event before
    signature TEXT   NOT NULL
);
