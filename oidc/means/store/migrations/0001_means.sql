-- What people authenticate with. Everything is text or a number, so that both databases have the same columns. Octets are in
-- base64url, times in seconds since 1970, 0 where there is none. An establishment sees its own rows alone.

-- +goose Up
CREATE TABLE passkey (
    establishment TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    account       TEXT    NOT NULL,
    handle        TEXT    NOT NULL,
    label         TEXT    NOT NULL,
    made_by       TEXT    NOT NULL,
    created       BIGINT  NOT NULL,
    used          BIGINT  NOT NULL,
    revoked       INTEGER NOT NULL,
    counter       BIGINT  NOT NULL,
    record        TEXT    NOT NULL, -- JSON, with the public key
    PRIMARY KEY (establishment, id)
);
CREATE INDEX passkey_account ON passkey (establishment, account);

CREATE TABLE passkey_ticket (
    establishment TEXT   NOT NULL,
    digest        TEXT   NOT NULL, -- SHA-256 of what the person was given
    account       TEXT   NOT NULL,
    label         TEXT   NOT NULL,
    made_by       TEXT   NOT NULL,
    expires       BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    PRIMARY KEY (establishment, digest)
);

-- Secrets of one-time codes, sealed under a key that is not here.
CREATE TABLE code_secret (
    establishment TEXT NOT NULL,
    account       TEXT NOT NULL,
    sealed        TEXT NOT NULL,
    PRIMARY KEY (establishment, account)
);

-- The last step of which a code was taken.
CREATE TABLE code_step (
    establishment TEXT   NOT NULL,
    account       TEXT   NOT NULL,
    step          BIGINT NOT NULL,
    PRIMARY KEY (establishment, account)
);
