-- What an identity provider keeps between requests. Keys hold no secret, and values neither tokens nor codes in clear.

-- +goose Up
CREATE TABLE oidc_state (
    key     TEXT   NOT NULL PRIMARY KEY,
    value   BYTEA  NOT NULL,
    expires BIGINT NOT NULL -- microseconds since 1970
);
CREATE INDEX oidc_state_expires ON oidc_state (expires);
